/** How a command ends: the exit codes of both programs and the errors that carry them. */

export const EXIT = {
  done: 0,
  failed: 1,
  /** Refused by the hub, or used wrongly. */
  refused: 2,
  /** Timed out waiting. */
  timedOut: 3,
  /** The rollout failed, was aborted or is paused. */
  rolloutFailed: 4,
} as const;

export type ExitName = keyof typeof EXIT;

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: ExitName;
  /** What to do about it, on a line of its own. */
  readonly hint: string | null;
  constructor(exit: ExitName, message: string, hint: string | null = null) {
    super(message);
    this.exit = exit;
    this.hint = hint;
  }
}

const WRITE_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such directory',
  ENOTDIR: 'there is no such directory',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
};

/** Of a file that a command was to write. */
export function cannotWrite(path: string, error: unknown, hint: string | null = null): CliError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const why = WRITE_FAULTS[code] ?? (code === '' ? message : code);
  return new CliError('failed', `${path} cannot be written: ${why}`, hint);
}
