/**
 * What can be wrong with a hub's data directory: a closed code and a sentence that says what, where
 * and what to do.
 */
export type SetupErrorCode =
  /** The directory holds something that no hub made. */
  | 'NotEmpty'
  | 'AlreadyInitialised'
  | 'NotInitialised'
  /** `hub init` was cut off: repeat it. */
  | 'Interrupted'
  | 'Missing'
  /** A private file that others may read. */
  | 'Mode'
  /** A data directory that others may write to, or below a parent that they may. */
  | 'Unsafe'
  | 'Corrupt'
  | 'BadSetting'
  /** A file that is no backup of a hub, or a damaged one. */
  | 'BadBackup'
  | 'WrongPassphrase'
  /** Encrypted keys, and nobody gave what opens them. */
  | 'Locked'
  /** A disk that is full, read-only or broken. */
  | 'Disk'
  /** Nothing is ever overwritten. */
  | 'Exists'
  | 'Unsupported';

export class SetupError extends Error {
  override readonly name = 'SetupError';
  readonly code: SetupErrorCode;
  constructor(code: SetupErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
