/** `flotilla rollout simulate`: a rollout rehearsed here, by the controller's own decisions, against what the hub recorded of its fleet. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { parseLongDurationMs } from '../../protocol/duration.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import type { RehearsalBasis } from '../foresight/basis.js';
import { rehearse } from '../foresight/rehearse.js';
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../rollout/waves/plan.js';
import { selectorAfter, sourceOf } from './apply.js';
import { bundleOf } from './bundle-target.js';
import { inputOptions, type InputOptions } from './bundle-source.js';
import type { BundleApiObject } from './bundle-write.js';
import { connected, type Connected, type Context } from './context.js';
import { refuseSaidTwice, strategyOf } from './daemonset-options.js';
import { planAfter, planOptions, planText, type PlanOptions } from './plan-options.js';
import { rehearsalLines } from './rehearsal-text.js';
import { pathOf, resourceOf } from './resources.js';
import { strategyAfter, strategyOptions, type StrategyOptions } from './strategy-options.js';

interface SimulateOptions extends Partial<InputOptions>, PlanOptions, StrategyOptions {
  nodes?: string;
  allNodes?: boolean;
  runs?: string;
  seed: string;
  horizon: string;
  promoteAfter: string;
  failureRate?: string;
  output?: string;
}

const RUNS_MAX = 10_000;
const SEED_MAX = 0xffff_ffff;
const YEAR_MS = 366 * 86_400_000;

/** Without a plan a revision goes to everybody, whatever comes of it. */
const AT_ONCE: RolloutPlan = plainPlan({
  ...DEFAULT_PLAN,
  ...{ maxUnavailable: '100%', maxFailures: '100%' },
});

export function simulateCommand(context: Context): Command {
  return planOptions(strategyOptions(inputOptions(new Command('simulate'), 'optional')))
    .summary('rehearse a rollout against what was recorded of the fleet')
    .description(
      'Replays when the nodes were connected and how often and how fast they took to former revisions, and has the rollout decided as the hub ' +
        'decides it: how long until most nodes have it, which are never reached, what each gate would do. Nothing is written. Without options it ' +
        'goes on with the rollout that is under way, else with a next revision by the plan of the bundle; options change the plan for the ' +
        'rehearsal. Runs differ by chance; the same seed, fleet and history give the same answer.',
    )
    .argument('<bundle>', 'bundle/NAME')
    .option('--nodes <selector>', 'nodes that it would be for')
    .option('--all-nodes', 'it would be for every node')
    .option('--runs <n>', 'how often (default: 100; of more than 200 nodes fewer, at least 10)')
    .option('--seed <n>', 'which chances', '1')
    .option('--horizon <duration>', 'how far ahead', '7d')
    .option(
      '--promote-after <duration>',
      'a person promotes what waits for one after so long',
      '0s',
    )
    .option('--failure-rate <share>', 'of nodes, such as 5%, instead of what was recorded')
    .option('-o, --output <format>', 'json: all of it, for programs')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla rollout simulate bundle/web\n' +
        '  flotilla rollout simulate bundle/web --wave 1 --wave 25% --bake 1h --max-failures 2%\n' +
        '  flotilla rollout simulate bundle/web -f ./web --failure-rate 5% --runs 500 -o json',
    )
    .action((target: string, options: SimulateOptions) =>
      connected(context, options, hub => simulate(context, hub, { target, options })),
    );
}

async function simulate(
  context: Context,
  hub: Connected,
  { target, options }: { readonly target: string; readonly options: SimulateOptions },
): Promise<void> {
  const { terminal } = context;
  const name = bundleOf(target);
  if (options.output !== undefined && options.output !== 'json') {
    throw new CliError('refused', `-o ${options.output}: only json`);
  }
  const asked = limitsOf(options);
  const path = pathOf(resourceOf('bundles'), hub.namespace, name);
  const current = await hub.client.get<BundleApiObject>(path);
  const { filename } = options;
  const source =
    filename === undefined
      ? null
      : await sourceOf(context, hub, { bundle: name, ...options, filename });
  if (source !== null && source.name !== name) {
    throw new CliError('refused', `-f is of bundle ${source.name}, not ${name}`);
  }
  if (current === null && source === null && options.nodes === undefined && !options.allNodes) {
    throw new CliError(
      'refused',
      `there is no bundle ${name}: rehearse a new one with -f and --nodes`,
    );
  }
  if (source !== null && source.namespace !== hub.namespace) {
    const { namespace } = source;
    throw new CliError(
      'refused',
      `-f is in namespace ${namespace}, not ${hub.namespace}: pass -n ${namespace}`,
    );
  }
  const daemonSet = source?.daemonSet ?? null;
  refuseSaidTwice(daemonSet, options);
  const selector =
    daemonSet?.nodeSelector ?? selectorAfter(options, current?.spec.nodeSelector ?? null);
  const basis = await hub.client.call<RehearsalBasis>({
    path: `${path}/rehearsal`,
    query: { nodeSelector: selector },
  });
  if (basis.nodes.length === 0) {
    throw new CliError(
      'failed',
      `no node matches ${selector === '' ? 'yet' : selector}: nothing to rehearse`,
    );
  }
  const limits = { ...asked, runs: asked.runs ?? usualRuns(basis.nodes.length) };
  const strategy =
    source?.built?.document.strategy ??
    strategyAfter(options, strategyOf(daemonSet, basis.strategy ?? DEFAULT_STRATEGY));
  const plan = planAfter(options, current?.spec.rollout ?? null, daemonSet?.plan);
  const isOn = basis.rollout?.status.phase === 'progressing' && !isChanged(options);
  const rehearsal = rehearse(
    basis,
    { plan: isOn ? null : (plan ?? AT_ONCE), strategy, ...limits },
    done => terminal.progress([`run ${done} of ${limits.runs}`]),
  );
  terminal.progress([]);
  if (options.output === 'json') {
    const head = { kind: 'Rehearsal', apiVersion: 'flotilla.dev/v1', bundle: name };
    return terminal.write(
      `${JSON.stringify({ ...head, isUnderWay: isOn, ...rehearsal }, null, 2)}\n`,
    );
  }
  const revision = basis.newest?.revision ?? 0;
  const what = isOn
    ? `bundle/${name} revision ${revision} from where it is`
    : `bundle/${name} revision ${revision + 1}, a next one`;
  terminal.print(`rolled out: ${planText(isOn ? (basis.rollout?.spec.plan ?? null) : plan)}`);
  for (const line of rehearsalLines(rehearsal, what)) terminal.print(line);
}

/** Another rollout than the one that is under way. */
function isChanged({
  kubeconfig: _kubeconfig,
  context: _context,
  namespace: _namespace,
  runs: _runs,
  seed: _seed,
  horizon: _horizon,
  promoteAfter: _promoteAfter,
  failureRate: _failureRate,
  output: _output,
  ...others
}: SimulateOptions): boolean {
  return Object.values(others).some(one => one !== undefined);
}

/** Throws `CliError`. */
function limitsOf(options: SimulateOptions) {
  return {
    runs:
      options.runs === undefined
        ? null
        : whole('--runs', options.runs, { least: 1, most: RUNS_MAX }),
    seed: whole('--seed', options.seed, { least: 0, most: SEED_MAX }),
    horizonMs: duration('--horizon', options.horizon),
    promoteAfterMs: duration('--promote-after', options.promoteAfter),
    failureRate: options.failureRate === undefined ? null : shareOf(options.failureRate),
  };
}

/** A run over a thousand nodes and more takes some seconds. */
function usualRuns(nodes: number): number {
  return Math.min(100, Math.max(10, Math.ceil(20_000 / nodes)));
}

function whole(
  flag: string,
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new CliError('refused', `${flag} ${text}: a whole number from ${least} to ${most}`);
}

function duration(flag: string, text: string): number {
  const ms = parseLongDurationMs(text);
  if (ms !== null && ms <= YEAR_MS) return ms;
  throw new CliError('refused', `${flag} ${text}: such as 90s, 5m, 1d; at most a year`);
}

function shareOf(text: string): number {
  const percent = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return Number(percent) / 100;
  throw new CliError('refused', `--failure-rate ${text}: 0% to 100%`);
}
