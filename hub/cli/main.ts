/** Entry of `flotilla`: builds the commands, maps errors to exit codes. Nothing is decided here. */
import { Command, CommanderError } from 'commander';
import { realClock } from '../clock.js';
import { applyCommand, diffCommand } from './apply.js';
import { bundleCommand } from './bundle.js';
import type { Context } from './context.js';
import { deleteCommand } from './delete.js';
import { describeCommand } from './describe.js';
import { CliError, EXIT } from '../../protocol/cli-error.js';
import { getCommand } from './get.js';
import { hubCommand } from './hub.js';
import { keyRotateCommand } from './key-rotate.js';
import { behindTheCommand } from './leading-options.js';
import { keyCommand } from './key.js';
import { nodeCommand } from './node.js';
import { rolloutCommand } from './rollout.js';
import { rootCommand } from './root.js';
import { secretCommand } from './secret.js';
import { terminalOf } from './terminal.js';
import { tokenCommand } from './token.js';
import { VERSION } from '../../protocol/version.js';

function programOf(context: Context): Command {
  const program = new Command('flotilla')
    .description("Kubernetes Pods on devices that have no Kubernetes: the operator's side.")
    .version(VERSION, '--version', 'print the version')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 refused or wrong usage, 3 timed out waiting, 4 rollout failed.',
    );
  const commands = [
    hubCommand(context),
    rootCommand(context),
    tokenCommand(context),
    secretCommand(context),
    nodeCommand(context),
    applyCommand(context),
    diffCommand(context),
    getCommand(context),
    describeCommand(context),
    rolloutCommand(context),
    deleteCommand(context),
    keyCommand(context).addCommand(keyRotateCommand(context)),
    bundleCommand(context),
  ];
  for (const command of commands) program.addCommand(command);
  return program;
}

/** Commander's own errors (unknown option …) end with 2, as kubectl's usage errors do here. */
function strict(command: Command): void {
  command
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .allowExcessArguments(false);
  for (const child of command.commands) strict(child);
}

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
  const program = programOf(context);
  strict(program);
  try {
    await program.parseAsync(behindTheCommand(process.argv.slice(2)), { from: 'user' });
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
