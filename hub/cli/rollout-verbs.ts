/** `flotilla rollout pause|resume|promote|abort`: a person's word on a rollout in waves; and why a node has what it has. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { RolloutView } from '../rollout/waves/view.js';
import type { Verb } from '../rollout/waves/verbs.js';
import { bundleOf } from './bundle-target.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { pathOf, resourceOf } from './resources.js';

interface Words {
  readonly summary: string;
  readonly description: string;
}

const WORDS: Readonly<Record<Verb, Words>> = {
  pause: {
    summary: 'tell no further node of the newest revision',
    description: 'Nodes that were told go on; no other is told until `flotilla rollout resume`.',
  },
  resume: {
    summary: 'go on with a paused rollout',
    description:
      'Goes on where it was paused, by a person or because too many nodes failed. Failures that are known by then count no more; new ones do.',
  },
  promote: {
    summary: 'let the wave under way pass',
    description:
      'Where waves are promoted by hand (--promotion manual): lets the one under way pass as soon as its nodes are well.',
  },
  abort: {
    summary: 'give the newest revision up and take nodes back',
    description:
      'Nodes go back to the last revision whose rollout was complete: at once where the newest is not healthy, else as many at once as ' +
      '--max-unavailable says. Without such a revision the bundle leaves them. No node begins with the aborted one again.',
  },
};

function rolloutPath(hub: Connected, name: string): string {
  return `${pathOf(resourceOf('bundles'), hub.namespace, name)}/rollout`;
}

export function verbCommand(context: Context, verb: Verb): Command {
  const { summary, description } = WORDS[verb];
  const command = withConnection(new Command(verb))
    .summary(summary)
    .description(description)
    .argument('<bundle>', 'bundle/NAME')
    .option('--reason <text>', 'kept with the rollout', '');
  if (verb === 'promote') {
    command
      .option('--wave <n>', 'only if that wave is under way; without it, the one under way now')
      .option('--force', 'at once, whatever those of its nodes say that were told');
  }
  return command.action(
    (
      target: string,
      options: ConnectionOptions & { reason: string; force?: boolean; wave?: string },
    ) =>
      connected(context, options, async hub => {
        const name = bundleOf(target);
        const wave = options.wave === undefined ? null : waveIn(options.wave);
        const seen = verb === 'promote' ? { seen: await seenOf(hub, { name, wave }) } : {};
        const force = options.force === true ? { force: true } : {};
        const { message } = await hub.client.call<{ message: string }>({
          method: 'POST',
          path: `${rolloutPath(hub, name)}/${verb}`,
          body: { reason: options.reason, ...force, ...seen },
        });
        context.terminal.print(`bundle/${name}: ${message}`);
      }),
  );
}

function waveIn(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new CliError('refused', `--wave ${text}: must be the number of a wave, from 1`);
}

/** What is under way as it is promoted: the hub refuses when it moved on. */
async function seenOf(
  hub: Connected,
  { name, wave }: { readonly name: string; readonly wave: number | null },
): Promise<{ revision: number; wave: number }> {
  const { spec, status } = await hub.client.call<RolloutView>({ path: rolloutPath(hub, name) });
  return { revision: spec.to.revision, wave: wave ?? Math.max(1, status.waves.length) };
}

/** Prints why the node has what it has of the bundle. */
export async function printWhy(
  context: Context,
  hub: Connected,
  of: { readonly name: string; readonly node: string; readonly output: 'text' | 'json' },
): Promise<void> {
  const query = { node: of.node };
  const { node } = await hub.client.call<RolloutView>({ path: rolloutPath(hub, of.name), query });
  if (node === null) return;
  const { terminal } = context;
  if (of.output === 'json') terminal.print(JSON.stringify({ bundle: of.name, ...node }));
  else terminal.print(`${node.node}: ${node.reason}`);
}
