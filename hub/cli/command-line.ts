/** A command line from its words to its exit code, on whatever terminal it is given. Nothing is decided here. */
import { CommanderError } from 'commander';
import { CliError, EXIT } from '../../protocol/cli-error.js';
import type { Context } from './context.js';
import { behindTheCommand } from './leading-options.js';
import { refuseOtherWords } from './other-words.js';
import { programOf } from './program.js';

/** `words`: without the program's name. Resolves with the exit code, whatever went wrong; what did is said on the terminal. */
export async function runCommandLine(
  words: readonly string[],
  given: Omit<Context, 'exit'>,
): Promise<number> {
  let code: number = EXIT.done;
  const context: Context = { ...given, exit: chosen => (code = chosen) };
  const args = behindTheCommand(words);
  const program = await programOf(context, args[0]);
  try {
    refuseOtherWords(program, args);
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return failureOf(error, context);
  }
}

function failureOf(error: unknown, { terminal, signal }: Context): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.refused;
  if (error instanceof CliError) {
    terminal.warn(`error: ${error.message}`);
    if (error.hint !== null) terminal.warn(`hint: ${error.hint}`);
    return EXIT[error.exit];
  }
  if (signal.aborted) return 130;
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  terminal.warn(`error: ${told}`);
  return EXIT.failed;
}
