/** How a revision goes through the fleet, as `apply` takes it from the command line. */
import type { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { formatDuration, parseLongDurationMs } from '../../protocol/duration.js';
import { parseWindowText } from '../../protocol/maintenance-window.js';
import {
  DEFAULT_PLAN,
  plainPlan,
  planFault,
  waveWords,
  type RolloutPlan,
  type Wave,
} from '../rollout/waves/plan.js';
import type { Share } from '../rollout/waves/share.js';

export interface PlanOptions {
  atOnce?: boolean;
  wave?: readonly string[];
  maxUnavailable?: string;
  maxFailures?: string;
  minSample?: string;
  updateStrategy?: string;
  bake?: string;
  promotion?: string;
  offline?: string;
  offlineDeadline?: string;
  onMaxFailures?: string;
  gateUnknown?: string;
  pace?: string;
}

const FLAGS: Readonly<Record<keyof RolloutPlan, string>> = {
  waves: '--wave',
  maxUnavailable: '--max-unavailable',
  maxFailures: '--max-failures',
  minSample: '--min-sample',
  updateStrategy: '--update-strategy',
  bakeSeconds: '--bake',
  promotion: '--promotion',
  offlinePolicy: '--offline',
  offlineDeadlineSeconds: '--offline-deadline',
  onMaxFailures: '--on-max-failures',
  allowUnknown: '--gate-unknown',
  nodesPerMinute: '--pace',
};

const STRATEGY_WORDS: Readonly<Record<string, string>> = { 'on-delete': 'onDelete' };

export function planOptions(command: Command): Command {
  const { maxUnavailable, maxFailures, offlinePolicy } = DEFAULT_PLAN;
  return command
    .option(
      '--wave <nodes>',
      'roll out in waves: until so many nodes have it (1, 25%), or those of a selector (region=north); may be given again; ' +
        "the rest follows. During a window ('25% during 0 2 * * sun for 4h in Europe/Berlin') a wave begins, and takes nodes, " +
        'only then',
      (value: string, former: string[] | undefined) => [...(former ?? []), value],
    )
    .option(
      '--max-unavailable <nodes>',
      `so many may be on the way at once, 2 or 10% (new plan: ${maxUnavailable})`,
    )
    .option(
      '--max-failures <nodes>',
      `more failed nodes end the rollout, 2 or 10% of those asked so far (new plan: ${maxFailures})`,
    )
    .option(
      '--on-max-failures <what>',
      'then pause the rollout, or rollback all nodes (new plan: pause)',
    )
    .option(
      '--min-sample <nodes>',
      'of each wave but the last so many nodes must have shown how the revision is there, 3 or 50%; auto: half of them, at most 3 ' +
        '(new plan: auto)',
    )
    .option(
      '--update-strategy <how>',
      'rolling; on-delete: what runs on a node stays until a person says so: `rollout activate --now --node` (new plan: rolling)',
    )
    .option('--bake <duration>', 'between a wave that is well and the next')
    .option(
      '--promotion <how>',
      'automatic; manual: each wave but the last waits for `rollout promote`',
    )
    .option(
      '--offline <what>',
      `nodes that are away when their wave begins: skip or wait (new plan: ${offlinePolicy})`,
    )
    .option(
      '--offline-deadline <duration>',
      'wait so long for nodes that are silent (new plan: 1h)',
    )
    .option(
      '--gate-unknown <what>',
      'nodes that cannot know how their pods are: allow or refuse to count them as healthy',
    )
    .option('--pace <nodes>', 'tell at most so many nodes a minute; 0: any number')
    .option('--at-once', 'no plan: the next revisions go to all nodes at once');
}

/**
 * What the options do not say stays as the bundle has it; null: to all nodes at once. `said`: by a DaemonSet, where options do not.
 * Throws `CliError`.
 */
export function planAfter(
  options: PlanOptions,
  current: RolloutPlan | null,
  said: Partial<RolloutPlan> | null = null,
): RolloutPlan | null {
  const { atOnce, wave, maxUnavailable, maxFailures, minSample, bake, promotion } = options;
  const { updateStrategy } = options;
  const { offline, offlineDeadline, onMaxFailures, gateUnknown, pace } = options;
  const change: Partial<Record<keyof RolloutPlan, unknown>> = {
    ...(wave === undefined ? {} : { waves: wave.map(waveOf) }),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable: shareOf(maxUnavailable) }),
    ...(maxFailures === undefined ? {} : { maxFailures: shareOf(maxFailures) }),
    ...(minSample === undefined ? {} : { minSample: shareOf(minSample) }),
    ...(updateStrategy === undefined
      ? {}
      : { updateStrategy: STRATEGY_WORDS[updateStrategy] ?? updateStrategy }),
    ...(bake === undefined ? {} : { bakeSeconds: seconds('--bake', bake) }),
    ...(promotion === undefined ? {} : { promotion }),
    ...(offline === undefined ? {} : { offlinePolicy: offline }),
    ...(offlineDeadline === undefined
      ? {}
      : { offlineDeadlineSeconds: seconds('--offline-deadline', offlineDeadline) }),
    ...(onMaxFailures === undefined ? {} : { onMaxFailures }),
    ...(gateUnknown === undefined ? {} : { allowUnknown: isAllowed(gateUnknown) }),
    ...(pace === undefined ? {} : { nodesPerMinute: shareOf(pace) }),
  };
  const given = Object.keys(change) as (keyof RolloutPlan)[];
  if (atOnce === true) {
    const [first] = given;
    if (first === undefined) return null;
    throw new CliError('refused', `either --at-once, which is no plan, or ${FLAGS[first]}`);
  }
  if (given.length === 0 && said === null) return current;
  const plan = { ...DEFAULT_PLAN, ...current, ...said, ...change };
  const fault = planFault(plan);
  if (fault) {
    const [, nth, part] = /^\[(\d+)\](?:.*\.(schedule|duration|timeZone))?/.exec(fault.at) ?? [];
    const at = part === undefined ? '' : `: ${part}`;
    const where = nth === undefined ? '' : ` (number ${Number(nth) + 1})${at}`;
    const isSaid = said?.[fault.field] !== undefined && change[fault.field] === undefined;
    const from = isSaid ? `spec.${fault.field}` : FLAGS[fault.field];
    throw new CliError('refused', `${from}${where}: ${fault.message}`);
  }
  return plainPlan(plan as RolloutPlan);
}

/** In the words of the flags. */
export function planText(plan: RolloutPlan | null): string {
  if (plan === null) return 'to all nodes at once';
  // A plan of a program that did not know it has none.
  const { minSample = 'auto' } = plan as Partial<RolloutPlan>;
  const parts = [
    `waves ${plan.waves.map(waveWords).join(', ')}`,
    `max unavailable ${plan.maxUnavailable}`,
    `max failures ${plan.maxFailures}, then ${plan.onMaxFailures}`,
    ...(minSample === 'auto' ? [] : [`min sample ${minSample}`]),
    ...(plan.updateStrategy === 'onDelete' ? ['update strategy on-delete'] : []),
    ...(plan.bakeSeconds > 0 ? [`bake ${formatDuration(plan.bakeSeconds * 1000)}`] : []),
    `promotion ${plan.promotion}`,
    `offline ${plan.offlinePolicy}, deadline ${formatDuration(plan.offlineDeadlineSeconds * 1000)}`,
    ...(plan.allowUnknown ? ['unknown counts as healthy'] : []),
    ...(plan.nodesPerMinute > 0 ? [`${plan.nodesPerMinute} nodes a minute`] : []),
  ];
  return parts.join('; ');
}

/** A number or a share; what is neither is said to be wrong where the plan is checked. */
function shareOf(text: string): Share {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** `NODES during WINDOW`, with `during` again for another window. Throws `CliError`. */
function waveOf(text: string): Wave {
  const [nodes = '', ...texts] = text.split(/\s+during\s+/);
  const wave = /^[\d.]+%?$/.test(nodes) ? { nodes: shareOf(nodes) } : { selector: nodes };
  if (texts.length === 0) return wave;
  const windows = texts.map(one => {
    const window = parseWindowText(one);
    if (window !== null) return window;
    const form = '"NODES during CRON for DURATION in ZONE"';
    const example = '"25% during 0 2 * * sun for 4h in Europe/Berlin"';
    throw new CliError('refused', `--wave ${text}: use ${form}, such as ${example}`);
  });
  return { ...wave, windows };
}

function isAllowed(text: string): boolean {
  if (text === 'allow' || text === 'refuse') return text === 'allow';
  throw new CliError('refused', `--gate-unknown ${text}: use allow or refuse`);
}

/** A duration such as 90s, 5m or 1d; a bare number is seconds. */
function seconds(flag: string, text: string): number {
  const ms = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : parseLongDurationMs(text);
  if (ms !== null && ms % 1000 === 0) return ms / 1000;
  throw new CliError('refused', `${flag} ${text}: whole seconds, such as 90s, 5m, 1d or 90`);
}
