/**
 * The one rule for what cannot be taken back: on a terminal it says what will happen and asks; elsewhere somebody must have said yes on
 * the command line, or it is refused and nothing was done. Which commands these are: docs/commands.md. Pure: who asks is the caller.
 */
import { CliError } from './cli-error.js';

/** Asked for on every command that has no option of its own for it. */
export const YES = ['-y, --yes', 'do not ask; needed where nobody sits at a terminal'] as const;

/** `question`: what will happen, with a question mark. */
export function asked(question: string): string {
  return `${question} [y/N] `;
}

/** `answer`: null where nobody is to be asked; `option`: what says yes beforehand. Throws `CliError` (refused) unless it is yes. */
export function consented(question: string, answer: string | null, option = '--yes'): void {
  if (answer === null) {
    const what = `nothing was done, for nobody is here to be asked: ${question}`;
    throw new CliError('refused', what, `pass ${option}`);
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('refused', 'given up; nothing was done');
}
