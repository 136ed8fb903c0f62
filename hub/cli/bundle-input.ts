/**
 * From what `-f` names to the Pods and ConfigMaps of a bundle. Every mistake is reported with file, line and field, all at once.
 * `readSources` touches the disk; the rest is pure.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  manifestKey,
  validateBundleManifest,
  type BundleManifest,
} from '../../protocol/bundle-manifest.js';
import { validateConfigObject, type ValidConfigObject } from '../../protocol/config-object.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import { listItems, readManifests, type ManifestDocument } from '../../protocol/manifest.js';
import type { ValidPod } from '../../protocol/pod.js';
import { CliError } from '../../protocol/cli-error.js';
import { bundleOfDaemonSet, type DaemonSetBundle } from '../daemonset/daemonset.js';
import { namedUpTo } from './counted-names.js';

export interface Source {
  readonly name: string;
  readonly text: string;
}

const MANIFEST_ENDINGS = new Set(['.yaml', '.yml', '.json']);

function filesIn(path: string, recursive: boolean): string[] {
  const files: string[] = [];
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const full = join(path, entry.name);
    const stats = statSync(full);
    if (stats.isDirectory() && recursive) files.push(...filesIn(full, recursive));
    else if (stats.isFile() && MANIFEST_ENDINGS.has(extname(entry.name).toLowerCase()))
      files.push(full);
  }
  return files;
}

/** Reads files, folders (`.yaml`, `.yml`, `.json`, as kubectl) and `-` for stdin. Throws `CliError`. */
export async function readSources(
  paths: readonly string[],
  options: { stdin: Readable; recursive: boolean },
): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === '-') {
      sources.push({ name: '<stdin>', text: await text(options.stdin) });
      continue;
    }
    try {
      const found = statSync(path).isDirectory() ? filesIn(path, options.recursive) : [path];
      if (found.length === 0) {
        throw new CliError('refused', `${path}: no .yaml, .yml or .json file in this folder`);
      }
      for (const file of found) sources.push({ name: file, text: readFileSync(file, 'utf8') });
    } catch (error) {
      if (error instanceof CliError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new CliError(
        'refused',
        `cannot read ${path}: ${code === 'ENOENT' ? 'no such file or folder' : code}`,
      );
    }
  }
  return sources;
}

/** The bundle's name after the folder or file that it is read from; null when there is no such name. */
export function defaultBundleName(paths: readonly string[]): string | null {
  const [path] = paths;
  if (paths.length !== 1 || path === undefined || path === '-') return null;
  const base = basename(resolve(path));
  const ending = extname(base);
  const stem = MANIFEST_ENDINGS.has(ending.toLowerCase()) ? base.slice(0, -ending.length) : base;
  const name = stem
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  return LABEL_PATTERN.test(name) ? name : null;
}

const INSTEAD: Readonly<Record<string, string>> = {
  Deployment:
    'write it as a DaemonSet, without replicas: the hub runs one pod on each selected node',
  ReplicaSet:
    'write it as a DaemonSet, without replicas: the hub runs one pod on each selected node',
  StatefulSet: 'put its pod template into a Pod with a hostPath volume',
  Job: 'put its pod template into a Pod with restartPolicy: OnFailure',
  CronJob: 'schedules are not supported',
  Service: 'publish a hostPort on the Pod',
  Ingress: 'publish a hostPort on the Pod',
  Namespace: 'namespaces need not be made; use -n',
};

/** Documents with lists taken apart. Throws `CliError` naming each unreadable place. */
export function documentsOf(sources: readonly Source[]): ManifestDocument[] {
  const documents: ManifestDocument[] = [];
  const problems: string[] = [];
  for (const source of sources) {
    const reading = readManifests(source.text, { source: source.name });
    if (!reading.ok) problems.push(...reading.errors.map(e => `${e.where}: ${e.message}`));
    else
      for (const document of reading.documents)
        documents.push(...(listItems(document) ?? [document]));
  }
  if (problems.length > 0) throw new CliError('refused', problems.join('\n'));
  return documents;
}

/** `ConfigMap "conf"`, `pod "web"`. */
function titled(kind: string, name: string): string {
  return `${kind === 'Pod' ? 'pod' : kind} "${name}"`;
}

export interface BundleInput {
  readonly manifests: readonly BundleManifest[];
  /** Those of the manifests that are Pods. */
  readonly pods: readonly ValidPod[];
  /** No part of the bundle: each is sealed for the nodes. */
  readonly secrets: readonly ValidConfigObject[];
  /** Whose pod it is, and what it says of the bundle; null: the input has Pods. */
  readonly daemonSet: DaemonSetBundle | null;
}

/** What the DaemonSets among the documents are called, as far as they say; nothing of them is judged yet. Pure. */
export function daemonSetsIn(
  documents: readonly ManifestDocument[],
): { readonly name: string | null; readonly namespace: string | null }[] {
  const word = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
  return documents.filter(isDaemonSet).map(({ value: { metadata } }) => {
    const { name, namespace } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
    return { name: word(name), namespace: word(namespace) };
  });
}

const isDaemonSet = ({ value }: ManifestDocument) => value['kind'] === 'DaemonSet';

const isSecret = ({ value }: ManifestDocument) =>
  value['kind'] === 'Secret' && value['apiVersion'] === 'v1';

/** Secrets alone; `others` counts what is something else. Throws `CliError` as `manifestsOf`; no value is in it. */
export function secretsOf(
  documents: readonly ManifestDocument[],
  namespace: string,
): { secrets: ValidConfigObject[]; others: number } {
  const secrets: ValidConfigObject[] = [];
  const problems: string[] = [];
  const seen = new Map<string, string>();
  const given = documents.filter(isSecret);
  for (const document of given) {
    const result = validateConfigObject(document.value, { context: 'file' });
    if (!result.ok) {
      problems.push(...result.errors.map(e => `${document.where(e.path)}: ${e.message}`));
      continue;
    }
    const { object } = result;
    const metadata = object.manifest.metadata ?? {};
    const at = document.where('metadata.name');
    const own = metadata.namespace ?? '';
    if (own !== '' && own !== namespace) {
      problems.push(otherNamespace(document, `Secret "${object.name}"`, { own, namespace }));
    }
    const first = seen.get(object.name);
    if (first !== undefined) problems.push(`${at}: Secret "${object.name}" stands at ${first} too`);
    seen.set(object.name, at);
    secrets.push(object);
  }
  if (problems.length > 0) throw new CliError('refused', problems.join('\n'));
  return { secrets, others: documents.length - given.length };
}

function otherNamespace(
  document: ManifestDocument,
  what: string,
  { own, namespace }: { own: string; namespace: string },
): string {
  return (
    `${document.where('metadata.namespace')}: ${what} says namespace "${own}", ` +
    `but the bundle is in "${namespace}"; pass -n ${own} or take the line out`
  );
}

const NAMES_SHOWN = 3;

function namesOf(sources: readonly Pick<Source, 'name'>[]): string {
  if (sources.length === 0) return '';
  const names = sources.map(({ name }) => name);
  return `${namedUpTo(names, NAMES_SHOWN)}: `;
}

/** A bundle of a DaemonSet is that of one, and of no other pods. */
function besideDaemonSet(documents: readonly ManifestDocument[]): string[] {
  const [first, ...others] = documents.filter(isDaemonSet);
  if (first === undefined) return [];
  const at = first.where('kind');
  const pods = documents.filter(({ value }) => value['kind'] === 'Pod');
  return [
    ...others.map(
      one =>
        `${one.where('kind')}: a DaemonSet is a bundle of its own, and one stands at ${at}: apply them one after the other`,
    ),
    ...pods.map(
      one =>
        `${one.where('kind')}: a Pod is no part of the DaemonSet at ${at}: apply it as another bundle, or as a container of the template`,
    ),
  ];
}

/** The Pods and ConfigMaps of the documents; `sources` name them where they hold none. Throws `CliError` with all that is wrong, place by place. */
export function manifestsOf(
  documents: readonly ManifestDocument[],
  namespace: string,
  sources: readonly Pick<Source, 'name'>[] = [],
): BundleInput {
  const manifests: BundleManifest[] = [];
  const pods: ValidPod[] = [];
  const problems = besideDaemonSet(documents);
  const seen = new Map<string, string>();
  const { secrets } = secretsOf(documents, namespace);
  let daemonSet: DaemonSetBundle | null = null;
  for (const document of documents.filter(one => !isSecret(one))) {
    const kind = document.value['kind'];
    if (isDaemonSet(document)) {
      const result = bundleOfDaemonSet(document.value);
      if (!result.ok) {
        problems.push(...result.errors.map(e => `${document.where(e.path)}: ${e.message}`));
        continue;
      }
      daemonSet = result.bundle;
      const { pod, name, namespace: own } = daemonSet;
      if (own !== null && own !== namespace) {
        problems.push(otherNamespace(document, `DaemonSet "${name}"`, { own, namespace }));
      }
      manifests.push(pod);
      pods.push(pod);
      continue;
    }
    if (kind !== 'Pod' && kind !== 'ConfigMap') {
      const name = typeof kind === 'string' && kind !== '' ? kind : 'a document without a kind';
      const instead =
        (typeof kind === 'string' ? INSTEAD[kind] : undefined) ??
        'a bundle takes Pods or a DaemonSet, and the ConfigMaps and Secrets that they use';
      problems.push(`${document.where('kind')}: ${name} is refused: ${instead}`);
      continue;
    }
    const result = validateBundleManifest(document.value);
    if (!result.ok) {
      problems.push(...result.errors.map(e => `${document.where(e.path)}: ${e.message}`));
      continue;
    }
    const { name, manifest } = result;
    const own = manifest.metadata?.namespace;
    if (own !== undefined && own !== '' && own !== namespace) {
      problems.push(otherNamespace(document, titled(kind, name), { own, namespace }));
    }
    const first = seen.get(manifestKey(result));
    if (first !== undefined) {
      const what = `${titled(kind, name)} stands at ${first} too`;
      problems.push(`${document.where('metadata.name')}: ${what}`);
    }
    seen.set(manifestKey(result), document.where('metadata.name'));
    manifests.push(manifest);
    if (result.kind === 'Pod') pods.push(result.manifest);
  }
  if (problems.length > 0) throw new CliError('refused', problems.join('\n'));
  if (pods.length === 0) {
    const hint =
      secrets.length > 0 ? 'Secrets alone: flotilla secret seal -f FILE --bundle NAME' : null;
    const why = `${namesOf(sources)}no Pod in the input${documents.length === 0 ? ': it is empty' : ''}`;
    throw new CliError('refused', why, hint);
  }
  return { manifests, pods, secrets, daemonSet };
}
