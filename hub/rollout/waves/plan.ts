/**
 * How a revision goes through the fleet: the operator's plan as a value, and what no plan may say. It is the hub's alone: nodes judge
 * their own passage by the signed strategy (protocol/strategy.ts) and need not know of each other. Names are Kubernetes' where it has
 * one. Pure.
 */
import { canonicalJson } from '../../../protocol/canonical.js';
import type { MaintenanceWindow } from '../../../protocol/documents/bundle.js';
import { excerpt } from '../../../protocol/excerpt.js';
import { windowsFault, windowText } from '../../../protocol/maintenance-window.js';
import { parseSelector, SelectorError } from '../../selectors.js';
import { shareFault, type Share } from './share.js';

/** Either until so many nodes of all have it, those of earlier waves counted, or all whose labels match. */
export type Wave = ({ readonly nodes: Share } | { readonly selector: string }) & {
  /** It begins, and takes nodes, only while one of them is open; left out: at any time. */
  readonly windows?: readonly MaintenanceWindow[];
};

export interface RolloutPlan {
  /** Nodes on the way to the revision at once, of those that the bundle selects; rounded up, at least one. */
  readonly maxUnavailable: Share;
  /** More failed nodes than this end it (`onMaxFailures`); of the nodes of the waves that began, rounded down. */
  readonly maxFailures: Share;
  /** In order; the last takes all that are left. */
  readonly waves: readonly Wave[];
  /**
   * Nodes of a wave that must have shown how the revision is there before it passes; of the wave's own, rounded up, and no more than it has.
   * `auto`: half of them, but at most three. The last wave needs one. Left out, by a program that did not know it: auto.
   */
  readonly minSample: Share;
  /** `onDelete`: what runs on a node stays until a person says otherwise, for each node. Left out, by a program that did not know it: rolling. */
  readonly updateStrategy: 'rolling' | 'onDelete';
  /** Between the last word of a wave's nodes and the next wave. */
  readonly bakeSeconds: number;
  /** `manual`: a person lets each wave but the last pass. */
  readonly promotion: 'automatic' | 'manual';
  /** Nodes that cannot be reached when their wave begins: `wait` for them until the deadline, or `skip` them. */
  readonly offlinePolicy: 'wait' | 'skip';
  /** A node that was told and fell silent is waited for so long, by either policy. */
  readonly offlineDeadlineSeconds: number;
  readonly onMaxFailures: 'pause' | 'rollback';
  /** Nodes that cannot know how their pods are count as healthy. */
  readonly allowUnknown: boolean;
  /** Told at most in any minute; 0: any number. */
  readonly nodesPerMinute: number;
}

/** One after the other, as a DaemonSet updates, and the first failure stops it. */
export const DEFAULT_PLAN: RolloutPlan = {
  maxUnavailable: 1,
  maxFailures: 0,
  waves: [{ nodes: '100%' }],
  minSample: 'auto',
  updateStrategy: 'rolling',
  bakeSeconds: 0,
  promotion: 'automatic',
  offlinePolicy: 'skip',
  offlineDeadlineSeconds: 3600,
  onMaxFailures: 'pause',
  allowUnknown: false,
  nodesPerMinute: 0,
};

/** Every field that a plan may have. */
export const PLAN_FIELDS = Object.keys(DEFAULT_PLAN) as readonly (keyof RolloutPlan)[];

export const WAVES_MAX = 32;
/** A year. */
const SECONDS_MAX = 31_536_000;
const PACE_MAX = 1_000_000;

export interface PlanFault {
  readonly field: keyof RolloutPlan;
  /** Below the field, where that is a list: `[0].selector`; else empty. */
  readonly at: string;
  /** The value, and what is allowed. */
  readonly message: string;
}

const WORDS = {
  updateStrategy: ['rolling', 'onDelete'],
  promotion: ['automatic', 'manual'],
  offlinePolicy: ['wait', 'skip'],
  onMaxFailures: ['pause', 'rollback'],
} as const;

const NUMBERS = {
  bakeSeconds: { most: SECONDS_MAX, what: 'whole seconds' },
  offlineDeadlineSeconds: { most: SECONDS_MAX, what: 'whole seconds' },
  nodesPerMinute: { most: PACE_MAX, what: 'a whole number of nodes' },
} as const;

/** What is wrong with a plan whose fields may hold anything; null: nothing. */
export function planFault(plan: Readonly<Record<keyof RolloutPlan, unknown>>): PlanFault | null {
  const fault = (field: keyof RolloutPlan, message: string | null, at = ''): PlanFault[] =>
    message === null ? [] : [{ field, at, message }];
  const faults = [
    ...fault('maxUnavailable', shareFault(plan.maxUnavailable, { least: 1 })),
    ...fault('maxFailures', shareFault(plan.maxFailures, { least: 0 })),
    ...wavesFaults(plan.waves),
    ...fault('minSample', sampleFault(plan.minSample)),
    ...Object.entries(NUMBERS).flatMap(([name, { most, what }]) => {
      const field = name as keyof typeof NUMBERS;
      const value = plan[field];
      const isFine = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
      return fault(field, isFine ? null : `${shown(value)} must be ${what}, 0 to ${most}`);
    }),
    ...Object.entries(WORDS).flatMap(([name, words]) => {
      const field = name as keyof typeof WORDS;
      const isFine = (words as readonly unknown[]).includes(plan[field]);
      return fault(field, isFine ? null : `${shown(plan[field])} must be ${words.join(' or ')}`);
    }),
    ...fault('updateStrategy', onDeleteFault(plan)),
    ...fault(
      'allowUnknown',
      typeof plan.allowUnknown === 'boolean'
        ? null
        : `${shown(plan.allowUnknown)} must be true or false`,
    ),
  ];
  return faults[0] ?? null;
}

function wavesFaults(waves: unknown): PlanFault[] {
  const field = 'waves';
  if (!Array.isArray(waves) || waves.length === 0 || wavesOf(waves).length > WAVES_MAX) {
    const message = `must be a list of 1 to ${WAVES_MAX} waves, with the last for all that are left`;
    return [{ field, at: '', message }];
  }
  let [count, percent] = [0, 0];
  for (const [i, wave] of (waves as readonly unknown[]).entries()) {
    const fault = (message: string, at = ''): PlanFault[] => [
      { field, at: `[${i}]${at}`, message },
    ];
    const { nodes, selector, windows, ...more } = (wave ?? {}) as Readonly<Record<string, unknown>>;
    const isOne = (nodes === undefined) !== (selector === undefined);
    if (!isOne || Object.keys(more).length > 0) {
      return fault(
        `${shown(wave)} must have either nodes or selector, windows at most, and nothing else`,
      );
    }
    const shut =
      windows === undefined ? null : windowsFault(windows as readonly MaintenanceWindow[]);
    if (shut !== null) return fault(shut.message, `.windows${shut.at}`);
    if (nodes === undefined) {
      const wrong = selectorFault(selector);
      if (wrong !== null) return fault(wrong, '.selector');
      continue;
    }
    const wrong = shareFault(nodes, { least: 1 });
    if (wrong !== null) return fault(wrong, '.nodes');
    const isCount = typeof nodes === 'number';
    const size = isCount ? nodes : Number.parseInt(nodes as string, 10);
    if (size <= (isCount ? count : percent)) {
      return fault(`${shown(nodes)} must be more than that of an earlier wave, which it includes`);
    }
    if (isCount) count = size;
    else percent = size;
  }
  return [];
}

/** A person is its gate. */
function onDeleteFault(plan: Readonly<Record<keyof RolloutPlan, unknown>>): string | null {
  const isOneWave = Array.isArray(plan.waves) && wavesOf(plan.waves).length === 1;
  if (plan.updateStrategy !== 'onDelete') return null;
  if (isOneWave && plan.promotion === 'automatic') return null;
  return 'has a person say when for each node: it goes with one wave of 100%, and with promotion automatic (what an apply does not say stays as it was)';
}

function sampleFault(value: unknown): string | null {
  const wrong = value === 'auto' ? null : shareFault(value, { least: 1 });
  return wrong === null ? null : `${wrong}, or auto`;
}

function selectorFault(selector: unknown): string | null {
  if (typeof selector !== 'string') return `${shown(selector)} must be a label selector`;
  try {
    const isEmpty = parseSelector(selector).length === 0;
    return isEmpty ? '"" selects nothing in particular; use nodes: 100%' : null;
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return error.message;
  }
}

function shown(value: unknown): string {
  return excerpt(JSON.stringify(value) ?? 'nothing');
}

/** With a last wave for all that are left, which people need not write; an empty list of windows is left out. */
export function plainPlan(plan: RolloutPlan): RolloutPlan {
  return { ...plan, waves: wavesOf(plan.waves).map(plainWave) };
}

function plainWave({ windows = [], ...wave }: Wave): Wave {
  return windows.length === 0 ? wave : { ...wave, windows };
}

function wavesOf(waves: readonly Wave[]): readonly Wave[] {
  const last = waves[waves.length - 1] as Partial<{ nodes: Share }> | null | undefined;
  return last?.nodes === '100%' ? waves : [...waves, { nodes: '100%' }];
}

export function samePlan(a: RolloutPlan | undefined, b: RolloutPlan | undefined): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}

/** `5%`, `1 node`, `region=north`: as people call it. */
export function waveText(wave: Wave): string {
  if ('selector' in wave) return wave.selector;
  return typeof wave.nodes === 'string'
    ? wave.nodes
    : `${wave.nodes} node${wave.nodes === 1 ? '' : 's'}`;
}

/** As `--wave` takes it: `25% during 0 2 * * sun for 4h in Europe/Berlin`, with `during` again for another window. */
export function waveWords(wave: Wave): string {
  return [waveText(wave), ...(wave.windows ?? []).map(windowText)].join(' during ');
}
