/** Entry of `flotilla-agent`: builds the commands, maps errors to exit codes. Nothing is decided here. */
import { CommanderError } from 'commander';
import { CliError, EXIT } from '../protocol/cli-error.js';
import type { CliContext } from './cli/context.js';
import { refuseOtherWords } from './cli/other-words.js';
import { programOf } from './cli/program.js';
import { realClock } from './clock.js';

function isWithoutDataDir({ code, message }: CommanderError): boolean {
  return code === 'commander.missingMandatoryOptionValue' && message.includes('--data-dir');
}

async function main(): Promise<void> {
  const interrupt = new AbortController();
  const stop = () => {
    // The second Ctrl-C ends at once.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.stdout.on('error', error => {
    // `flotilla-agent logs … | head`: the reader left.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  });
  // A log on a full disk loses lines; pods are not to pay for it.
  process.stderr.on('error', () => undefined);
  const context: CliContext = {
    stdout: process.stdout,
    print: line => void process.stdout.write(`${line}\n`),
    tell: line => void process.stderr.write(`${line}\n`),
    clock: realClock(),
    signal: interrupt.signal,
    exit: code => process.exit(code),
    env: process.env,
    withDataDir: (command, { optional } = { optional: false }) => {
      const fromEnv = process.env['FLOTILLA_DATA_DIR'] || undefined;
      const text = 'data directory of the agent (or FLOTILLA_DATA_DIR)';
      return fromEnv === undefined && !optional
        ? command.requiredOption('--data-dir <dir>', text)
        : command.option('--data-dir <dir>', text, fromEnv);
    },
  };
  const named = process.argv[2] ?? '';
  const program = await programOf(context, named);
  try {
    const known = program.commands.flatMap(one => [one.name(), ...one.aliases()]);
    refuseOtherWords(known, named);
    await program.parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.refused;
      if (isWithoutDataDir(error)) process.stderr.write('hint: or set FLOTILLA_DATA_DIR\n');
    } else if (error instanceof CliError) {
      process.stderr.write(`error: ${error.message}\n`);
      if (error.hint !== null) process.stderr.write(`hint: ${error.hint}\n`);
      process.exitCode = EXIT[error.exit];
    } else if (interrupt.signal.aborted) process.exitCode = 130;
    else {
      process.stderr.write(
        `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
      process.exitCode = EXIT.failed;
    }
    // An agent that could not start is to end, whatever it had begun: then it is started again.
    process.exit();
  }
}

await main();
