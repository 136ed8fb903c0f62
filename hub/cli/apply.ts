/** `flotilla apply`: a folder of manifests becomes the next revision of a bundle. */
import { Command } from 'commander';
import { parseSelector, SelectorError } from '../selectors.js';
import { SIGNATURES_FIELD } from '../rollout/release-here.js';
import { secretsToSeal } from './apply-secrets.js';
import { bundlePath, metadataAfter, writeBundle, type BundleApiObject } from './bundle-write.js';
import {
  aloneWarnings,
  bundleWarnings,
  graceWarnings,
  runningOf,
  farWindowWarnings,
  windowWarnings,
} from './bundle-warnings.js';
import { inputOptions, readSource, type BundleSource, type InputOptions } from './bundle-source.js';
import { ApiError } from './client.js';
import { connected, type Connected, type Context } from './context.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { boundImages } from '../../protocol/image-binding.js';
import { CliError } from '../../protocol/cli-error.js';
import { refuseConflict } from './conflict-preview.js';
import { changesBetween } from './manifest-changes.js';
import { withRestarts } from './kept-restarts.js';
import { outcomeLine, outcomeWarnings, saidOf } from './apply-outcome.js';
import { applyFlags, daemonSetWarnings, refuseSaidTwice, strategyOf } from './daemonset-options.js';
import { mayRemove, removalLines, removalOf } from './apply-removal.js';
import { pinImages, pinLines, PIN_HELP } from './pin-images.js';
import { waitForRollout } from './rollout-wait.js';
import { shellWord } from './shell-word.js';
import {
  strategyAfter,
  strategyOptions,
  strategyText,
  type StrategyOptions,
} from './strategy-options.js';
import { DEFAULT_STRATEGY, sameStrategy } from '../../protocol/strategy.js';
import type { ImageSizes } from '../foresight/images.js';
import { printPrice, withoutLines } from './price.js';
import { samePlan } from '../rollout/waves/plan.js';
import { planWarnings } from './plan-warnings.js';
import { planAfter, planOptions, planText, type PlanOptions } from './plan-options.js';

interface ApplyOptions extends InputOptions, StrategyOptions, PlanOptions {
  nodes?: string;
  allNodes?: boolean;
  dryRun?: string | boolean;
  prune?: boolean;
  pin?: boolean;
  changeCause?: string;
  wait?: boolean;
  timeout?: string;
  output?: string;
  node?: string;
  allowUnknown?: boolean;
  secretsKey?: string;
  passphraseFile?: string;
  acceptNewKeys?: boolean;
}

export function applyCommand(context: Context): Command {
  return planOptions(strategyOptions(inputOptions(new Command('apply'))))
    .summary('make manifests the next revision of a bundle and roll it out')
    .description(
      'Makes the Pods that -f names, or the pod of a DaemonSet, and the ConfigMaps that they use, the whole content of a bundle. A ' +
        'DaemonSet says its nodes, updateStrategy and minReadySeconds itself. Each change is a new signed revision; applying the same again ' +
        'changes nothing. What is missing from the input leaves the nodes, and the bundle leaves nodes that are no longer ' +
        'selected: on a terminal it asks first, elsewhere it wants --prune. Secrets among the input are sealed here for each node; the hub gets what it cannot read.',
    )
    .option(
      '--nodes <selector>',
      'nodes that run it, by label (site=harbour,arch in (arm64,amd64))',
    )
    .option('--all-nodes', 'every node runs it, those that join later too')
    .option('--dry-run [mode]', 'client: check here; server: let the hub check; write nothing')
    .option('-o, --output <format>', 'with --dry-run: json: what it costs each node, for programs')
    .option('--node <name>', 'with --dry-run: what it costs this node')
    .option('--pin', PIN_HELP)
    .option(
      '--prune',
      'let what is missing from the input, or no longer selected, leave the nodes unasked',
    )
    .option(
      '--secrets-key <file>',
      "key that signs secrets, where the fleet's root keeps it off the hub",
    )
    .option('--passphrase-file <file>', 'passphrase of that key, where nobody can type it')
    .option('--accept-new-keys', 'other sealing keys of nodes than before are right')
    .option(
      '--change-cause <text>',
      'why, kept with the revision: flotilla rollout history shows it',
    )
    .option('--wait', 'wait until every node is healthy')
    .option('--timeout <duration>', 'with --wait: how long', '5m')
    .option(
      '--allow-unknown',
      'with --wait: nodes that cannot know how their pods are count as done',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla apply -f ./web --all-nodes --pin\n  flotilla apply -f pod.yaml --bundle web --nodes site=harbour --wait\n' +
        '  flotilla apply -f daemonset.yaml --wait      # nodes and maxUnavailable are in the file\n' +
        '  cat *.yaml | flotilla apply -f - --bundle web --prune\n  flotilla apply -f web.bundle --all-nodes     # signed elsewhere: flotilla bundle build\n' +
        '  flotilla apply -f ./web --dry-run --pin      # which pods restart, for how long, bytes over MQTT and from registries\n' +
        '  flotilla apply -f ./web --dry-run -o json | jq .nodes',
    )
    .action((options: ApplyOptions) =>
      connected(context, options, hub => apply(context, hub, options)),
    );
}

/** What `-f` names. Throws `CliError`. */
export function sourceOf(
  context: Context,
  hub: Connected,
  options: InputOptions,
): Promise<BundleSource> {
  const { namespace } = hub;
  return readSource(options, { stdin: context.terminal.stdin, namespace });
}

/** What the images of this input are bound to, and how large they are where registries were asked: those of a built bundle as it says. */
export async function imagesAfter(
  context: Context,
  source: BundleSource,
  isPinned: boolean,
): Promise<{ readonly images: readonly ImageEntry[]; readonly sizes: ImageSizes }> {
  if (!isPinned) {
    return { images: boundImages(source.built?.document.images ?? []), sizes: new Map() };
  }
  const { entries: images, sizes } = await pinImages(context, source);
  return { images, sizes };
}

/** Null: it is not there. */
export function currentBundle(
  hub: Connected,
  source: BundleSource,
): Promise<BundleApiObject | null> {
  return hub.client.get<BundleApiObject>(bundlePath(source));
}

/** The bundle's selector after this apply; throws when a new bundle has none. */
export function selectorAfter(
  options: { nodes?: string; allNodes?: boolean },
  current: string | null,
): string {
  if (options.nodes !== undefined && options.allNodes) {
    throw new CliError('refused', 'either --nodes or --all-nodes');
  }
  if (options.allNodes) return '';
  const selector = options.nodes ?? current;
  if (selector === null) {
    throw new CliError(
      'refused',
      'which nodes run this new bundle? pass --nodes SELECTOR or --all-nodes',
    );
  }
  try {
    if (options.nodes !== undefined && parseSelector(selector).length === 0) {
      throw new CliError('refused', '--nodes "" selects nothing in particular; say --all-nodes');
    }
  } catch (error) {
    if (error instanceof SelectorError) throw new CliError('refused', `--nodes: ${error.message}`);
    throw error;
  }
  return selector;
}

function dryRunMode(option: string | boolean | undefined): 'none' | 'client' | 'server' {
  if (option === undefined || option === 'none') return 'none';
  if (option === true || option === 'client') return 'client';
  if (option === 'server') return 'server';
  throw new CliError('refused', `--dry-run takes none, client or server, not "${String(option)}"`);
}

async function apply(asked: Context, hub: Connected, options: ApplyOptions): Promise<void> {
  const input = await sourceOf(asked, hub, options);
  const mode = dryRunMode(options.dryRun);
  refusePriceOptions(mode, options);
  // Whoever reads JSON reads nothing else.
  const context = options.output === undefined ? asked : withoutLines(asked);
  const current = await currentBundle(hub, input);
  const source = withRestarts(input, current?.spec.manifests ?? []);
  const { namespace, name, manifests, pods, daemonSet } = source;
  refuseSaidTwice(daemonSet, options);
  for (const warning of daemonSetWarnings(daemonSet)) context.terminal.warn(warning);
  for (const warning of bundleWarnings(pods, current && runningOf(current)))
    context.terminal.warn(warning);
  const selector =
    daemonSet?.nodeSelector ?? selectorAfter(options, current?.spec.nodeSelector ?? null);
  const former = current?.spec.strategy ?? DEFAULT_STRATEGY;
  const strategy =
    source.built?.document.strategy ?? strategyAfter(options, strategyOf(daemonSet, former));
  refuseStrategyOfBuilt(options, source);
  const plan = planAfter(options, current?.spec.rollout ?? null, daemonSet?.plan);
  const isPlannedAlike = samePlan(current?.spec.rollout, plan ?? undefined);
  const graces = graceWarnings(current?.spec.manifests ?? [], strategy);
  const windows = [
    ...windowWarnings(strategy),
    ...farWindowWarnings(strategy, context.clock.now()),
  ];
  for (const warning of [...graces, ...windows]) context.terminal.warn(warning);
  for (const warning of await planWarnings(hub, plan, selector)) context.terminal.warn(warning);
  const changes = changesBetween(current?.spec.manifests ?? [], manifests);
  const { images, sizes } = await imagesAfter(context, source, options.pin === true);
  for (const warning of aloneWarnings(pods, strategy, images)) context.terminal.warn(warning);
  const pins = pinLines(current?.spec.images ?? [], images);
  for (const line of pins) context.terminal.print(line);
  const removal = await removalOf(hub, current, { manifests: changes.removed, selector });
  if (mode === 'none') await mayRemove(context, removal, options.prune);
  const toSeal = await secretsToSeal(context, hub, {
    ...{ namespace, bundle: name, nodeSelector: selector },
    input: source,
  });
  const dryRun = mode === 'server';
  const put = (isDry: boolean) =>
    writeBundle(hub.client, source, {
      ...{ current, selector, images, strategy, plan, dryRun: isDry },
      changeCause: options.changeCause ?? daemonSet?.changeCause ?? '',
    }).catch(unsigned(options, source));
  const nodeSelector = selector;
  // Whatever is refused is refused before anything is said about it, or sealed.
  if (mode === 'client') {
    await refuseConflict(hub, { namespace, name, nodeSelector, manifests }, current);
  }
  const checked = dryRun || (mode === 'none' && toSeal.changes) ? await put(true) : null;
  if (mode !== 'none') {
    for (const line of removalLines(removal, true)) context.terminal.print(line);
    const was = sameStrategy(former, strategy) ? '' : ` (was: ${strategyText(former)})`;
    context.terminal.print(`judged by ${strategyText(strategy)}${current === null ? '' : was}`);
    context.terminal.print(`rolled out: ${planText(plan)}`);
    const priced = { namespace, name, nodeSelector, manifests, images, strategy, sizes };
    await printPrice(asked, hub, priced, options);
  }
  if (mode === 'client') {
    toSeal.tell('dry run');
    const changed =
      current !== null &&
      changes.added.length + changes.changed.length + changes.removed.length + pins.length > 0;
    const isJudgedAlike = sameStrategy(former, strategy);
    const metadata = { name, ...metadataAfter(source, current) };
    const isSaidAlike = current !== null && saidOf({ metadata }) === saidOf(current);
    const isAlike = isJudgedAlike && isPlannedAlike && isSaidAlike;
    const same = current?.spec.nodeSelector === selector && isAlike && !changed;
    context.terminal.print(
      `bundle/${name} ${current === null ? 'created' : same ? 'unchanged' : 'configured'} (dry run)`,
    );
    return;
  }
  if (dryRun) toSeal.tell('server dry run');
  else await toSeal.carryOut({ ...options, key: options.secretsKey });
  const after = dryRun && checked !== null ? checked : await put(false);
  context.terminal.print(outcomeLine(current, after, dryRun));
  const isNew = current?.status?.digest !== after.status?.digest;
  if (mode === 'none' && plan !== null && isNew) {
    context.terminal.print(`rolled out: ${planText(plan)}`);
  }
  for (const line of await outcomeWarnings(hub, after)) context.terminal.warn(line);
  if (!isPlannedAlike && !isNew) {
    context.terminal.warn('the plan counts from the next revision on');
  }
  if (options.wait && mode === 'none') {
    const { client } = hub;
    const timeout = options.timeout ?? '5m';
    const allowUnknown = options.allowUnknown === true;
    const wait = { name, timeout, allowUnknown, output: 'text', hasAnswered: true } as const;
    await waitForRollout(context, { client, namespace }, wait);
  }
}

/** Throws `CliError`. */
function refusePriceOptions(
  mode: ReturnType<typeof dryRunMode>,
  { output, node }: Pick<ApplyOptions, 'output' | 'node'>,
): void {
  if (output !== undefined && output !== 'json') {
    throw new CliError('refused', `-o ${output}: only json`);
  }
  if (mode !== 'none' || (output ?? node) === undefined) return;
  throw new CliError('refused', '-o json and --node say what an apply would cost: with --dry-run');
}

/** It is signed with the rest. */
function refuseStrategyOfBuilt(options: ApplyOptions, source: BundleSource): void {
  const { progressDeadline, minReady, onFailure, window, require } = options;
  const given = [progressDeadline, minReady, onFailure, window, require].some(
    value => value !== undefined,
  );
  if (source.built === null || !given) return;
  throw new CliError(
    'refused',
    '--progress-deadline, --min-ready, --on-failure, --window and --require are signed with the bundle',
    'say them to `flotilla bundle build`',
  );
}

/** A fleet that keeps its release keys off the hub: says what to type, with the names of this very apply. */
function unsigned(options: ApplyOptions, source: BundleSource) {
  return (error: unknown): never => {
    const isUnsigned = error instanceof ApiError && error.fields.includes(SIGNATURES_FIELD);
    if (!isUnsigned) throw error;
    const { namespace, name } = source;
    const file = `${name}.bundle`;
    const inputs = options.filename.map(path => `-f ${shellWord(path === '-' ? 'FILE' : path)}`);
    const { nodes: selector, allNodes } = options;
    const nodes =
      source.daemonSet !== null
        ? applyFlags(source.daemonSet)
        : [
            ...(selector === undefined ? [] : [`--nodes ${shellWord(selector)}`]),
            ...(allNodes ? ['--all-nodes'] : []),
          ];
    const commands = [
      ['build', ...inputs, ...(options.recursive ? ['-R'] : []), ...(options.pin ? ['--pin'] : [])]
        .concat([`--bundle ${name}`])
        .concat([`-n ${namespace}`, `-o ${file}`])
        .join(' '),
      `sign ${file} --key KEY`,
    ];
    const apply = ['apply', `-f ${file}`, ...nodes];
    const lines = [
      'the release keys of this fleet are not at the hub. Build the bundle, let those who hold the keys sign it, apply it:',
      ...commands.map(command => `  flotilla bundle ${command}`),
      `  flotilla ${apply.join(' ')}`,
    ];
    throw new CliError('refused', error.message.split('\n')[0] ?? '', lines.join('\n'));
  };
}
