/** `flotilla node`: a person's word on which devices belong to the fleet, and what they may use. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { Readable } from '../ports.js';
import type { ApiObject } from './client.js';
import { agree, YES } from './consent.js';
import { budgetCommand } from './node-budget.js';
import { parametersCommand } from './node-parameters.js';
import { readableLine } from './readable-secrets.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { pathOf, resourceOf } from './resources.js';

interface StandingOptions extends ConnectionOptions {
  key?: string;
  yes?: boolean;
}

const GROUP = '/apis/flotilla.dev/v1/nodes';
const KEY_ANNOTATION = 'flotilla.dev/node-key';

export function nodeCommand(context: Context): Command {
  return new Command('node')
    .summary('let devices in, shut devices out, say what they may use and what their pods are told')
    .addCommand(budgetCommand(context))
    .addCommand(parametersCommand(context))
    .addCommand(approveCommand(context))
    .addCommand(revokeCommand(context));
}

function approveCommand(context: Context): Command {
  return withConnection(new Command('approve'))
    .summary('let a node in that waits, or end the suspicion that it was cloned')
    .description(
      'Compare the key with the one that the device shows (`flotilla-agent join` and `status` print it) before you say yes.',
    )
    .argument('<name>', 'the node')
    .option('--key <sha256:...>', 'approve only a device with this key')
    .option(...YES)
    .action((name: string, options: StandingOptions) =>
      connected(context, options, async hub => {
        const key = options.key ?? (await keyOf(hub, name));
        await agree(context, `Let in node "${name}" with the key ${key}?`, {
          given: options.yes === true || options.key !== undefined,
          option: `--key ${key} once it was compared with what the device shows, or --yes`,
        });
        const path = `${GROUP}/${encodeURIComponent(name)}/approve`;
        await hub.client.call({ method: 'POST', path, body: { key } });
        context.terminal.print(`node/${name} approved (${key})`);
      }),
    );
}

function revokeCommand(context: Context): Command {
  return withConnection(new Command('revoke'))
    .summary('shut a node out: lost, stolen, replaced')
    .description(
      'Cuts its session, refuses its certificate and its renewal, ignores what it says, and prints what it could read. Its ' +
        'pods run on where it is. Its name is free for a device that joins with a new token.',
    )
    .argument('<name>', 'the node')
    .option(...YES)
    .action((name: string, options: StandingOptions) =>
      connected(context, options, async hub => {
        await hub.client.call({ path: pathOf(resourceOf('nodes'), null, name) });
        const what = 'its session is cut, and it can only join anew';
        await agree(context, `Shut out node "${name}" (${what})?`, { given: options.yes });
        const path = `${GROUP}/${encodeURIComponent(name)}/revoke`;
        const { readable } = await hub.client.call<{ readable: Readable }>({
          method: 'POST',
          path,
          body: {},
        });
        context.terminal.print(`node/${name} revoked`);
        for (const line of readableLines(readable)) context.terminal.print(line);
      }),
    );
}

/** Pure. */
export function readableLines({ bundles, secrets, sessionLives }: Readable): string[] {
  const session = sessionLives
    ? ['Its connection to the broker lives until it ends: docs/brokers.md says how to end it.']
    : [];
  const lines = [
    ...bundles.map(b => `  bundle ${b.namespace}/${b.name} revision ${b.revision}`),
    ...secrets.map(readableLine),
  ];
  const read = lines.length === 0 ? ['It could read nothing.'] : ['It could read:', ...lines];
  return [...session, ...read];
}

async function keyOf({ client }: Connected, name: string): Promise<string> {
  const node = await client.call<ApiObject>({ path: pathOf(resourceOf('nodes'), null, name) });
  const key = node.metadata.annotations?.[KEY_ANNOTATION];
  if (key !== undefined) return key;
  throw new CliError('refused', `node "${name}" has no key: it has not enrolled with this hub`);
}
