/** `flotilla secret delete` and `secret replaced`: what nodes are to forget, and what was replaced after a theft. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { ReadableSecret } from '../ports.js';
import { agree, YES } from './consent.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { versionsText } from './readable-secrets.js';
import { pathOf, resourceOf } from './resources.js';
import { warnOfUse } from './secret-use.js';

interface DeleteFlags extends ConnectionOptions {
  bundle: string;
  yes?: boolean;
}

export function removeCommand(context: Context): Command {
  return withConnection(new Command('delete'))
    .summary('let nodes forget a Secret')
    .description(
      'Pods that run keep their files; one that begins anew waits. Says who uses it, and asks.',
    )
    .argument('<name...>')
    .requiredOption('--bundle <name>', 'bundle whose pods use it')
    .option(...YES)
    .action((names: string[], flags: DeleteFlags) =>
      connected(context, flags, async hub => {
        const full = names.map(name => `${flags.bundle}.${name}`);
        await warnOfUse(context, hub, full);
        const what = `the nodes of bundle ${flags.bundle} forget it`;
        await agree(context, `Delete secret ${names.join(', ')} (${what})?`, { given: flags.yes });
        for (const name of names) {
          const path = pathOf(resourceOf('secrets'), hub.namespace, `${flags.bundle}.${name}`);
          await hub.client.call({ method: 'DELETE', path });
          context.terminal.print(`secret/${name} of bundle/${flags.bundle} deleted`);
        }
      }),
    );
}

interface ReplacedFlags extends ConnectionOptions {
  node: string;
  all?: boolean;
  yes?: boolean;
}

export function replacedCommand(context: Context): Command {
  return withConnection(new Command('replaced'))
    .summary('take Secrets off the list of a node: they are replaced where they are used')
    .description(
      '`flotilla get secrets --node NODE` lists what the node could open until you say here that the values are worth nothing any ' +
        'more. What the node is to have as a member stays on the list.',
    )
    .argument('[name...]', 'BUNDLE.SECRET, as the list names it')
    .requiredOption('--node <name>', 'node whose list it is')
    .option('--all', 'the whole list, of every namespace')
    .option(...YES)
    .action((names: string[], flags: ReplacedFlags) =>
      connected(context, flags, async hub => {
        const all = flags.all === true;
        if (all === names.length > 0) {
          throw new CliError('refused', 'which were replaced? give BUNDLE.SECRET…, or --all');
        }
        await warnOfNewest(context, hub, { node: flags.node, names });
        const what = all ? 'all that it could open' : names.join(', ');
        const question = `Was ${what} of node ${flags.node} replaced where it is used?`;
        await agree(context, question, { given: flags.yes });
        const path = `/apis/flotilla.dev/v1/nodes/${encodeURIComponent(flags.node)}/replaced`;
        const body = all ? {} : { namespace: hub.namespace, names };
        const { status } = await hub.client.call<{ status: { secrets: ReadableSecret[] } }>({
          ...{ method: 'POST', path, body },
        });
        for (const one of status.secrets) {
          context.terminal.print(
            `secret/${one.bundle}.${one.secret} version ${versionsText(one.versions)}: off the list of node/${flags.node}`,
          );
        }
        if (status.secrets.length === 0) {
          context.terminal.warn(
            `node/${flags.node} is a member and has all of it: revoke the node, or seal another version`,
          );
        }
      }),
    );
}

/** Who took the list for a list of things to type may have sealed nothing yet. */
async function warnOfNewest(
  { terminal }: Context,
  hub: Connected,
  { node, names }: { readonly node: string; readonly names: readonly string[] },
): Promise<void> {
  const path = `/apis/flotilla.dev/v1/nodes/${encodeURIComponent(node)}/secrets`;
  const { status } = await hub.client.call<{ status: { secrets: ReadableSecret[] } }>({ path });
  for (const { bundle, secret, namespace, version, newest } of status.secrets) {
    const name = `${bundle}.${secret}`;
    const isMeant = names.length === 0 || (namespace === hub.namespace && names.includes(name));
    if (!isMeant || newest === null || newest > version) continue;
    terminal.warn(
      `Warning: version ${newest} of secret/${name}, which node/${node} could open, is the newest: nobody sealed other values since`,
    );
  }
}
