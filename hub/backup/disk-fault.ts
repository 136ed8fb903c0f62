/** What the disk refused while a backup was made or restored: a full or read-only one is no damaged backup. Pure. */
import { SetupError } from '../setup/setup-error.js';

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on that disk; free some, or choose another place',
  EDQUOT: 'the quota on that disk is used up; free some, or choose another place',
  EROFS: 'that file system is read-only; choose another place',
  EACCES: 'not permitted; run it as the user of the hub, or choose another place',
  EPERM: 'not permitted; run it as the user of the hub, or choose another place',
  EISDIR: 'it is a directory; give a file',
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'a part of that path is no directory',
  EIO: 'the disk fails to read or write; look at the kernel log',
};

/** Errors of the file system, those of programs and formats are not. */
export function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** `place`: where no error says it. Any other error comes back as it is. */
export function diskFault(
  error: unknown,
  doing: 'read' | 'write' | 'read or write',
  place: string,
): unknown {
  if (!isDiskError(error)) return error;
  const { code = '', path = place, message } = error;
  const why = Object.hasOwn(WORDS, code) ? WORDS[code] : message;
  return new SetupError('Disk', `cannot ${doing} ${path}: ${why} (${code})`);
}
