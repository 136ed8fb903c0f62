/**
 * What the static pod directory says, from what was read of it: pure, so that every misfortune is a table row.
 *
 * A file that turns bad, unreadable or unexplained keeps its last good pods; a directory that cannot be listed
 * keeps everything; only a file that is surely gone ends its pods. Kubelet behaviour rows 4 to 7, 9 to 13,
 * 16 to 24, done better where the catalogue says B. Pure.
 */
import type { RefusedEdit, RefusedPod, SourcePod, SourceSnapshot } from '../pods/desired.js';
import type { BundleName, SourceCondition } from '../ports.js';
import type { ConfigObject } from '../pods/config-objects.js';
import { sha256Hex } from '../../protocol/canonical.js';
import { podNamespace } from '../../protocol/pod.js';
import { OWNED_FILE_PREFIX } from '../../protocol/names.js';
import { FORGOTTEN, unexplained, type Explains } from './explained.js';
import { immutableFault } from './immutable-objects.js';
import { parseManifests, type Parsed } from './parse-manifests.js';

/** What came of looking at one name of the directory. */
export type Reading =
  | {
      readonly name: string;
      readonly is: 'bytes';
      readonly bytes: Uint8Array;
      /** Permission bits. */
      readonly mode: number;
    }
  | {
      readonly name: string;
      readonly is: 'unreadable';
      readonly reason: 'Unreadable' | 'TooLarge' | 'UnsafeFile';
      readonly message: string;
    }
  /** As it was at the last look, or still being written. */
  | { readonly name: string; readonly is: 'unchanged' }
  /** Not there, but not for long enough to be surely gone: somebody may be about to put it back. */
  | { readonly name: string; readonly is: 'leaving' }
  | { readonly name: string; readonly is: 'skipped'; readonly message: string };

export type Listing =
  | {
      readonly ok: true;
      readonly readings: readonly Reading[];
      /** A file is still being written: what it wants is not known yet. */
      readonly isWriting: boolean;
      /** What is wrong with the directory as a whole, although its names could be read. */
      readonly problem: { readonly reason: string; readonly message: string } | null;
    }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** One manifest file: its last good content, and what is wrong with it now. */
export interface FileState {
  readonly name: string;
  /** Of the bytes that were judged last; null when there were none. */
  readonly digest: string | null;
  readonly pods: readonly SourcePod[];
  readonly objects: readonly ConfigObject[];
  readonly problem: RefusedEdit | null;
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

/** Group or others may read or write. */
const SHARED_MODE = 0o066;

/** All that a file describes, or everything that is wrong with it. */
export function parseFile(name: string, bytes: Uint8Array, mode = 0o600): Parsed {
  const isOwned = name.startsWith(OWNED_FILE_PREFIX);
  const isShared = (mode & SHARED_MODE) !== 0;
  const secretFault =
    'a Secret in a file that group or others may read or write ' +
    `(mode ${(mode & 0o777).toString(8)}); chmod 600 ${name}`;
  const parsed = parseManifests(bytes, {
    origin: name,
    isOwned,
    secretFault: isShared ? secretFault : null,
    duplicates: 'refused',
  });
  if (!parsed.ok || parsed.pods.length + parsed.objects.length > 0) return parsed;
  const message = `${name}: there is no manifest in it; delete the file to end its pods`;
  return { ok: false, reason: 'Empty', message, refused: [] };
}

function lastGoodStays(before: FileState | undefined): string {
  if ((before?.pods.length ?? 0) > 0) return '; the last good pods of this file stay';
  return (before?.objects.length ?? 0) > 0 ? '; the last good content of this file stays' : '';
}

/** The copies are the agent's own, readable by nobody else. */
const LAST_GOOD_MODE = 0o600;

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
    const { state: file } = judgeBytes(
      undefined,
      { name, is: 'bytes', bytes, mode: LAST_GOOD_MODE },
      explains,
    );
    if (file.problem === null) files.set(name, file);
  }
  return { ...state, files };
}

/** A bundle's revision brings objects of its own, whatever those before were. */
function withoutImmutableEdits(
  name: string,
  parsed: Parsed,
  before: FileState | undefined,
): Parsed {
  if (!parsed.ok || before === undefined || name.startsWith(OWNED_FILE_PREFIX)) return parsed;
  const fault = immutableFault(before.objects, parsed.objects);
  if (fault === null) return parsed;
  return { ok: false, reason: 'Immutable', message: `${name}: ${fault}`, refused: [] };
}

function judgeBytes(
  before: FileState | undefined,
  reading: Reading & { is: 'bytes' },
  explains: Explains,
): { state: FileState; change: FileChange } {
  const { name, bytes } = reading;
  const digest = sha256Hex(bytes);
  const fault = unexplained(name, explains(name, bytes));
  const parsed: Parsed =
    (fault && { ok: false, ...fault, refused: [] }) ??
    withoutImmutableEdits(name, parseFile(name, bytes, reading.mode), before);
  if (parsed.ok) {
    const { pods, objects } = parsed;
    const state = { name, digest, pods, objects, problem: null, refused: [] };
    const isNews = before?.digest !== digest || before.problem !== null;
    return { state, change: { name, keep: isNews ? bytes : null, warning: null } };
  }
  const { reason, refused } = parsed;
  const { pods = [], objects = [] } = before ?? {};
  const problem = { reason, message: `${parsed.message}${lastGoodStays(before)}`, content: digest };
  const isNews = before?.digest !== digest || before.problem?.reason !== reason;
  const warning = isNews && reason !== 'Altered' ? problem : null;
  return {
    state: { name, digest, pods, objects, problem, refused },
    change: { name, keep: null, warning },
  };
}

function judgeUnreadable(
  before: FileState | undefined,
  reading: Reading & { is: 'unreadable' },
): { state: FileState; change: FileChange } {
  const { name } = reading;
  const message = `${name}: ${reading.message}${lastGoodStays(before)}`;
  const problem = { reason: reading.reason, message, content: null };
  const isNews = before?.problem?.message !== problem.message;
  return {
    state: {
      name,
      digest: before?.digest ?? null,
      pods: before?.pods ?? [],
      objects: before?.objects ?? [],
      problem,
      refused: [],
    },
    change: { name, keep: null, warning: isNews ? problem : null },
  };
}

function shownOwner(bundle: BundleName | null): string {
  return bundle === null ? 'file' : `bundle ${bundle.namespace}/${bundle.name}`;
}

/** What only one file can give. A bundle's and a person's never take each other's place by a file's name. */
function podKeys({ manifest, bundle }: SourcePod): readonly string[] {
  const { name, uid } = manifest.metadata;
  const owner = shownOwner(bundle);
  const key = `${owner} Pod ${podNamespace(manifest)}/${name}`;
  return uid === undefined ? [key] : [key, `${owner} uid ${uid}`];
}

function objectKey({ kind, namespace, name, bundle }: ConfigObject): string {
  return `${shownOwner(bundle)} ${kind} ${namespace}/${name}`;
}

function keysOf(file: FileState | undefined): readonly string[] {
  if (file === undefined) return [];
  return [...file.pods.flatMap(podKeys), ...file.objects.map(objectKey)];
}

/**
 * A file that is renamed leaves with one name and is there with another, and was never a second one: what another file gives now and
 * did not give before is taken from the one that leaves. What both gave before is not: the first may come back.
 */
function judgeLeaving(
  before: FileState,
  taken: ReadonlySet<string>,
): { state: FileState; change: FileChange | null } {
  const pods = before.pods.filter(pod => !podKeys(pod).some(key => taken.has(key)));
  const objects = before.objects.filter(object => !taken.has(objectKey(object)));
  const left = pods.length + objects.length;
  if (left === before.pods.length + before.objects.length) return { state: before, change: null };
  const keep = left === 0 ? ('drop' as const) : null;
  const { name } = before;
  const problem = left === 0 ? null : before.problem;
  // Should it come back, it is read as a new one.
  return {
    state: { ...before, digest: null, pods, objects, problem },
    change: { name, keep, warning: null },
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
  const taken = new Set<string>();
  for (const reading of listing.readings) {
    const before = state.files.get(reading.name);
    if (reading.is === 'leaving') continue;
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
      const had = new Set(keysOf(before));
      for (const key of keysOf(next.state)) if (!had.has(key)) taken.add(key);
    }
  }
  for (const { name, is } of listing.readings) {
    const before = state.files.get(name);
    if (is !== 'leaving' || before === undefined) continue;
    const next = judgeLeaving(before, taken);
    files.set(name, next.state);
    if (next.change !== null) changes.push(next.change);
  }
  for (const name of state.files.keys()) {
    if (!files.has(name)) changes.push({ name, keep: 'drop', warning: null });
  }
  const complete = state.complete || (!listing.isWriting && listing.problem === null);
  const { problem } = listing;
  const next = { path: state.path, complete, problem, files, skipped };
  return { state: next, changes };
}

/** A name must not write what it likes to somebody's terminal. */
function shownName(name: string): string {
  return name.replace(/\p{Cc}/gu, '?');
}

/** A bundle's pods follow their revision, unless a hand may stay in the file (`drift: report`). */
function shownPods({ pods, problem }: FileState): readonly SourcePod[] {
  if (problem === null) return pods;
  const isPutBack = problem.reason === 'Altered' || problem.reason === 'NotExplained';
  return pods.map(pod =>
    pod.bundle !== null && isPutBack ? pod : { ...pod, refusedEdit: problem },
  );
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
    if (problem === null) continue;
    const { reason, message } = problem;
    conditions.push({ type: 'ManifestRefused', status: 'True', reason, message });
  }
  for (const [name, message] of [...state.skipped].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const condition = { type: 'FileSkipped', status: 'True', reason: 'NotAManifest' } as const;
    conditions.push({ ...condition, message: `${shownName(name)}: ${message}` });
  }
  return {
    kind: 'file',
    complete: state.complete && !files.some(({ problem }) => problem?.reason === FORGOTTEN),
    pods: files.flatMap(shownPods),
    refused: files.flatMap(file => file.refused),
    conditions,
    objects: files.flatMap(file => file.objects),
  };
}
