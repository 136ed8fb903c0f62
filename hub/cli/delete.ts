/** `flotilla delete`: bundles, nodes, tokens. */
import { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { named } from './near-names.js';
import { pathOf, targetsOf } from './resources.js';
import { agreeToUnsettle } from './secret-use.js';

interface DeleteOptions extends ConnectionOptions {
  yes?: boolean;
  dryRun?: string | boolean;
}

const CONSEQUENCES: Readonly<Record<string, string>> = {
  Bundle: 'its pods leave the nodes',
  Secret: 'nodes forget it; pods that run keep their files',
  Node: 'it is forgotten and has to join again; its pods run on',
  Token: 'nobody can join with it any more',
};

export function deleteCommand(context: Context): Command {
  return withConnection(new Command('delete'))
    .summary('delete bundles, secrets, nodes or tokens')
    .description('Deleting a bundle has its pods leave the nodes. On a terminal it asks first.')
    .argument(
      '<kind...>',
      'bundle NAME…, secret BUNDLE.NAME…, node NAME…, token NAME…; or KIND/NAME',
    )
    .option('-y, --yes', 'do not ask')
    .option('--dry-run [mode]', 'server: let the hub check; delete nothing')
    .action((words: string[], options: DeleteOptions) =>
      connected(context, options, async hub => {
        const { resource, names } = targetsOf(words);
        const consequence = CONSEQUENCES[resource.kind];
        if (consequence === undefined) {
          const hint =
            resource.kind === 'Pod'
              ? 'a pod goes when its bundle goes or no longer holds it: flotilla delete bundle NAME, or apply without it'
              : null;
          throw new CliError('refused', `${resource.plural} cannot be deleted`, hint);
        }
        if (names.length === 0)
          throw new CliError('refused', `which ${resource.singular}? give its name`);
        const dryRun = options.dryRun !== undefined && options.dryRun !== 'none';
        const isAsked =
          resource.kind === 'Secret' &&
          (await agreeToUnsettle(context, hub, { names, yes: dryRun || options.yes === true }));
        if (!options.yes && !dryRun && !isAsked && context.terminal.interactive) {
          const answer = await context.terminal.ask(
            `Delete ${resource.singular} ${names.join(', ')} (${consequence})? [y/N] `,
          );
          if (answer !== null && !/^y(es)?$/i.test(answer.trim())) {
            throw new CliError('refused', 'nothing was deleted');
          }
        }
        for (const name of names) {
          const path = pathOf(resource, hub.namespace, name);
          const query = { dryRun: dryRun ? 'All' : undefined };
          await named(hub, { resource, name }, () =>
            hub.client.call({ method: 'DELETE', path, query }),
          );
          context.terminal.print(
            `${resource.singular}/${name} deleted${dryRun ? ' (server dry run)' : ''}`,
          );
        }
      }),
    );
}
