/**
 * A disk that is full, fails or is read-only: nothing that the program did wrong, and over when the disk is well again.
 * Errors of the file system (errno) and of SQLite are told apart from all others. Pure.
 */

const FULL = 'the disk is full: free some space';
const FAILS = 'the disk fails to read or write: look at the kernel log';
const READ_ONLY = 'the file system is read-only: mount it for writing';

const WORDS: readonly (readonly [code: RegExp, words: string])[] = [
  [/^(ENOSPC|SQLITE_FULL)$/, FULL],
  [/^EDQUOT$/, 'the quota on the disk is used up: free some space'],
  [/^(EIO|SQLITE_IOERR.*)$/, FAILS],
  [/^(EROFS|SQLITE_READONLY.*)$/, READ_ONLY],
];

/** What is wrong with the disk, and what a person can do; null for any other error. */
export function diskFault(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return WORDS.find(([pattern]) => pattern.test(code))?.[1] ?? null;
}
