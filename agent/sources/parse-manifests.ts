/**
 * From the bytes of one file or one answer to the pods, ConfigMaps and Secrets in it, or to everything that is wrong
 * with it: one bad document refuses the whole (kubelet behaviour rows 11 to 15, 36, done strictly).
 *
 * A message never holds a value of a Secret, nor a piece of a text that speaks of one. Pure.
 */
import type { RefusedPod, SourcePod } from '../pods/desired.js';
import type { ConfigObject } from '../pods/config-objects.js';
import {
  isConfigObject,
  validateConfigObject,
  type ValidConfigObject,
} from '../../protocol/config-object.js';
import {
  listItems,
  readManifests,
  type ManifestDocument,
  type ManifestProblem,
} from '../../protocol/manifest.js';
import { bindingsFrom, IMAGE_DIGESTS_ANNOTATION } from '../../protocol/image-binding.js';
import { validatePodManifest } from '../../protocol/pod-validation.js';
import { podKey, type ValidPod } from '../../protocol/pod.js';
import { bundleOf, MANIFEST_ANNOTATION } from './owned-file.js';

export type Parsed =
  | {
      readonly ok: true;
      readonly pods: readonly SourcePod[];
      readonly objects: readonly ConfigObject[];
      /** Of documents that were left out because an earlier one has their name. */
      readonly dropped: readonly string[];
      /** True when the text holds a list and nothing in it. */
      readonly isEmptyList: boolean;
    }
  | {
      readonly ok: false;
      readonly reason: string;
      readonly message: string;
      readonly refused: readonly RefusedPod[];
    };

export interface ParseOptions {
  /** The file's name or the URL, as messages show it. */
  readonly origin: string;
  /** True for a file of the agent's own, whose annotations say which bundle it is of. */
  readonly isOwned: boolean;
  /** Why a Secret may not come this way, as far as it is to be said after its place; null when it may. */
  readonly secretFault: string | null;
  /** What two documents of one name are: an error, or the first of them (row 42). */
  readonly duplicates: 'refused' | 'first wins';
}

/** Errors beyond these say nothing new to a person. */
const ERRORS_SHOWN = 3;
const ERROR_CHARACTERS = 600;

function joined(errors: readonly string[]): string {
  const more = errors.length - ERRORS_SHOWN;
  const shown = errors.slice(0, ERRORS_SHOWN).map(error => error.slice(0, ERROR_CHARACTERS));
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' && value !== '' && value.length <= 253 ? value : fallback;
}

/** The names that a refused document gives itself, as far as they are texts. */
function refusedPod(
  document: ManifestDocument,
  origin: string,
  why: { reason: string; message: string },
): RefusedPod[] {
  const { kind, metadata } = document.value;
  if (kind !== 'Pod' || typeof metadata !== 'object' || metadata === null) return [];
  const given = metadata as { name?: unknown; namespace?: unknown };
  const podName = textOf(given.name, '');
  if (podName === '') return [];
  const namespace = textOf(given.namespace, 'default');
  return [{ namespace, name: podName, origin, bundle: null, ...why }];
}

/** What a reader's messages may quote of a text that holds a Secret, or of a broken one that seems to. */
const SPEAKS_OF_SECRET = /\bkind["']?\s*:\s*["']?Secret|\bstringData\b/;
const QUOTING: ReadonlySet<string> = new Set(['Syntax', 'NumberOutOfRange', 'UnsupportedTag']);

function unread(bytes: Uint8Array, errors: readonly ManifestProblem[]): Parsed {
  const isSecret = SPEAKS_OF_SECRET.test(new TextDecoder('latin1').decode(bytes));
  const messages = errors.map(({ where, code, message }) => {
    const isHidden = isSecret && QUOTING.has(code);
    const said = isHidden ? `${code} (the text speaks of a Secret and is not quoted)` : message;
    return `${where}: ${said}`;
  });
  return {
    ok: false,
    reason: errors[0]?.code ?? 'Syntax',
    message: joined(messages),
    refused: [],
  };
}

function sourcePod(manifest: ValidPod, { origin, isOwned }: ParseOptions): SourcePod {
  const { annotations = {} } = manifest.metadata;
  return {
    manifest,
    origin,
    ...(isOwned ? { bindings: bindingsFrom(annotations[IMAGE_DIGESTS_ANNOTATION]) } : {}),
    bundle: isOwned ? bundleOf(manifest) : null,
    manifestDigest: isOwned ? (annotations[MANIFEST_ANNOTATION] ?? null) : null,
  };
}

function configObject(object: ValidConfigObject, { origin, isOwned }: ParseOptions): ConfigObject {
  const { kind, namespace, name, type, data, manifest } = object;
  const bundle = isOwned ? bundleOf(manifest) : null;
  const isImmutable = manifest.immutable === true;
  return { kind, namespace, name, type, data, isImmutable, origin, bundle };
}

interface Found {
  readonly pods: SourcePod[];
  readonly objects: ConfigObject[];
  readonly dropped: string[];
  readonly errors: string[];
  readonly refused: RefusedPod[];
  reason: string;
}

/** `<namespace>/<name>` of what the document describes, with its kind where it is no Pod; null when it is refused. */
function takeDocument(
  document: ManifestDocument,
  options: ParseOptions,
  found: Found,
): { readonly key: string; readonly take: () => void } | null {
  const context = { context: 'file' } as const;
  const refuse = (errors: readonly { path: string; code: string; message: string }[]) => {
    const messages = errors.map(error => `${document.where(error.path)}: ${error.message}`);
    const code = errors[0]?.code ?? 'Invalid';
    if (found.errors.length === 0) found.reason = code;
    found.errors.push(...messages);
    const why = { reason: code, message: joined(messages) };
    found.refused.push(...refusedPod(document, options.origin, why));
    return null;
  };
  if (isConfigObject(document.value)) {
    const result = validateConfigObject(document.value, context);
    if (!result.ok) return refuse(result.errors);
    const { kind, namespace, name } = result.object;
    const take = () => found.objects.push(configObject(result.object, options));
    return { key: `${kind} ${namespace}/${name}`, take };
  }
  const result = validatePodManifest(document.value, context);
  if (!result.ok) return refuse(result.errors);
  return {
    key: podKey(result.pod),
    take: () => found.pods.push(sourcePod(result.pod, options)),
  };
}

function readableSecret(
  documents: readonly ManifestDocument[],
  { secretFault }: ParseOptions,
): Parsed | null {
  const secret = documents.find(document => document.value['kind'] === 'Secret');
  if (secretFault === null || secret === undefined) return null;
  const message = `${secret.where('kind')}: ${secretFault}`;
  return { ok: false, reason: 'SecretReadable', message, refused: [] };
}

const EMPTYING_KINDS: ReadonlySet<unknown> = new Set([
  'List',
  'PodList',
  'ConfigMapList',
  'SecretList',
]);

/** A list that says in so many words that there is nothing: what is cut off does not say it. */
function isEmptyList({ value }: ManifestDocument): boolean {
  return value['apiVersion'] === 'v1' && EMPTYING_KINDS.has(value['kind']);
}

/** All that the text describes, in its order. Never throws on bad input. */
export function parseManifests(bytes: Uint8Array, options: ParseOptions): Parsed {
  const reading = readManifests(bytes, { source: options.origin });
  if (!reading.ok) return unread(bytes, reading.errors);
  const lists = reading.documents.map(document => listItems(document));
  const documents = reading.documents.flatMap((document, at) => lists[at] ?? [document]);
  const shared = readableSecret(documents, options);
  if (shared !== null) return shared;
  const found: Found = {
    pods: [],
    objects: [],
    dropped: [],
    errors: [],
    refused: [],
    reason: 'Invalid',
  };
  const seen = new Set<string>();
  for (const document of documents) {
    const one = takeDocument(document, options, found);
    if (one === null) continue;
    if (!seen.has(one.key)) {
      seen.add(one.key);
      one.take();
      continue;
    }
    const twice = `${document.where('metadata.name')}: ${one.key} is in the `;
    if (options.duplicates === 'first wins') {
      found.dropped.push(`${twice}answer twice; the first one counts`);
      continue;
    }
    if (found.errors.length === 0) found.reason = 'Duplicate';
    found.errors.push(`${twice}file twice`);
  }
  const { pods, objects, dropped, errors, refused, reason } = found;
  if (errors.length > 0) return { ok: false, reason, message: joined(errors), refused };
  const isEmpty = documents.length === 0 && reading.documents.length > 0;
  return {
    ok: true,
    pods,
    objects,
    dropped,
    isEmptyList: isEmpty && reading.documents.every(isEmptyList),
  };
}
