/** Why a volume cannot be mounted, or not be let go. Type only. */

/** The same call may succeed later. The message names paths and keys, never content. */
export class MountError extends Error {
  override readonly name = 'MountError';
  /** The node was short of something, or too slow: nothing is known of what it may do. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing = false) {
    super(message);
    this.isPassing = isPassing;
  }
}
