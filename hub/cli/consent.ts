/**
 * The one rule for what cannot be taken back: on a terminal it says what will happen and asks; elsewhere somebody must have said yes on
 * the command line, or it is refused and nothing was done. Which commands these are: docs/commands.md.
 */
import { CliError } from '../../protocol/cli-error.js';
import type { Context } from './context.js';

export interface Consent {
  /** Whether the option was given. */
  readonly given: boolean | undefined;
  /** The option that says yes beforehand. */
  readonly option?: string;
}

/** Asked for on every command that has no option of its own for it. */
export const YES = ['-y, --yes', 'do not ask; needed where nobody sits at a terminal'] as const;

/** `question`: what will happen, with a question mark. Throws `CliError` (refused) unless somebody said yes. */
export async function agree(
  { terminal }: Pick<Context, 'terminal'>,
  question: string,
  { given, option = '--yes' }: Consent,
): Promise<void> {
  if (given === true) return;
  const answer = await terminal.ask(`${question} [y/N] `);
  if (answer === null) {
    throw new CliError(
      'refused',
      `nothing was done, for nobody is here to be asked: ${question}`,
      `pass ${option}`,
    );
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('refused', 'given up; nothing was done');
}
