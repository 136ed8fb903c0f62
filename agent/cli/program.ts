/**
 * The commands of `flotilla-agent`. What one command needs is loaded for that one alone: on a small device `flotilla-agent status` does not
 * wait for what runs pods.
 */
import { Command } from 'commander';
import { VERSION_FLAGS, withCommands } from '../../protocol/cli-commands.js';
import { VERSION } from '../../protocol/version.js';
import type { CliContext } from './context.js';

type Maker = (context: CliContext) => Promise<Command>;

/** In the order of `--help`. */
const COMMANDS: Readonly<Record<string, Maker>> = {
  join: async context => (await import('./join.js')).joinCommand(context),
  leave: async context => (await import('./leave.js')).leaveCommand(context),
  run: async context => (await import('./run.js')).runCommand(context),
  pods: async context => (await import('./pods.js')).podsCommand(context),
  describe: async context => (await import('./describe.js')).describeCommand(context),
  status: async context => (await import('./status.js')).statusCommand(context),
  logs: async context => (await import('./logs.js')).logsCommand(context),
  events: async context => (await import('./events.js')).eventsCommand(context),
  retry: async context => (await import('./events.js')).retryCommand(context),
  journal: async context => (await import('./journal.js')).journalCommand(context),
  plan: async context => (await import('./status.js')).planCommand(context),
  config: async context => (await import('./events.js')).configCommand(context),
  'rotate-identity': async context =>
    (await import('./rotate-identity.js')).rotateIdentityCommand(context),
  import: async context => (await import('./import.js')).importCommand(context),
  activate: async context => (await import('./site.js')).activateCommand(context),
  hold: async context => (await import('./site.js')).holdCommand(context),
  release: async context => (await import('./site.js')).releaseCommand(context),
  undo: async context => (await import('./site.js')).undoCommand(context),
  redo: async context => (await import('./site.js')).redoCommand(context),
  version: async context => (await import('./version.js')).versionCommand(context),
};

/** `named`: the first word of the command line; where it is no command, all of them are there, for help and for hints. */
export async function programOf(context: CliContext, named = ''): Promise<Command> {
  const program = new Command('flotilla-agent')
    .description("Kubernetes Pods on devices that have no Kubernetes: the node's side.")
    .version(VERSION, VERSION_FLAGS, 'print the version')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 refused or wrong usage, 3 timed out (import), 4 a bundle failed (import).',
    );
  const output = {
    writeOut: (text: string) => void context.stdout.write(text),
    writeErr: (text: string) => void process.stderr.write(text),
  };
  return withCommands(program, COMMANDS, { context, named, output });
}
