/** The question before something that cannot be taken back. */
import { CliError } from '../../protocol/cli-error.js';
import type { Context } from './context.js';

/** Elsewhere than on a terminal somebody must have said yes before. */
export async function agree(context: Context, question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const answer = await context.terminal.ask(`${question} [y/N] `);
  if (answer === null) throw new CliError('refused', 'nobody is there to be asked', 'say --yes');
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('refused', 'given up; nothing was done');
}
