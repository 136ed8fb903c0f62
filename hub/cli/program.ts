/**
 * The commands of `flotilla`, built for a terminal or for a test. What one command needs is loaded for that one alone: `flotilla get` does
 * not wait for what makes keys.
 */
import { Command } from 'commander';
import type { Context } from './context.js';
import { VERSION_FLAGS, withCommands } from '../../protocol/cli-commands.js';
import { VERSION } from '../../protocol/version.js';

type Maker = (context: Context) => Promise<Command>;

/** In the order of `--help`. */
const COMMANDS: Readonly<Record<string, Maker>> = {
  hub: async context => (await import('./hub.js')).hubCommand(context),
  root: async context => (await import('./root.js')).rootCommand(context),
  token: async context => (await import('./token.js')).tokenCommand(context),
  secret: async context => (await import('./secret.js')).secretCommand(context),
  node: async context => (await import('./node.js')).nodeCommand(context),
  label: async context => (await import('./label.js')).labelCommand(context),
  annotate: async context => (await import('./label.js')).annotateCommand(context),
  cordon: async context => (await import('./cordon.js')).cordonCommand(context),
  uncordon: async context => (await import('./cordon.js')).uncordonCommand(context),
  drain: async context => (await import('./cordon.js')).drainCommand(context),
  apply: async context => (await import('./apply.js')).applyCommand(context),
  diff: async context => (await import('./diff.js')).diffCommand(context),
  get: async context => (await import('./get.js')).getCommand(context),
  describe: async context => (await import('./describe.js')).describeCommand(context),
  logs: async context => (await import('./logs.js')).logsCommand(context),
  exec: async context => (await import('./exec.js')).execCommand(context),
  attach: async context => (await import('./exec.js')).attachCommand(context),
  'port-forward': async context => (await import('./port-forward.js')).portForwardCommand(context),
  cp: async context => (await import('./cp.js')).cpCommand(context),
  rollout: async context => (await import('./rollout.js')).rolloutCommand(context),
  audit: async context => (await import('./audit.js')).auditCommand(context),
  delete: async context => (await import('./delete.js')).deleteCommand(context),
  key: async context => {
    const { keyCommand } = await import('./key.js');
    const { keyRotateCommand } = await import('./key-rotate.js');
    return keyCommand(context).addCommand(keyRotateCommand(context));
  },
  bundle: async context => (await import('./bundle.js')).bundleCommand(context),
  version: async context => (await import('./version.js')).versionCommand(context),
};

/** `named`: the first word of the command line; where it is no command, all of them are there, for help and for hints. */
export async function programOf(context: Context, named = ''): Promise<Command> {
  const program = new Command('flotilla')
    .description("Kubernetes Pods on devices that have no Kubernetes: the operator's side.")
    .version(VERSION, VERSION_FLAGS, 'print the version')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 refused or wrong usage, 3 timed out waiting, ' +
        "4 rollout failed; exec: the command's own.",
    );
  const { terminal } = context;
  const output = {
    writeOut: (text: string) => terminal.write(text),
    writeErr: (text: string) => void terminal.streams.stderr.write(text),
  };
  return withCommands(program, COMMANDS, { context, named, output });
}
