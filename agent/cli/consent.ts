/**
 * What cannot be taken back, at the device: asked on a terminal, wanted as an option elsewhere. The same rule as the operator's
 * (docs/commands.md).
 */
import { createInterface } from 'node:readline/promises';
import { CliError } from '../../protocol/cli-error.js';

export const YES = ['-y, --yes', 'do not ask; needed where nobody sits at a terminal'] as const;

/** `question`: what will happen, with a question mark. Throws `CliError` (refused) unless somebody said yes. */
export async function agree(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) {
    const what = `nothing was done, for nobody is here to be asked: ${question}`;
    throw new CliError('refused', what, 'pass --yes');
  }
  const readline = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await new Promise<string>(done => {
    readline.once('close', () => done(''));
    void readline.question(`${question} [y/N] `).then(done, () => done(''));
  });
  readline.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('refused', 'given up; nothing was done');
}
