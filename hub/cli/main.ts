/** Entry of `flotilla`: builds the commands, maps errors to exit codes. Nothing is decided here. */
import { CommanderError } from 'commander';
import { realClock } from '../clock.js';
import type { Context } from './context.js';
import { CliError, EXIT } from '../../protocol/cli-error.js';
import { terminalOf } from './terminal.js';
import { behindTheCommand } from './leading-options.js';
import { refuseOtherWords } from './other-words.js';
import { programOf } from './program.js';

async function main(): Promise<void> {
  const terminal = terminalOf(process);
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
  const context: Context = {
    terminal,
    env: process.env,
    clock: realClock(),
    signal: interrupt.signal,
    exit: code => (process.exitCode = code),
  };
  const args = behindTheCommand(process.argv.slice(2));
  const program = await programOf(context, args[0]);
  try {
    refuseOtherWords(program, args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.refused;
    } else if (error instanceof CliError) {
      terminal.warn(`error: ${error.message}`);
      if (error.hint !== null) terminal.warn(`hint: ${error.hint}`);
      process.exitCode = EXIT[error.exit];
    } else if (interrupt.signal.aborted) process.exitCode = 130;
    else {
      terminal.warn(
        `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      process.exitCode = EXIT.failed;
    }
  }
}

await main();
