/** `flotilla node`: a person's word on which devices belong to the fleet. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { Readable } from '../ports.js';
import type { ApiObject } from './client.js';
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
    .summary('let devices in, shut devices out')
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
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: StandingOptions) =>
      connected(context, options, async hub => {
        const key = options.key ?? (await keyOf(hub, name));
        if (options.key === undefined && !options.yes && !context.terminal.interactive) {
          throw new CliError(
            'refused',
            `node "${name}" has the key ${key}: nobody is here to compare it with the device`,
            `pass --key ${key} once it was compared, or --yes`,
          );
        }
        await confirm(context, options, `Let in node "${name}" with the key ${key}?`);
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
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: StandingOptions) =>
      connected(context, options, async hub => {
        await confirm(context, options, `Shut out node "${name}"? It can only join anew.`);
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

async function confirm(
  { terminal }: Context,
  { yes }: StandingOptions,
  question: string,
): Promise<void> {
  if (yes || !terminal.interactive) return;
  const answer = await terminal.ask(`${question} [y/N] `);
  if (answer !== null && !/^y(es)?$/i.test(answer.trim())) {
    throw new CliError('refused', 'nothing was changed');
  }
}
