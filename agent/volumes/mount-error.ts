/** Why a volume cannot be mounted, or not be let go. Type only. */

/** The same call may succeed later. The message names paths and keys, never content. */
export class MountError extends Error {
  override readonly name = 'MountError';
}
