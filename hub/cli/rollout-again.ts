/** `flotilla rollout undo` and `rollout restart`: an earlier revision, or the newest with its pods begun anew, becomes the next one. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { SIGNATURES_FIELD } from '../rollout/release-here.js';
import { outcomeWarnings } from './apply-outcome.js';
import { bundleOf, revisionIn } from './bundle-target.js';
import type { BundleApiObject } from './bundle-write.js';
import { ApiError } from './client.js';
import { agree } from './consent.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { changesBetween } from './manifest-changes.js';
import { planText } from './plan-options.js';
import { pathOf, resourceOf } from './resources.js';
import { waitForRollout } from './rollout-wait.js';

interface AgainOptions extends ConnectionOptions {
  toRevision?: string;
  reason: string;
  dryRun?: boolean;
  prune?: boolean;
  wait?: boolean;
  timeout: string;
}

interface MadeAgain {
  readonly from: number;
  readonly to: number;
  readonly bundle: BundleApiObject;
}

type Verb = 'undo' | 'restart';

function againCommand(context: Context, verb: Verb): Command {
  return withConnection(new Command(verb))
    .argument('<bundle>', 'bundle/NAME')
    .option('--reason <text>', 'why: the change cause of the new revision', '')
    .option('--dry-run', 'let the hub check, say what would change; write nothing')
    .option('--wait', 'wait until every node is healthy')
    .option('--timeout <duration>', 'with --wait: how long', '5m')
    .action((target: string, options: AgainOptions) =>
      connected(context, options, hub => again(context, hub, { verb, target, options })),
    );
}

export function undoCommand(context: Context): Command {
  return againCommand(context, 'undo')
    .summary('make an earlier revision the next one')
    .description(
      'Makes the pods, ConfigMaps and images of an earlier revision a new revision, which goes through the fleet by the plan of the bundle. ' +
        'Nodes, strategy and plan stay as they are now. A rollout under way ends with it, as with an apply. Pods that the earlier revision ' +
        'lacks leave the nodes: on a terminal it asks first, elsewhere it wants --prune.',
    )
    .option('--to-revision <n>', 'which (default: the last one before the newest that went well)')
    .option('--prune', 'let what the earlier revision lacks leave the nodes unasked');
}

export function restartCommand(context: Context): Command {
  return againCommand(context, 'restart')
    .summary('begin every pod of a bundle anew')
    .description(
      'Makes a new revision that differs in the annotation kubectl.kubernetes.io/restartedAt of each pod: nodes begin their pods anew, by the ' +
        'plan of the bundle. An apply of the same manifests afterwards leaves the annotation and changes nothing.',
    );
}

async function again(
  context: Context,
  hub: Connected,
  { verb, target, options }: { verb: Verb; target: string; options: AgainOptions },
): Promise<void> {
  const { terminal } = context;
  const name = bundleOf(target);
  const path = pathOf(resourceOf('bundles'), hub.namespace, name);
  const { toRevision, reason } = options;
  const asked =
    toRevision === undefined ? {} : { toRevision: revisionIn('--to-revision', toRevision) };
  const send = (body: object, isDry: boolean) =>
    hub.client
      .call<MadeAgain>({
        ...{ method: 'POST', path: `${path}/${verb}`, body: { reason, ...body } },
        query: { dryRun: isDry ? 'All' : undefined },
      })
      .catch(unsigned(hub, { verb, name, asked: asked.toRevision }));
  const current = await hub.client.call<BundleApiObject>({ path });
  const seen = { seen: current.status?.revision ?? 1 };
  const would = await send({ ...asked, ...seen }, true);
  const { manifests } = current.spec;
  const { removed } = changesBetween(manifests, would.bundle.spec.manifests);
  const isDry = options.dryRun === true;
  for (const one of removed) {
    terminal.print(
      `${one} is not in revision ${would.to} and ${isDry ? 'would leave' : 'leaves'} the nodes`,
    );
  }
  if (isDry) {
    const { renderDiff } = await import('./bundle-diff.js');
    terminal.write(renderDiff(manifests, would.bundle.spec.manifests));
    terminal.print(`rolled out: ${planText(would.bundle.spec.rollout ?? null)}`);
    terminal.print(`${doneText(verb, name, would)} (server dry run)`);
    return;
  }
  if (removed.length > 0) {
    await agree(context, `Let go ${removed.join(', ')} from the nodes?`, {
      ...{ given: options.prune, option: '--prune to let them go' },
    });
  }
  // What was shown is what is done, or nothing.
  const made = await send({ ...(verb === 'undo' ? { toRevision: would.to } : {}), ...seen }, false);
  terminal.print(doneText(verb, name, made));
  for (const line of await outcomeWarnings(hub, made.bundle)) terminal.warn(line);
  if (options.wait === true) {
    const { timeout } = options;
    await waitForRollout(context, hub, { name, timeout, output: 'text', hasAnswered: true });
  }
}

/** As kubectl says it, with the number of the revision that was made. */
function doneText(verb: Verb, name: string, { to, bundle }: MadeAgain): string {
  const revision = bundle.status?.revision ?? 0;
  if (verb === 'restart') return `bundle/${name} restarted (revision ${revision})`;
  return `bundle/${name} rolled back to revision ${to} (revision ${revision})`;
}

/** A fleet that keeps its release keys off the hub: says what to type. */
function unsigned(
  { namespace }: Connected,
  of: { readonly verb: Verb; readonly name: string; readonly asked: number | undefined },
) {
  return (error: unknown): never => {
    if (!(error instanceof ApiError) || !error.fields.includes(SIGNATURES_FIELD)) throw error;
    const { verb, name, asked } = of;
    const file = `${name}.bundle`;
    const what = `bundle/${name} -n ${namespace}`;
    const which = asked ?? 'N';
    const lines = [
      'the release keys of this fleet are not at the hub. Take the manifests, let those who hold the keys sign them, apply them:',
      ...(asked === undefined ? [`  flotilla rollout history ${what}`] : []),
      `  flotilla rollout history ${what} --revision ${which} -o manifests > ${name}.yaml`,
      ...(verb === 'restart'
        ? [
            `  (in ${name}.yaml, another value of the annotation kubectl.kubernetes.io/restartedAt for each pod)`,
          ]
        : []),
      `  flotilla bundle build -f ${name}.yaml --bundle ${name} -n ${namespace} -o ${file}`,
      `  flotilla bundle sign ${file} --key KEY`,
      `  flotilla apply -f ${file}`,
    ];
    throw new CliError('refused', error.message.split('\n')[0] ?? '', lines.join('\n'));
  };
}
