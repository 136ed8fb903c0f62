/** The commands of a program, loaded one at a time, and what all of them have in common: usage errors are errors. */

/** What is needed of a command of the library that reads command lines. */
interface AnyCommand {
  readonly commands: readonly AnyCommand[];
  exitOverride(): unknown;
  showHelpAfterError(words: string): unknown;
  allowExcessArguments(may: boolean): unknown;
  configureOutput(output: Output): unknown;
}

/** Of both programs. */
export const VERSION_FLAGS = '-v, --version';
const VERSION_WORDS: ReadonlySet<string> = new Set(VERSION_FLAGS.split(', '));

/** Where help and usage errors go. */
export interface Output {
  writeOut(text: string): void;
  writeErr(text: string): void;
}

/**
 * `program` with the command that is `named`, the first word of the command line; where it is no command, with all of them, for help and for
 * hints, and with none where only the version is asked for. Unknown options and arguments end with the error of the library, which the caller's exit code 2 belongs to.
 */
export async function withCommands<C extends AnyCommand, Context>(
  program: C & { addCommand(command: C): unknown },
  commands: Readonly<Record<string, (context: Context) => Promise<C>>>,
  parts: { readonly context: Context; readonly named: string; readonly output: Output },
): Promise<C> {
  const { context, named, output } = parts;
  const one = Object.hasOwn(commands, named) ? commands[named] : undefined;
  const needed = one ? [one] : VERSION_WORDS.has(named) ? [] : Object.values(commands);
  for (const make of needed) program.addCommand(await make(context));
  strict(program, output);
  return program;
}

function strict(command: AnyCommand, output: Output): void {
  command.configureOutput(output);
  command.exitOverride();
  command.showHelpAfterError('(--help shows what there is)');
  command.allowExcessArguments(false);
  for (const child of command.commands) strict(child, output);
}
