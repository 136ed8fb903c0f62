/** What cannot be taken back, at the device: asked on a terminal, wanted as an option elsewhere (`protocol/consent.ts`). */
import { createInterface } from 'node:readline/promises';
import { asked, consented } from '../../protocol/consent.js';

export { YES } from '../../protocol/consent.js';

/** `question`: what will happen, with a question mark. Throws `CliError` (refused) unless somebody said yes. */
export async function agree(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const isSomebodyHere = process.stdin.isTTY === true && process.stdout.isTTY === true;
  consented(question, isSomebodyHere ? await answerTo(asked(question)) : null);
}

async function answerTo(question: string): Promise<string> {
  const readline = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await new Promise<string>(done => {
    readline.once('close', () => done(''));
    void readline.question(question).then(done, () => done(''));
  });
  readline.close();
  return answer;
}
