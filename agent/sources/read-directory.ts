/**
 * One look at the static pod path: which names are there, and the bytes of those that changed and are complete.
 *
 * Never blocks on what is no regular file, never reads more than the limit, and leaves a file alone that is
 * still being written, or that others could have written. Kubelet behaviour rows 1, 4, 6, 7, 9, 10, 19 to 23.
 * Remembers between two looks only what files looked like.
 */
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import type { Clock } from '../../protocol/ports.js';
import { MAX_MANIFEST_BYTES } from '../../protocol/manifest.js';
import { OWNED_FILE_PREFIX } from '../../protocol/names.js';
import type { Listing, Reading } from './files-decide.js';
import { isHidden, skipReason } from './manifest-names.js';
import { sharedFile, staticPodPathFault, type PathFault } from '../safe-directory.js';
import { isLockName } from './directory-lock.js';
import { openForWriting } from './open-for-writing.js';

/** A file written in place counts as complete when it has been still for this long and nobody holds it. */
export const STILL_MS = 300;
/** The same where it cannot be seen who holds it. */
export const BLIND_STILL_MS = 2_000;
/** Nobody writes a manifest for longer; a process may hold it open for other reasons. */
const HELD_MAX_MS = 10_000;
/** A file has to be away this long: `rm -r` takes the files before their directory. */
export const GONE_MS = 500;

export interface Look {
  readonly listing: Listing;
  /** Of the directory; null when it could not be read. Another one means another directory. */
  readonly identity: string | null;
  /** In how many milliseconds to look again although nothing is heard; null = no need. */
  readonly againInMs: number | null;
  /** The directory is another one than at the last look, or one of the agent's own files has just gone. */
  readonly isInDoubt: boolean;
  /** Absolute paths of the names that are symbolic links. */
  readonly links: readonly string[];
}

export interface LookHints {
  /** Files that have pods now. */
  readonly known: ReadonlySet<string>;
  /** Files to be read although they look unchanged. */
  readonly again: ReadonlySet<string>;
  /** Files that seem to have come by a rename: whole, if nobody holds them open. */
  readonly moved: ReadonlySet<string>;
  /** True for one of the agent's own that the agent itself took away: that it is not there says nothing of the directory. */
  readonly isWithdrawn: (name: string) => boolean;
}

interface Seen {
  readonly stamp: string;
  readonly since: number;
}

export interface DirectoryReader {
  /**
   * Errors of the file system are part of the answer.
   */
  look(hints: LookHints): Promise<Look>;
}

export interface ReaderOptions {
  readonly clock: Clock;
  /** That of the directory at the last look of an earlier agent; null when there was none. */
  readonly identity: string | null;
  /** Of this process: nothing is taken that anybody else but root could have written. Null: whatever is there is taken. */
  readonly trusted: number | null;
  /** The agent's own files run as a person leaves them; else only as they were promised, whoever wrote them. */
  readonly ownMayDiffer: boolean;
}

interface Listed {
  readonly names: string[];
  readonly links: readonly string[];
  /** Of the directory or the file; null when the file is not there. */
  readonly found: BigIntStats | null;
}

/** A file of the agent's own, or one that is to become one. */
function isOwnName(name: string): boolean {
  return name.startsWith(OWNED_FILE_PREFIX) || name.startsWith(`.${OWNED_FILE_PREFIX}`);
}

function emptyMessage(path: string): string {
  return (
    `${path} is another, empty directory now (is a file system not mounted?); ` +
    'to end all its pods put any file into it, such as .keep'
  );
}

function unsafeMessage({ what, mend }: PathFault): string {
  return (
    `${what}; nothing new is taken from it. See what lies there, for somebody else may have put ` +
    `it (ls -l), then: ${mend}`
  );
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino}/${size}/${mtimeNs}/${ctimeNs}`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** A JSON text that parses is whole: no beginning of one does. */
function isWholeJson(bytes: Uint8Array): boolean {
  const first = bytes.findIndex(byte => byte > 0x20);
  if (bytes[first] !== 0x7b) return false;
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    return false;
  }
}

async function readWhole(path: string): Promise<{ bytes: Uint8Array; found: BigIntStats }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw new Error('not a regular file');
    const bytes = await file.readFile();
    return { bytes, found: before };
  } finally {
    await file.close();
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() === true;
}

/**
 * What is listed and cannot be found: just gone, or a link whose target is missing. A target that is away for a while, as
 * on a file system that is not mounted or under an editor, is not a file that somebody removed.
 */
async function absent(name: string, file: string, isKnown: boolean): Promise<Reading | 'gone'> {
  if (!(await isLink(file))) return 'gone';
  if (!isKnown) return { name, is: 'skipped', message: 'a dangling link' };
  const message = 'the link leads nowhere now; remove the link to end its pods';
  return { name, is: 'unreadable', reason: 'Unreadable', message };
}

export function openDirectoryReader(path: string, options: ReaderOptions): DirectoryReader {
  const { clock, trusted, ownMayDiffer } = options;
  const judged = new Map<string, string>();
  const writing = new Map<string, Seen>();
  const missing = new Map<string, number>();
  let identity = options.identity;
  let isFile = false;
  /** Of the directory at the last look; null when it was not there; undefined before the first look. */
  let lastFound: string | null | undefined;
  /** Names of the former directory that stay until a person puts something into the new one. */
  let heldBack: Set<string> | null = null;

  /** True when nobody seems to be in the middle of writing it. */
  async function isComplete(
    file: string,
    found: BigIntStats,
    at: { bytes: Uint8Array; isMoved: boolean },
  ) {
    if (isWholeJson(at.bytes)) return true;
    // A rename or chmod after the last write moves ctime alone.
    if (found.ctimeNs !== found.mtimeNs) return true;
    const ageMs = clock.now() - Number(found.mtimeNs / 1_000_000n);
    if (ageMs > HELD_MAX_MS) return true;
    const stamp = stampOf(found);
    const seen = writing.get(file);
    const now = clock.monotonic();
    if (seen?.stamp !== stamp) writing.set(file, { stamp, since: now });
    const stillMs = Math.max(seen?.stamp === stamp ? now - seen.since : 0, ageMs);
    if (stillMs < STILL_MS && !at.isMoved) return false;
    if (stillMs > HELD_MAX_MS) return true;
    const { held, isBlind } = await openForWriting(new Set([await realpath(file)]));
    return held.size === 0 && (!isBlind || at.isMoved || stillMs >= BLIND_STILL_MS);
  }

  function pathFault(): PathFault | null {
    return trusted === null ? null : staticPodPathFault(path, trusted);
  }

  /** What is run only with the bytes that were promised may be anybody's. */
  function unsafeFile(name: string, file: string, { uid, mode }: BigIntStats): Reading | null {
    if (trusted === null || (isOwnName(name) && !ownMayDiffer)) return null;
    const fault = sharedFile({ owner: Number(uid), mode: Number(mode) }, trusted);
    if (fault === null) return null;
    const isTheirs = Number(uid) !== 0 && Number(uid) !== trusted;
    const mend = `${isTheirs ? `chown root ${file}; ` : ''}chmod go-w ${file}`;
    const message = `${fault}, who could have anything run as root; ${mend}`;
    return { name, is: 'unreadable', reason: 'UnsafeFile', message };
  }

  async function readOne(
    name: string,
    file: string,
    hints: LookHints,
  ): Promise<Reading | 'writing' | 'gone'> {
    let found: BigIntStats;
    try {
      found = await stat(file, { bigint: true });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return absent(name, file, hints.known.has(name));
      return { name, is: 'unreadable', reason: 'Unreadable', message: codeOf(error) };
    }
    if (found.isDirectory()) return { name, is: 'skipped', message: 'a directory' };
    if (!found.isFile()) return { name, is: 'skipped', message: 'not a regular file' };
    if (found.size > BigInt(MAX_MANIFEST_BYTES)) {
      const message = `${found.size} bytes, the limit is ${MAX_MANIFEST_BYTES}`;
      return { name, is: 'unreadable', reason: 'TooLarge', message };
    }
    if (judged.get(name) === stampOf(found) && !hints.again.has(name))
      return { name, is: 'unchanged' };
    const unsafe = unsafeFile(name, file, found);
    if (unsafe !== null) return unsafe;
    try {
      const { bytes, found: read } = await readWhole(file);
      // Of the file that was read: its mode may have changed since the look above.
      const unsafeNow = unsafeFile(name, file, read);
      if (unsafeNow !== null) return unsafeNow;
      const isMoved = hints.moved.has(name);
      if (!(await isComplete(file, read, { bytes, isMoved }))) return 'writing';
      const after = await stat(file, { bigint: true });
      // Somebody else's hand may have been in it between the look at the directory and this one.
      if (stampOf(after) !== stampOf(read) || pathFault() !== null) return 'writing';
      judged.set(name, stampOf(read));
      writing.delete(file);
      return { name, is: 'bytes', bytes, mode: Number(read.mode) & 0o7777 };
    } catch (error) {
      // Removed while it was looked at: the next listing lacks it.
      if (codeOf(error) === 'ENOENT') return absent(name, file, hints.known.has(name));
      return { name, is: 'unreadable', reason: 'Unreadable', message: codeOf(error) };
    }
  }

  function failed(reason: string, message: string): Look {
    lastFound = null;
    const listing = { ok: false, reason, message } as const;
    return { listing, identity: null, againInMs: null, isInDoubt: false, links: [] };
  }

  /** The names, and whether they have to be manifests by their names: a single file has any. */
  async function namesOf(): Promise<Listed | Look> {
    try {
      const found = await stat(path, { bigint: true });
      isFile = !found.isDirectory();
      if (isFile) return { names: [basename(path)], links: [path], found };
      const all = await readdir(path, { withFileTypes: true });
      const entries = all.filter(({ name }) => !isLockName(name));
      const links = entries.filter(entry => entry.isSymbolicLink()).map(({ name }) => name);
      return {
        names: entries.map(({ name }) => name),
        links: [path, ...links.map(name => join(path, name))],
        found,
      };
    } catch (error) {
      const code = codeOf(error);
      const isRemoved = code === 'ENOENT' && isFile && !(await isLink(path));
      if (isRemoved) return { names: [], links: [], found: null };
      if (code === 'ENOENT') return failed('Missing', `${path} does not exist`);
      return failed('Unreadable', `${path} cannot be read: ${code}`);
    }
  }

  /** Names that were there and are not, but not for long enough to be sure. */
  function notYetGone(known: ReadonlySet<string>, names: ReadonlySet<string>): string[] {
    const now = clock.monotonic();
    const waiting: string[] = [];
    for (const name of missing.keys()) {
      if (names.has(name) || !known.has(name)) missing.delete(name);
    }
    for (const name of known) {
      if (names.has(name)) continue;
      const since = missing.get(name) ?? now;
      missing.set(name, since);
      if (now - since < GONE_MS) waiting.push(name);
      // Whatever comes back is read.
      judged.delete(name);
    }
    return waiting;
  }

  /**
   * What of the former directory stays for now: another one that holds nothing of a person's may be a mount point
   * whose file system is missing. The agent's own files come back into it by themselves.
   */
  function staying(
    nowIdentity: string,
    names: ReadonlySet<string>,
    { known, isWithdrawn }: LookHints,
  ): ReadonlySet<string> {
    const isOthers = identity !== nowIdentity && !isFile;
    if (!isOthers || [...names].some(name => !isOwnName(name))) heldBack = null;
    else heldBack ??= new Set(known);
    for (const name of heldBack ?? []) {
      if (names.has(name) || (isOwnName(name) && isWithdrawn(name))) heldBack?.delete(name);
    }
    if (heldBack?.size === 0) heldBack = null;
    if (heldBack === null) identity = nowIdentity;
    return heldBack ?? new Set();
  }

  async function look(hints: LookHints): Promise<Look> {
    const { known } = hints;
    const unsafe = pathFault();
    if (unsafe !== null) return failed('UnsafeDirectory', unsafeMessage(unsafe));
    const listed = await namesOf();
    if ('listing' in listed) return listed;
    const { names, links, found } = listed;
    const nowIdentity = found === null || isFile ? 'file' : `${found.ino}/${found.birthtimeNs}`;
    const isNew = lastFound !== undefined && lastFound !== nowIdentity;
    const wasKnown = identity !== null;
    lastFound = nowIdentity;
    const stays = staying(nowIdentity, new Set(names), hints);
    const readings: Reading[] = [...stays].map(name => ({ name, is: 'unchanged' }));
    let isWriting = false;
    const gone = new Set<string>();
    for (const name of names.sort()) {
      if (!isFile && isHidden(name)) continue;
      const skipped = isFile ? null : skipReason(name);
      const file = isFile ? path : join(path, name);
      if (skipped !== null) {
        readings.push({ name, is: 'skipped', message: skipped });
        continue;
      }
      const reading = await readOne(name, file, hints);
      if (reading === 'gone') {
        gone.add(name);
        continue;
      }
      if (reading === 'writing') isWriting = true;
      readings.push(reading === 'writing' ? { name, is: 'unchanged' } : reading);
    }
    const before = new Set(missing.keys());
    const present = names.filter(name => !gone.has(name));
    const waiting = notYetGone(known, new Set([...present, ...stays]));
    readings.push(...waiting.map((name): Reading => ({ name, is: 'leaving' })));
    const isOwnGone = waiting.some(name => isOwnName(name) && !before.has(name));
    const replaced = { reason: wasKnown ? 'Replaced' : 'Empty', message: emptyMessage(path) };
    return {
      listing: { ok: true, readings, isWriting, problem: stays.size > 0 ? replaced : null },
      // While the former names stay the watch is made anew with each look.
      identity: stays.size > 0 ? null : nowIdentity,
      againInMs: isWriting ? STILL_MS : waiting.length > 0 ? GONE_MS : null,
      isInDoubt: isNew || isOwnGone,
      links,
    };
  }

  return { look };
}
