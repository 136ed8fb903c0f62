/** Programs that want a terminal, on one of their own (util-linux `script`). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a command on a terminal of its own and types each answer when its question stands there; all that was shown. */
export async function onTerminal(
  words: readonly string[],
  answers: readonly (readonly [RegExp, string])[],
): Promise<string> {
  const command = words.map(word => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let asked = 0;
  let next = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const [question, answer] = answers[next] ?? [];
    if (!question?.test(shown.slice(asked))) return;
    next++;
    asked = shown.length;
    child.stdin.write(`${answer ?? ''}\r`);
  });
  await once(child, 'exit');
  return shown;
}
