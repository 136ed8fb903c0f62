/**
 * What the static pod directory says, from what was read of it: pure, so that every misfortune is a table row.
 *
 * A file that turns bad, unreadable or unexplained keeps its last good pods; a directory that cannot be listed
 * keeps everything; only a file that is surely gone ends its pods. Kubelet behaviour rows 4 to 7, 9 to 13,
 * 16 to 24, done better where the catalogue says B. Pure.
 */
import type { RefusedPod, SourcePod, SourceSnapshot } from '../pods/desired.js';
import type { SourceCondition } from '../ports.js';
import { sha256Hex } from '../../protocol/canonical.js';
import { OWNED_FILE_PREFIX } from '../../protocol/names.js';
import { listItems, readManifests, type ManifestDocument } from '../../protocol/manifest.js';
import { validatePodManifest } from '../../protocol/pod-validation.js';
import { podKey, type ValidPod } from '../../protocol/pod.js';
import { bundleOf, MANIFEST_ANNOTATION } from './owned-file.js';

/** True when an accepted bundle of the journal explains these bytes under this name. */
export type Explains = (fileName: string, bytes: Uint8Array) => boolean;

/** What came of looking at one name of the directory. */
export type Reading =
  | { readonly name: string; readonly is: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly name: string;
      readonly is: 'unreadable';
      readonly reason: 'Unreadable' | 'TooLarge';
      readonly message: string;
    }
  /** As it was at the last look, or still being written. */
  | { readonly name: string; readonly is: 'unchanged' }
  | { readonly name: string; readonly is: 'skipped'; readonly message: string };

export type Listing =
  | {
      readonly ok: true;
      readonly readings: readonly Reading[];
      /** A file is still being written: what it wants is not known yet. */
      readonly isWriting: boolean;
    }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** One manifest file: its last good pods, and what is wrong with it now. */
export interface FileState {
  readonly name: string;
  /** Of the bytes that were judged last; null when there were none. */
  readonly digest: string | null;
  readonly pods: readonly SourcePod[];
  readonly problem: { readonly reason: string; readonly message: string } | null;
  /** Pods of the bad content that can be named. */
  readonly refused: readonly RefusedPod[];
}

export interface DirectoryState {
  readonly path: string;
  /** True after the first listing that succeeded and found no file half-written. */
  readonly complete: boolean;
  readonly problem: { readonly reason: string; readonly message: string } | null;
  readonly files: ReadonlyMap<string, FileState>;
  readonly skipped: ReadonlyMap<string, string>;
}

/** What the adapter has to do about a file's last good bytes, and what people have to hear. */
export interface FileChange {
  readonly name: string;
  readonly keep: Uint8Array | 'drop' | null;
  readonly warning: { readonly reason: string; readonly message: string } | null;
}

export function emptyDirectory(path: string): DirectoryState {
  return { path, complete: false, problem: null, files: new Map(), skipped: new Map() };
}

const SKIPPED_ENDINGS =
  /(~|\.(bak|orig|old|save|swp|swo|swx|tmp|rej|part|rpmsave|rpmnew|rpmorig|dpkg-[a-z]+|ucf-[a-z]+))$/i;

/** Why a name in a directory is not a manifest; null when it is one (rows 4, 5). */
export function skipReason(name: string): string | null {
  if (name.startsWith('.')) return 'its name begins with a dot';
  if (SKIPPED_ENDINGS.test(name)) return 'its name is that of a backup or a temporary file';
  if (/^#.*#$/.test(name)) return 'its name is that of an editor’s backup';
  return null;
}

type Parsed =
  | { readonly ok: true; readonly pods: readonly SourcePod[] }
  | {
      readonly ok: false;
      readonly reason: string;
      readonly message: string;
      readonly refused: readonly RefusedPod[];
    };

/** Errors beyond these say nothing new to a person. */
const ERRORS_SHOWN = 3;

function joined(errors: readonly string[]): string {
  const more = errors.length - ERRORS_SHOWN;
  return errors.slice(0, ERRORS_SHOWN).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' && value !== '' && value.length <= 253 ? value : fallback;
}

/** The names that a refused document gives itself, as far as they are texts. */
function refusedPod(
  document: ManifestDocument,
  name: string,
  why: { reason: string; message: string },
): RefusedPod[] {
  const { kind, metadata } = document.value;
  if (kind !== 'Pod' || typeof metadata !== 'object' || metadata === null) return [];
  const given = metadata as { name?: unknown; namespace?: unknown };
  const podName = textOf(given.name, '');
  if (podName === '') return [];
  const namespace = textOf(given.namespace, 'default');
  return [{ namespace, name: podName, origin: name, bundle: null, ...why }];
}

/** All pods of a file, or everything that is wrong with it: one bad document refuses the whole (row 12). */
export function parseFile(name: string, bytes: Uint8Array): Parsed {
  const reading = readManifests(bytes, { source: name });
  if (!reading.ok) {
    const message = joined(reading.errors.map(error => `${error.where}: ${error.message}`));
    return { ok: false, reason: reading.errors[0]?.code ?? 'Syntax', message, refused: [] };
  }
  const documents = reading.documents.flatMap(document => listItems(document) ?? [document]);
  if (documents.length === 0) {
    const message = `${name}: there is no manifest in it; delete the file to end its pods`;
    return { ok: false, reason: 'Empty', message, refused: [] };
  }
  const isOwned = name.startsWith(OWNED_FILE_PREFIX);
  const errors: string[] = [];
  const refused: RefusedPod[] = [];
  const pods: SourcePod[] = [];
  const seen = new Set<string>();
  let reason = 'Invalid';
  for (const document of documents) {
    const result = validatePodManifest(document.value, { context: 'file' });
    const own = result.ok ? [] : result.errors;
    if (own.length > 0) {
      const messages = own.map(error => `${document.where(error.path)}: ${error.message}`);
      if (errors.length === 0) reason = own[0]?.code ?? reason;
      errors.push(...messages);
      refused.push(...refusedPod(document, name, { reason, message: joined(messages) }));
    } else if (result.ok) {
      if (seen.has(podKey(result.pod))) {
        errors.push(
          `${document.where('metadata.name')}: ${podKey(result.pod)} is in the file twice`,
        );
        reason = 'Duplicate';
      }
      seen.add(podKey(result.pod));
      pods.push(sourcePod(name, result.pod, isOwned));
    }
  }
  if (errors.length > 0) return { ok: false, reason, message: joined(errors), refused };
  return { ok: true, pods };
}

function sourcePod(origin: string, manifest: ValidPod, isOwned: boolean): SourcePod {
  return {
    manifest,
    origin,
    bundle: isOwned ? bundleOf(manifest) : null,
    manifestDigest: isOwned ? (manifest.metadata.annotations?.[MANIFEST_ANNOTATION] ?? null) : null,
  };
}

const LAST_GOOD_STAYS = '; the last good pods of this file stay';

const NOT_EXPLAINED =
  'no accepted bundle explains this file, whose name is reserved for the agent; ' +
  'give a manifest of your own another name';

/**
 * The state that an agent starts with: the last good content of each file, so that one that is bad now keeps its
 * pods over a restart. What no longer parses or is no longer explained is left out.
 */
export function withLastGood(
  state: DirectoryState,
  lastGood: ReadonlyMap<string, Uint8Array>,
  explains: Explains,
): DirectoryState {
  const files = new Map<string, FileState>();
  for (const [name, bytes] of lastGood) {
    const { state: file } = judgeBytes(undefined, { name, is: 'bytes', bytes }, explains);
    if (file.problem === null) files.set(name, file);
  }
  return { ...state, files };
}

function judgeBytes(
  before: FileState | undefined,
  reading: Reading & { is: 'bytes' },
  explains: Explains,
): { state: FileState; change: FileChange } {
  const { name, bytes } = reading;
  const digest = sha256Hex(bytes);
  const isForeign = name.startsWith(OWNED_FILE_PREFIX) && !explains(name, bytes);
  const parsed: Parsed = isForeign
    ? { ok: false, reason: 'NotExplained', message: `${name}: ${NOT_EXPLAINED}`, refused: [] }
    : parseFile(name, bytes);
  if (parsed.ok) {
    const state = { name, digest, pods: parsed.pods, problem: null, refused: [] };
    const isNews = before?.digest !== digest || before.problem !== null;
    return { state, change: { name, keep: isNews ? bytes : null, warning: null } };
  }
  const { reason, refused } = parsed;
  const pods = before?.pods ?? [];
  const rest = pods.length > 0 ? LAST_GOOD_STAYS : '';
  const problem = { reason, message: `${parsed.message}${rest}` };
  const isNews = before?.digest !== digest || before.problem?.reason !== reason;
  return {
    state: { name, digest, pods, problem, refused },
    change: { name, keep: null, warning: isNews ? problem : null },
  };
}

function judgeUnreadable(
  before: FileState | undefined,
  reading: Reading & { is: 'unreadable' },
): { state: FileState; change: FileChange } {
  const { name } = reading;
  const rest = (before?.pods.length ?? 0) > 0 ? LAST_GOOD_STAYS : '';
  const problem = { reason: reading.reason, message: `${name}: ${reading.message}${rest}` };
  const isNews = before?.problem?.message !== problem.message;
  return {
    state: {
      name,
      digest: before?.digest ?? null,
      pods: before?.pods ?? [],
      problem,
      refused: [],
    },
    change: { name, keep: null, warning: isNews ? problem : null },
  };
}

/**
 * The next state. `listing.readings` names everything that the directory has: a file that is not among them is
 * gone. Twice with the same listing is the same as once, without changes.
 */
export function applyListing(
  state: DirectoryState,
  listing: Listing,
  explains: Explains,
): { readonly state: DirectoryState; readonly changes: readonly FileChange[] } {
  if (!listing.ok) {
    const { reason, message } = listing;
    return { state: { ...state, problem: { reason, message } }, changes: [] };
  }
  const files = new Map<string, FileState>();
  const skipped = new Map<string, string>();
  const changes: FileChange[] = [];
  for (const reading of listing.readings) {
    const before = state.files.get(reading.name);
    if (reading.is === 'skipped') skipped.set(reading.name, reading.message);
    else if (reading.is === 'unchanged') {
      if (before !== undefined) files.set(reading.name, before);
    } else {
      const next =
        reading.is === 'bytes'
          ? judgeBytes(before, reading, explains)
          : judgeUnreadable(before, reading);
      files.set(reading.name, next.state);
      changes.push(next.change);
    }
  }
  for (const name of state.files.keys()) {
    if (!files.has(name)) changes.push({ name, keep: 'drop', warning: null });
  }
  const complete = state.complete || !listing.isWriting;
  const next = { path: state.path, complete, problem: null, files, skipped };
  return { state: next, changes };
}

/** State as the merge takes it: byte order of names, one condition per thing that is wrong. */
export function snapshotOf(state: DirectoryState): SourceSnapshot {
  const files = [...state.files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const conditions: SourceCondition[] = [
    state.problem === null
      ? {
          type: 'StaticPodPath',
          status: state.complete ? 'True' : 'False',
          reason: state.complete ? 'Listed' : 'NotRead',
          message: state.path,
        }
      : {
          type: 'StaticPodPath',
          status: 'False',
          reason: state.problem.reason,
          message: `${state.problem.message}; nothing is stopped because of it`,
        },
  ];
  for (const { problem } of files) {
    if (problem !== null) conditions.push({ type: 'ManifestRefused', status: 'True', ...problem });
  }
  for (const [name, message] of [...state.skipped].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const condition = { type: 'FileSkipped', status: 'True', reason: 'NotAManifest' } as const;
    conditions.push({ ...condition, message: `${name}: ${message}` });
  }
  return {
    kind: 'file',
    complete: state.complete,
    pods: files.flatMap(file => file.pods),
    refused: files.flatMap(file => file.refused),
    conditions,
    objects: [],
  };
}
