/**
 * The files that the agent owns in the static pod directory. A set of changes is written under dot
 * names first and synced, so that a full disk leaves the old set intact; then renamed over the old
 * files, then the directory is synced (security.md S54, S55, S58–S60). An unchanged file is never
 * rewritten; nothing without the prefix is ever touched; links are replaced, never followed.
 * Decides nothing.
 */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { sha256Hex } from '../../protocol/canonical.js';
import { sharedFile, sharedPath } from '../safe-directory.js';
import { isOwnedFileName, OWNED_FILE_PREFIX } from '../../protocol/names.js';

const TEMPORARY_PREFIX = `.${OWNED_FILE_PREFIX}`;
/** For group and others. */
const READABLE = 0o044;
/** A larger file cannot be one of ours. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

export type DirectoryFault = 'UnsafeDirectory' | 'DirectoryUnavailable' | 'WriteFailed';

export class DirectoryError extends Error {
  readonly fault: DirectoryFault;

  constructor(fault: DirectoryFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DirectoryError';
    this.fault = fault;
  }
}

export interface FoundFile {
  readonly file: string;
  /**
   * Null for what is not a plain file with one name: a link, a directory, a file with a second hard
   * link.
   */
  readonly bytes: Buffer | null;
  /** Another user may read or write it, or owns it: it is written with mode 600. */
  readonly isShared?: boolean;
}

export interface DirectoryChange {
  readonly write: readonly { readonly file: string; readonly bytes: Buffer }[];
  /** Names that bear the prefix. */
  readonly remove: readonly string[];
  /** The promise in between: when it throws, nothing has changed. */
  readonly commit?: () => void;
}

export interface OwnedDirectory {
  readonly path: string;
  /** @throws DirectoryError unless it may be written to */
  assertSafe(): void;
  /** Of the directory itself: another one has another. @throws DirectoryError */
  identity(): string;
  /** Everything that bears the prefix. @throws DirectoryError */
  list(): FoundFile[];
  /** Whether another user may read or write this file, or owns it; false for one that is not there. */
  isShared(file: string): boolean;
  /** Names that an interrupted change was about to write. @throws DirectoryError */
  leftovers(): string[];
  /** Removes what interrupted changes left behind. @throws DirectoryError */
  removeLeftovers(): void;
  /**
   * @throws DirectoryError; before `commit` the old set is untouched, after it the caller must try
   * again.
   */
  apply(change: DirectoryChange): void;
}

/** @param uid of this process: files of others make the directory unsafe */
export function openOwnedDirectory(path: string, uid = process.getuid?.() ?? 0): OwnedDirectory {
  const directory = resolve(path);
  return {
    path: directory,
    assertSafe: () => guarded('DirectoryUnavailable', () => assertSafe(directory, uid)),
    identity: () => guarded('DirectoryUnavailable', () => identityOf(directory)),
    list: () => guarded('DirectoryUnavailable', () => listFiles(directory, uid)),
    isShared: file => isShared(join(directory, file), uid),
    leftovers: () =>
      guarded('DirectoryUnavailable', () => leftoversIn(directory).map(name => name.slice(1))),
    removeLeftovers: () => guarded('WriteFailed', () => removeLeftovers(directory)),
    apply: change =>
      guarded('WriteFailed', () => {
        assertSafe(directory, uid);
        applyChange(directory, change, uid);
      }),
  };
}

function identityOf(directory: string): string {
  const { ino, birthtimeNs } = fs.statSync(directory, { bigint: true });
  return `${ino}/${birthtimeNs}`;
}

function guarded<T>(fault: DirectoryFault, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof DirectoryError || !isSystemError(error)) throw error;
    const known = error.code === 'ENOENT' || error.code === 'ENOTDIR';
    throw new DirectoryError(known ? 'DirectoryUnavailable' : fault, error.message, {
      cause: error,
    });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error &&
    typeof (error as NodeJS.ErrnoException).code === 'string' &&
    (error as NodeJS.ErrnoException).syscall !== undefined
  );
}

/**
 * Whoever may write here or rename a parent may run anything as root; a sticky parent (`/tmp`) is
 * no danger.
 */
function assertSafe(directory: string, uid: number): void {
  if (fs.lstatSync(directory).isSymbolicLink()) {
    const target = fs.realpathSync(directory);
    throw new DirectoryError(
      'UnsafeDirectory',
      `${directory} is a symbolic link: configure ${target} itself as the static pod path`,
    );
  }
  const shared = sharedPath(directory, uid);
  if (shared === null) return;
  throw new DirectoryError(
    'UnsafeDirectory',
    `${shared.path}: ${shared.how}; nothing is written below it until ${shared.mend}`,
  );
}

function listFiles(directory: string, uid: number): FoundFile[] {
  return fs
    .readdirSync(directory)
    .filter(file => file.startsWith(OWNED_FILE_PREFIX))
    .sort()
    .map(file => {
      const path = join(directory, file);
      return { file, bytes: readPlain(path), isShared: isShared(path, uid) };
    });
}

function isShared(path: string, uid: number): boolean {
  const found = fs.lstatSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true) return false;
  const isOthers = sharedFile({ owner: found.uid, mode: found.mode }, uid) !== null;
  return isOthers || (found.mode & READABLE) !== 0;
}

function readPlain(path: string): Buffer | null {
  let fd: number;
  try {
    fd = fs.openSync(
      path,
      fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK,
    );
  } catch {
    return null;
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile() || stat.nlink !== 1 || stat.size > FILE_BYTES_MAX) return null;
    return fs.readFileSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function leftoversIn(directory: string): string[] {
  return fs.readdirSync(directory).filter(name => name.startsWith(TEMPORARY_PREFIX));
}

function removeLeftovers(directory: string): void {
  for (const name of leftoversIn(directory)) fs.rmSync(join(directory, name), { recursive: true });
}

function applyChange(
  directory: string,
  { write, remove, commit }: DirectoryChange,
  uid: number,
): void {
  for (const { file } of write) assertOwned(file);
  for (const file of remove) assertOwned(file);
  const changed = write.filter(({ file, bytes }) => {
    const path = join(directory, file);
    const found = readPlain(path);
    return found === null || sha256Hex(found) !== sha256Hex(bytes) || isShared(path, uid);
  });
  const staged = changed.map(({ file }) => ({ file, temporary: join(directory, `.${file}`) }));
  try {
    changed.forEach(({ bytes }, i) => writeSynced(staged[i]?.temporary ?? '', bytes));
    commit?.();
  } catch (error) {
    // Without a promise to come they stand for one that was made before.
    if (commit) {
      for (const { temporary } of staged) fs.rmSync(temporary, { force: true, recursive: true });
    }
    throw error;
  }
  for (const { file, temporary } of staged) place(temporary, join(directory, file));
  for (const file of remove) fs.rmSync(join(directory, file), { force: true, recursive: true });
  if (staged.length > 0 || remove.length > 0) syncDirectory(directory);
}

function assertOwned(file: string): void {
  if (!isOwnedFileName(file))
    throw new Error(`not a name of an owned file: ${JSON.stringify(file)}`);
}

function writeSynced(path: string, bytes: Buffer): void {
  fs.rmSync(path, { force: true, recursive: true });
  const fd = fs.openSync(path, 'wx', 0o600);
  try {
    fs.writeFileSync(fd, bytes);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * rename(2) replaces links and files by themselves; only a directory in the way has to go first.
 */
function place(temporary: string, target: string): void {
  const inTheWay = fs.lstatSync(target, { throwIfNoEntry: false });
  if (inTheWay?.isDirectory()) fs.rmSync(target, { recursive: true });
  fs.renameSync(temporary, target);
}

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
