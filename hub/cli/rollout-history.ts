/** `flotilla rollout history`: the revisions of a bundle, why they were made and how their rollouts ended; or what one of them is. */
import { Command } from 'commander';
import { stringify } from 'yaml';
import { CliError } from '../../protocol/cli-error.js';
import { bundleOf, revisionIn } from './bundle-target.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { historyLines, revisionLines } from './history-text.js';
import { revisionOf, revisionsOf } from './revisions.js';

interface HistoryOptions extends ConnectionOptions {
  revision?: string;
  output?: string;
}

const FORMATS = ['json', 'yaml', 'manifests'];

export function historyCommand(context: Context): Command {
  return withConnection(new Command('history'))
    .summary('list the revisions of a bundle, or show one of them')
    .description(
      'Prints each revision of a bundle: when and by whom it was made, by how many release keys in force it is signed, how its rollout ' +
        'ended, and why it was made (`apply --change-cause`). With --revision, what that one is: its pods, images, plan and strategy. ' +
        'Bundles that were deleted have a history too. What this hub does not know, after a restore, is <unknown>.',
    )
    .argument('<bundle>', 'bundle/NAME')
    .option('--revision <n>', 'what that revision is')
    .option(
      '-o, --output <format>',
      'json, yaml; with --revision manifests: those alone, as apply takes them',
    )
    .action((target: string, options: HistoryOptions) =>
      connected(context, options, async hub => {
        const name = bundleOf(target);
        const { output } = options;
        if (output !== undefined && !FORMATS.includes(output)) {
          throw new CliError('refused', `-o ${output}: use ${FORMATS.join(', ')}`);
        }
        const revision =
          options.revision === undefined ? null : revisionIn('--revision', options.revision);
        if (output === 'manifests' && revision === null) {
          throw new CliError('refused', '-o manifests: of which revision? --revision N');
        }
        const { terminal } = context;
        const told =
          revision === null ? await revisionsOf(hub, name) : await revisionOf(hub, name, revision);
        if (output === 'json') terminal.print(JSON.stringify(told, null, 4));
        else if (output === 'yaml') terminal.write(stringify(told));
        else if ('items' in told) {
          for (const line of historyLines(name, told.items)) terminal.print(line);
        } else if (output === 'manifests') {
          terminal.write(told.spec.manifests.map(one => stringify(one)).join('---\n'));
        } else for (const line of revisionLines(name, told)) terminal.print(line);
      }),
    );
}
