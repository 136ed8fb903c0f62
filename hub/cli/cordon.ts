/** `flotilla cordon`, `uncordon` and `drain`: new things are kept away from a node, or come again. */
import { Command } from 'commander';
import { chosenNodes } from './chosen-nodes.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { patchNode } from './node-patch.js';

interface CordonOptions extends ConnectionOptions {
  selector?: string;
}

const MEANS =
  'A cordoned node begins with no bundle and no revision that it does not have; what runs there goes on, what is deleted or rolled back ' +
  'leaves it, and a rollout passes without it. When it is uncordoned it gets what the others have by then. At the device itself ' +
  '`flotilla-agent hold` keeps everything as it is.';

const DRAIN =
  'As cordon, for Flotilla moves no pods: each is meant for the nodes that its bundle selects. To have a bundle leave a node, take away the label that it ' +
  'selects (flotilla label), or apply it with another --nodes. A device that is shut down ends its pods by itself, each in its grace period.';

export function cordonCommand(context: Context): Command {
  return of(context, { name: 'cordon', isCordoned: true }).summary(
    'keep new bundles and revisions away from nodes',
  );
}

export function uncordonCommand(context: Context): Command {
  return of(context, { name: 'uncordon', isCordoned: false }).summary(
    'let nodes have new bundles and revisions again',
  );
}

/** With kubectl's options, that are about pods which would be evicted. */
export function drainCommand(context: Context): Command {
  return of(context, { name: 'drain', isCordoned: true })
    .summary('cordon; pods stay')
    .description(DRAIN)
    .option('--ignore-daemonsets', 'as without it: no pod is evicted')
    .option('--delete-emptydir-data', 'as without it: no pod is evicted')
    .option('--force', 'as without it: no pod is evicted');
}

function of(
  context: Context,
  { name, isCordoned }: { readonly name: string; readonly isCordoned: boolean },
): Command {
  const past = isCordoned ? 'cordoned' : 'uncordoned';
  return withConnection(new Command(name))
    .description(MEANS)
    .argument('[names...]', 'nodes')
    .option('-l, --selector <selector>', 'nodes by label, instead of names')
    .action((names: string[], { selector, ...options }: CordonOptions) =>
      connected(context, options, async hub => {
        for (const node of await chosenNodes(hub, { names, selector })) {
          const { unschedulable = false } = (node.spec ?? {}) as { unschedulable?: boolean };
          const isNew = unschedulable !== isCordoned;
          const patch = { spec: { unschedulable: isCordoned ? true : null } };
          if (isNew) await patchNode(hub, { name: node.metadata.name, patch });
          context.terminal.print(`node/${node.metadata.name} ${isNew ? '' : 'already '}${past}`);
        }
      }),
    );
}
