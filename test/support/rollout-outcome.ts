/** What `decide` makes of a rollout and a fleet that are given as values, and how a table reads it. */
import { decide, type Outcome } from '../../hub/rollout/waves/decide.js';
import type { RolloutPlan } from '../../hub/rollout/waves/plan.js';
import type {
  RolloutNode,
  RolloutSpec,
  RolloutStatus,
} from '../../hub/rollout/waves/rollout-object.js';
import type { FleetNode } from '../../hub/rollout/waves/stand.js';
import { at, BEGUN, node, specOf, T0 } from './rollout-values.js';

export interface Case {
  readonly plan?: Partial<RolloutPlan>;
  readonly spec?: Partial<RolloutSpec>;
  readonly status?: Partial<RolloutStatus>;
  readonly fleet: readonly FleetNode[];
  readonly rows?: readonly RolloutNode[];
  /** Seconds after it began. */
  readonly after?: number;
  readonly isWithdrawn?: boolean;
}

export function outcomeOf(of: Case): Outcome {
  const { plan, spec, status, fleet, rows = [], after = 0, isWithdrawn = false } = of;
  const rollout = { spec: specOf(plan, spec), status: { ...BEGUN, ...status } };
  const known = new Map(rows.map(one => [one.node, one]));
  return decide(rollout, { fleet, rows: known, isWithdrawn }, T0 + after * 1000);
}

export const acted = (outcome: Outcome, action: 'tell' | 'back') =>
  outcome.decisions.filter(one => one.action === action).map(one => one.member.node.name);
export const told = (outcome: Outcome) => acted(outcome, 'tell');
export const whyOf = (outcome: Outcome, name: string) =>
  outcome.decisions.find(one => one.member.node.name === name)?.reason ?? '';
export const offerOf = (outcome: Outcome, name: string) =>
  outcome.decisions.find(one => one.member.node.name === name)?.offer?.revision ?? null;

/** Waves that began so many seconds after the rollout, all but the last passed. */
export function waves(...starts: readonly number[]): Pick<RolloutStatus, 'waves'> {
  return {
    waves: starts.map((start, i) => {
      const isPast = i < starts.length - 1;
      const passedAt = isPast ? at(starts[i + 1] ?? 0) : null;
      return { startedAt: at(start), settledAt: passedAt, passedAt };
    }),
  };
}

export const abc = ['a', 'b', 'c', 'd'];
export const fleetOf = (words: Parameters<typeof node>[1] = {}) =>
  abc.map(name => node(name, words));
export const CANARY = { waves: [{ nodes: 1 }], maxUnavailable: 4 } as const;
