/** The commands of `flotilla`, built for a terminal or for a test. */
import { Command } from 'commander';
import { applyCommand, diffCommand } from './apply.js';
import { bundleCommand } from './bundle.js';
import type { Context } from './context.js';
import { cpCommand } from './cp.js';
import { deleteCommand } from './delete.js';
import { describeCommand } from './describe.js';
import { attachCommand, execCommand } from './exec.js';
import { getCommand } from './get.js';
import { hubCommand } from './hub.js';
import { keyRotateCommand } from './key-rotate.js';
import { keyCommand } from './key.js';
import { logsCommand } from './logs.js';
import { nodeCommand } from './node.js';
import { portForwardCommand } from './port-forward.js';
import { rolloutCommand } from './rollout.js';
import { rootCommand } from './root.js';
import { secretCommand } from './secret.js';
import { tokenCommand } from './token.js';
import { VERSION } from '../../protocol/version.js';

export function programOf(context: Context): Command {
  const program = new Command('flotilla')
    .description("Kubernetes Pods on devices that have no Kubernetes: the operator's side.")
    .version(VERSION, '--version', 'print the version')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 refused or wrong usage, 3 timed out waiting, ' +
        "4 rollout failed; exec: the command's own.",
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
    logsCommand(context),
    execCommand(context),
    attachCommand(context),
    portForwardCommand(context),
    cpCommand(context),
    rolloutCommand(context),
    deleteCommand(context),
    keyCommand(context).addCommand(keyRotateCommand(context)),
    bundleCommand(context),
  ];
  for (const command of commands) program.addCommand(command);
  strict(program);
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
