/** `flotilla rollout status` waits for a bundle to be healthy on its nodes; `retry` gives it another chance where it failed. */
import { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { CliError } from '../../protocol/cli-error.js';
import { pathOf, resourceOf } from './resources.js';
import type { Activated } from '../ports.js';
import { VERBS } from '../rollout/waves/verbs.js';
import { bundleOf } from './bundle-target.js';
import { restartCommand, undoCommand } from './rollout-again.js';
import { historyCommand } from './rollout-history.js';
import { simulateCommand } from './rollout-simulate.js';
import { printWhy, verbCommand } from './rollout-verbs.js';
import { waitForRollout } from './rollout-wait.js';

interface StatusOptions extends ConnectionOptions {
  timeout: string;
  allowUnknown?: boolean;
  watch: boolean;
  output?: string;
  why?: string;
}

export function rolloutCommand(context: Context): Command {
  const status = withConnection(new Command('status'))
    .summary('wait until a bundle is healthy on its nodes')
    .description(
      'Waits until every node that the bundle selects says that the newest revision is healthy there; in waves, until the rollout is complete.\n' +
        'Exit code: 0 healthy or complete, 3 timed out, 4 failed or undone on a node, or not known, and nothing is left to wait for; paused, ' +
        'aborted, or withdrawn by the root.',
    )
    .argument('<bundle>', 'bundle/NAME')
    .option('--timeout <duration>', 'how long to wait; 0 = for ever', '5m')
    .option('-w, --watch', 'wait (--no-watch: say how it stands and leave)', true)
    .option('--no-watch')
    .option('--allow-unknown', 'nodes that cannot know how their pods are count as done')
    .option('-o, --output <format>', 'json: one event per change')
    .option('--why <node>', 'say why this node has what it has, and leave')
    .action((target: string, options: StatusOptions) =>
      connected(context, options, hub => {
        if (options.output !== undefined && options.output !== 'json') {
          throw new CliError('refused', `-o ${options.output}: only json`);
        }
        const name = bundleOf(target);
        const output = options.output === 'json' ? 'json' : 'text';
        if (options.why !== undefined) {
          return printWhy(context, hub, { name, node: options.why, output });
        }
        return waitForRollout(context, hub, {
          ...{ name, output },
          timeout: options.timeout,
          watch: options.watch,
          allowUnknown: options.allowUnknown === true,
        });
      }),
    );
  const rollout = new Command('rollout')
    .summary('follow rollouts')
    .addCommand(status)
    .addCommand(historyCommand(context))
    .addCommand(undoCommand(context))
    .addCommand(restartCommand(context))
    .addCommand(simulateCommand(context));
  for (const verb of VERBS) rollout.addCommand(verbCommand(context, verb));
  return rollout.addCommand(retryCommand(context)).addCommand(activateCommand(context));
}

function activateCommand(context: Context): Command {
  return withConnection(new Command('activate'))
    .summary('let nodes wait no longer for a maintenance window or for a pod that asks for time')
    .description(
      'Says in the assignment of each node where the newest revision does not run yet that it waits for no maintenance window and no ' +
        'lock of a pod, and who wants that and why; a node that is away finds it when it comes back. Where the revision was given up and ' +
        'a lock keeps it there, it is the way back that does not wait. It counts for this revision alone. ' +
        'With the update strategy on-delete it lets nodes begin; one that then waits for its window does so until this is said again.',
    )
    .argument('<bundle>', 'bundle/NAME')
    .requiredOption(
      '--now',
      'outside its maintenance windows and those of the nodes, whatever lock a pod holds',
    )
    .option('--node <name>', 'only this node; may be given again', collect)
    .option('--reason <text>', "told in the nodes' journals and events", '')
    .action((target: string, options: ConnectionOptions & { node?: string[]; reason: string }) =>
      connected(context, options, async hub => {
        const name = bundleOf(target);
        const path = `${pathOf(resourceOf('bundles'), hub.namespace, name)}/activate`;
        const body = { nodes: options.node ?? [], reason: options.reason };
        const answer = await hub.client.call<Activated>({
          ...{ method: 'POST', path, body },
        });
        for (const line of activatedLines(name, answer)) context.terminal.print(line);
      }),
    );
}

/** Who was told, and where it changes nothing yet. Pure. */
export function activatedLines(bundle: string, { nodes, held }: Activated): string[] {
  const free = nodes.filter(node => held.every(one => one.node !== node));
  const told =
    free.length > 0
      ? [`bundle/${bundle} waits for windows and locks no longer on ${free.join(', ')}`]
      : held.length > 0
        ? []
        : [`bundle/${bundle}: it waits nowhere`];
  const kept = held.map(
    ({ node, message }) =>
      `${node} keeps what runs: ${message}; --now counts once it is released there`,
  );
  return [...told, ...kept];
}

function retryCommand(context: Context): Command {
  return withConnection(new Command('retry'))
    .summary('let nodes try a revision again that they gave up')
    .description(
      'Raises the attempt in the assignment of each node that gave the newest revision up. No node tries it again by itself.',
    )
    .argument('<bundle>', 'bundle/NAME')
    .option('--node <name>', 'only this node; may be given again', collect)
    .action((target: string, options: ConnectionOptions & { node?: string[] }) =>
      connected(context, options, async hub => {
        const name = bundleOf(target);
        const path = `${pathOf(resourceOf('bundles'), hub.namespace, name)}/retry`;
        const body = { nodes: options.node ?? [] };
        const { nodes } = await hub.client.call<{ nodes: string[] }>({
          ...{ method: 'POST', path, body },
        });
        const { terminal } = context;
        if (nodes.length === 0) terminal.print(`bundle/${name}: no node gave it up`);
        else terminal.print(`bundle/${name} is tried again on ${nodes.join(', ')}`);
      }),
    );
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];
