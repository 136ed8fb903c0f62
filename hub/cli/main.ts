/** Entry of `flotilla`: a process, its signals and streams. */
import { realClock } from '../clock.js';
import { runCommandLine } from './command-line.js';
import { terminalOf } from './terminal.js';

async function main(): Promise<void> {
  const interrupt = new AbortController();
  const stop = () => {
    // The second Ctrl-C ends at once.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // A log on a full disk loses lines; the hub goes on.
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', error => {
    // `flotilla get pods | head`: the reader left.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  });
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    terminal: terminalOf(process),
    env: process.env,
    clock: realClock(),
    signal: interrupt.signal,
  });
}

await main();
