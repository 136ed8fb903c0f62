/** Programs that want a terminal, on one of their own (util-linux `script`). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { shellWord } from '../../hub/cli/shell-word.js';

/** Long for a busy machine; a question that never comes must not hang the run. */
const ANSWER_MS = 120_000;

/**
 * Runs a command and types each answer when its question stands there; gives all that was shown. Throws when it does not end, or
 * ends before every question was asked.
 */
export async function onTerminal(
  words: readonly string[],
  answers: readonly (readonly [RegExp, string])[],
): Promise<string> {
  const child = spawn('script', ['-qec', words.map(shellWord).join(' '), '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: ANSWER_MS,
  });
  let raw = '';
  let asked = 0;
  let next = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    raw += chunk.toString();
    const [question, answer] = answers[next] ?? [];
    if (!question?.test(stripVTControlCharacters(raw.slice(asked)))) return;
    next++;
    asked = raw.length;
    child.stdin.write(`${answer ?? ''}\r`);
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  const shown = stripVTControlCharacters(raw);
  if (signal !== null || next < answers.length) {
    throw new Error(`${words.join(' ')}: ended (${signal ?? 'by itself'}) after:\n${shown}`);
  }
  return shown;
}
