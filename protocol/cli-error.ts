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
