/**
 * The static pod directory as a source of pods: looks at it at the start, when inotify tells of a change, and at
 * a fixed interval, and says what it wants.
 *
 * Each look is a whole one, so a lost event costs time and nothing else (kubelet behaviour rows 1 to 3, 23, 25).
 * What the files mean is decided in `files-decide.ts`.
 */
import { OWNED_FILE_PREFIX } from '../../protocol/names.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { EventSink } from '../ports.js';
import type { PodSource } from '../pods/desired.js';
import {
  applyListing,
  emptyDirectory,
  snapshotOf,
  withLastGood,
  type DirectoryState,
  type FileChange,
  type FileState,
} from './files-decide.js';
import { FORGOTTEN, type Explains } from './explained.js';
import { openLinkWatch } from './link-watch.js';
import { openLastGood } from './last-good.js';
import { openDirectoryReader } from './read-directory.js';
import { WATCH_RETRY_MS, watchPath, type OnEvent } from './watch-path.js';

export const FILE_CHECK_FREQUENCY_MS = 20_000;
/** How soon to look again for what came between a look and the watch that began after it. */
const UNSEEN_MS = 50;

export interface FileSourceOptions {
  /** A directory, or one file; a trailing slash is dropped. */
  readonly path: string;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  /** Whether the journal explains a file with the reserved prefix. */
  readonly explains: Explains;
  /** Whether the journal is sure that nothing is promised under this name with the reserved prefix; left out: it never is. */
  readonly isWithdrawn?: (fileName: string) => boolean;
  /** Of this process, where nothing may be taken that anybody else but root could have written; null: all is taken. */
  readonly trusted: number | null;
  /** The agent's own files run as a person leaves them (`drift: report`); absent: only as the journal says. */
  readonly ownMayDiffer?: boolean;
  readonly fileCheckFrequencyMs?: number;
  /** The agent's own files in the directory may be gone or changed: whoever owns them should look. */
  readonly onOwnedInDoubt?: () => void;
}

export interface FileSource extends PodSource {
  /** Ends the watch; what runs is not touched. */
  stop(): Promise<void>;
}

/** Problems that can go away without the file changing. */
const LOOK_AGAIN: ReadonlySet<string> = new Set([
  'NotExplained',
  FORGOTTEN,
  'Altered',
  'Unreadable',
]);

/** Said at each look, not once: who writes the same over a mended file again changes nothing that was known. */
function isUnexplained({ problem }: FileState): boolean {
  const { reason } = problem ?? {};
  return reason === 'NotExplained' || reason === FORGOTTEN || reason === 'Altered';
}

/**
 * Two renames in a row, of which the second is this name, are what inotify makes of a move into place; a write
 * to the name says otherwise. A hint only: a deletion followed by a creation looks the same.
 */
function moveHints(): { readonly note: OnEvent; readonly take: () => ReadonlySet<string> } {
  let moved = new Set<string>();
  let last: string | null = null;
  return {
    note(kind, name) {
      if (name === null) return;
      if (kind === 'change') moved.delete(name);
      else if (last !== null && last !== name) moved.add(name);
      last = kind === 'rename' ? name : null;
    },
    take() {
      const taken = moved;
      moved = new Set();
      return taken;
    },
  };
}

/** Starts at once; the first look is done when the returned promise resolves. */
export async function openFileSource(options: FileSourceOptions): Promise<FileSource> {
  const { clock, log, events, explains, dataDir } = options;
  const path = options.path.replace(/(?<=.)\/+$/, '');
  const everyMs = options.fileCheckFrequencyMs ?? FILE_CHECK_FREQUENCY_MS;
  const lastGood = openLastGood(dataDir, path);
  const remembered = await lastGood.load();
  let identity = remembered.identity;
  const { trusted, ownMayDiffer = false } = options;
  const reader = openDirectoryReader(path, { clock, identity, trusted, ownMayDiffer });
  const listeners = new Set<() => void>();
  let isEnding = false;
  let wake = new AbortController();
  let state = withLastGood(emptyDirectory(path), remembered.files, explains);
  let shown = JSON.stringify(snapshotOf(state).conditions);
  const moves = moveHints();
  const watching = watchPath(path, (kind, name) => {
    // What the agent is about to put there by itself: the rename that ends it is seen.
    if (name?.startsWith(`.${OWNED_FILE_PREFIX}`) === true) return;
    moves.note(kind, name);
    wake.abort();
  });
  const linkWatch = openLinkWatch(() => {
    wake.abort();
  });

  async function keep({ name, keep: what }: FileChange): Promise<void> {
    try {
      if (what === 'drop') await lastGood.drop(name);
      else if (what !== null) await lastGood.put(name, what);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      log.warn('the last good content of a manifest cannot be kept', { name, detail });
    }
  }

  async function keepIdentity(found: string): Promise<void> {
    identity = found;
    try {
      await lastGood.putIdentity(found);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      log.warn('the identity of the static pod directory cannot be kept', { detail });
    }
  }

  /** Once for each thing that is wrong with the directory as a whole, and when it is over. */
  function tellProblem(before: DirectoryState['problem']): void {
    const { problem } = state;
    if (problem?.reason === before?.reason && problem?.message === before?.message) return;
    if (problem === null) return log.info('the static pod directory is read again', { path });
    const { reason, message: detail } = problem;
    log.warn('the static pod directory is not read: what runs goes on', { reason, detail });
  }

  function warn({ name, warning }: FileChange): void {
    if (warning === null) return;
    log.warn('manifest refused', { name, reason: warning.reason, detail: warning.message });
    const involved = {
      kind: 'Node',
      namespace: '',
      name: options.nodeName,
      uid: '',
      fieldPath: '',
    } as const;
    const reason = 'FailedValidation';
    events.record({ type: 'Warning', reason, message: warning.message, involved });
  }

  /** Returns in how many milliseconds to look again. */
  async function look(): Promise<number> {
    const known = new Set(state.files.keys());
    const again = new Set(
      [...state.files.values()]
        .filter(({ problem }) => problem !== null && LOOK_AGAIN.has(problem.reason))
        .map(({ name }) => name),
    );
    const {
      listing,
      identity: found,
      againInMs,
      isInDoubt,
      links,
    } = await reader.look({
      known,
      again,
      moved: moves.take(),
      isWithdrawn: options.isWithdrawn ?? (() => false),
    });
    const { state: next, changes } = applyListing(state, listing, explains);
    const { complete: wasComplete, problem: before } = state;
    state = next;
    tellProblem(before);
    // With the state that it explains: who sees the one finds the other.
    changes.forEach(warn);
    const isNewWatch = [watching.ensure(found), await linkWatch.follow(links)].some(Boolean);
    const conditions = JSON.stringify(snapshotOf(state).conditions);
    if (changes.length > 0 || conditions !== shown || wasComplete !== state.complete) {
      shown = conditions;
      for (const listener of listeners) listener();
    }
    const isDoubtful = isInDoubt || [...state.files.values()].some(isUnexplained);
    if (isDoubtful) options.onOwnedInDoubt?.();
    for (const change of changes) await keep(change);
    if (found !== null && found !== identity) await keepIdentity(found);
    const unseenMs = isNewWatch ? UNSEEN_MS : everyMs;
    const watchMs = watching.isAlive() ? everyMs : WATCH_RETRY_MS;
    return Math.min(everyMs, againInMs ?? everyMs, unseenMs, watchMs);
  }

  async function run(firstWaitMs: number): Promise<void> {
    let waitMs = firstWaitMs;
    for (;;) {
      await clock.sleep(waitMs, wake.signal);
      if (isEnding) return;
      wake = new AbortController();
      waitMs = await look();
    }
  }

  const running = run(await look());
  return {
    snapshot: () => snapshotOf(state),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      isEnding = true;
      wake.abort();
      // A look that is under way may still make a watch.
      await running;
      watching.close();
      linkWatch.close();
    },
  };
}
