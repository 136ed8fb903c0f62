/** `flotilla diff`: what an apply would change, or what differs between revisions. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { currentBundle, imagesAfter, sourceOf } from './apply.js';
import { daemonSetWarnings, strategyOf } from './daemonset-options.js';
import { secretDifferences } from './apply-secrets.js';
import { inputOptions, type InputOptions } from './bundle-source.js';
import { metadataAfter } from './bundle-write.js';
import { connected, type Connected, type Context } from './context.js';
import { revisionDiff, type RevisionDiffOptions } from './diff-revisions.js';
import { withRestarts } from './kept-restarts.js';
import { planAfter } from './plan-options.js';
import { printPrice } from './price.js';
import { pinLines, PIN_HELP } from './pin-images.js';

interface DiffOptions extends Partial<InputOptions>, RevisionDiffOptions {
  pin?: boolean;
  output?: string;
}

type InputDiff = InputOptions & Pick<DiffOptions, 'pin' | 'node' | 'output'>;

export function diffCommand(context: Context): Command {
  return inputOptions(new Command('diff'), 'optional')
    .summary('show what apply would change, or what differs between revisions')
    .description(
      'With -f prints what differs between a bundle at the hub and the input; with bundle/NAME, between two of its revisions, or between what ' +
        'a node runs and a revision. Exit code: 0 same, 1 differs, more is an error.\n' +
        'Where -f differs it says on stderr what that costs: pods that restart and for how long, bytes over MQTT and from registries (known ' +
        'with --pin), disk after. What was never measured is unknown.',
    )
    .argument('[bundle]', 'bundle/NAME: two of its revisions, instead of -f')
    .option('--pin', PIN_HELP)
    .option('--revision <n>', 'from this revision (default: the one before the other)')
    .option('--to-revision <n>', 'to this revision (default: the newest)')
    .option('--node <name>', 'from what this node runs; with -f: what it costs this node')
    .option('-o, --output <format>', 'with -f: json: what it costs each node, instead of the diff')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla diff -f ./web --pin\n  flotilla diff -f ./web --node edge-7\n  flotilla diff -f ./web -o json | jq .nodes\n' +
        '  flotilla diff bundle/web --to-revision 3',
    )
    .action((target: string | undefined, options: DiffOptions) =>
      connected(context, options, async hub => {
        const text =
          target === undefined
            ? await inputDiff(context, hub, withInput(options))
            : await revisionDiff(hub, target, alone(options));
        if (text === '') return;
        if (options.output === undefined) context.terminal.write(text);
        context.exit(1);
      }).catch((error: unknown) => {
        // 1 says "differs": whatever goes wrong must be more.
        if (error instanceof CliError && error.exit === 'failed') {
          throw new CliError('refused', error.message, error.hint);
        }
        throw error;
      }),
    );
}

/** The options of a diff of two revisions; throws for those of an input. */
function alone(options: DiffOptions): RevisionDiffOptions {
  const { filename, pin, bundle, recursive, output } = options;
  const isOfInput = [filename, pin, bundle, recursive, output].some(one => one !== undefined);
  if (!isOfInput) return options;
  throw new CliError('refused', 'either bundle/NAME, or -f with its options');
}

function withInput(options: DiffOptions): InputDiff {
  const { filename, revision, toRevision, node, output } = options;
  if (output !== undefined && output !== 'json') {
    throw new CliError('refused', `-o ${output}: only json`);
  }
  const isOfBundle = revision !== undefined || toRevision !== undefined;
  if (isOfBundle || (node !== undefined && filename === undefined)) {
    throw new CliError(
      'refused',
      '--revision and --to-revision are of a bundle, and so is --node without -f: flotilla diff bundle/NAME',
    );
  }
  if (filename !== undefined) return { ...options, filename };
  throw new CliError('refused', 'what is to be compared? -f PATH, or bundle/NAME');
}

/** Empty: an apply would change nothing. */
async function inputDiff(context: Context, hub: Connected, options: InputDiff): Promise<string> {
  const input = await sourceOf(context, hub, options);
  const current = await currentBundle(hub, input);
  const source = withRestarts(input, current?.spec.manifests ?? []);
  const { namespace, name: bundle, daemonSet } = source;
  for (const warning of daemonSetWarnings(daemonSet)) context.terminal.warn(warning);
  const { images, sizes } = await imagesAfter(context, source, options.pin === true);
  const pins = pinLines(current?.spec.images ?? [], images).map(line => `${line}\n`);
  const secrets = await secretDifferences(hub, { namespace, bundle, input: source });
  const { renderDiff, renderSettingsDiff, renderStrategyDiff, settingsOf } =
    await import('./bundle-diff.js');
  const manifests = renderDiff(current?.spec.manifests ?? [], source.manifests);
  const judged = current?.spec.strategy ?? DEFAULT_STRATEGY;
  const strategy =
    daemonSet === null ? source.built?.document.strategy : strategyOf(daemonSet, judged);
  const passage = strategy && current ? renderStrategyDiff(judged, strategy) : '';
  const said = daemonSet && {
    ...metadataAfter(source, current),
    nodeSelector: daemonSet.nodeSelector,
    rollout: planAfter({}, current?.spec.rollout ?? null, daemonSet.plan),
  };
  const settings = said && renderSettingsDiff(bundle, current && settingsOf(current), said);
  const text = [settings ?? '', manifests, passage, ...pins, ...secrets].join('');
  // A new bundle's nodes are said by an apply, or by a DaemonSet.
  const nodeSelector = daemonSet?.nodeSelector ?? current?.spec.nodeSelector;
  if (nodeSelector !== undefined && (text !== '' || options.output !== undefined)) {
    const { manifests: after } = source;
    const priced = { namespace, name: bundle, nodeSelector, manifests: after, images, sizes };
    const judgedBy = { strategy: strategy ?? judged };
    const print = (line: string) => context.terminal.warn(line);
    await printPrice(context, hub, { ...priced, ...judgedBy }, { ...options, print });
  }
  return text;
}
