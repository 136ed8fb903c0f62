/** How far a rollout is, in counts that keep apart what is not the same, and in reasons. Pure. */
import { decide, type Decision, type Seen } from './decide.js';
import { waveText } from './plan.js';
import type { RolloutObject, RolloutSpec, RolloutStatus, WaveStatus } from './rollout-object.js';
import { isReachable, type Stand } from './stand.js';

/** Nodes by how they stand; together they are `nodes`. */
export interface StandCounts {
  readonly nodes: number;
  readonly healthy: number;
  readonly failed: number;
  /** Have it and cannot know how it is. */
  readonly unknown: number;
  /** A person at the device decided otherwise. */
  readonly aside: number;
  readonly underWay: number;
  /** Wait for a maintenance window. */
  readonly window: number;
  /** Something is in their way: there, or more is meant for them than an assignment holds. */
  readonly obstructed: number;
  /** Were told, and cannot be reached. */
  readonly silent: number;
  /** Wait for a person to let them begin, be they connected or not. */
  readonly person: number;
  /** Not told yet. */
  readonly waiting: number;
  /** Not told, and cannot be reached. */
  readonly away: number;
}

export interface WaveView extends StandCounts {
  /** As in the plan: `5%`. */
  readonly of: string;
  /** Null: it has not begun, and so has no nodes yet. */
  readonly began: WaveStatus | null;
}

export interface NodeReason {
  readonly node: string;
  /** Counted from 1; null: its wave has not begun. */
  readonly wave: number | null;
  readonly stand: Stand;
  readonly reason: string;
}

export interface RolloutView {
  readonly spec: RolloutSpec;
  readonly status: RolloutStatus;
  readonly waves: readonly WaveView[];
  /** Of all nodes that the bundle selects. */
  readonly total: StandCounts;
  /** Of nodes that do not have it healthy: reason, how many, the first of them; most frequent first. */
  readonly reasons: readonly {
    readonly reason: string;
    readonly count: number;
    readonly nodes: readonly string[];
  }[];
  /** Of the node that was asked about; null: none was, or it is not selected. */
  readonly node: NodeReason | null;
}

const NODES_SHOWN = 5;
const REASONS_SHOWN = 20;

export function viewOf(
  rollout: Pick<RolloutObject, 'spec' | 'status'>,
  of: Seen,
  asked: { readonly now: number; readonly node: string | null },
): RolloutView {
  const { status, decisions } = decide(rollout, of, asked.now);
  const waves = rollout.spec.plan.waves.map((wave, i): WaveView => {
    const own = decisions.filter(({ member }) => member.wave === i);
    return { of: waveText(wave), began: status.waves[i] ?? null, ...countsOf(own) };
  });
  const about = decisions.find(({ member }) => member.node.name === asked.node);
  return {
    ...{ spec: rollout.spec, status, waves, total: countsOf(decisions) },
    reasons: reasonsOf(decisions),
    node: about ? nodeReason(about) : null,
  };
}

export function countsOf(decisions: readonly Decision[]): StandCounts {
  const count = (stand: Stand) => decisions.filter(({ member }) => member.stand === stand).length;
  const away = decisions.filter(
    ({ member }) => member.stand === 'waiting' && !isReachable(member.node) && !member.needsPerson,
  ).length;
  const person = decisions.filter(({ member }) => member.needsPerson).length;
  const full = decisions.filter(
    ({ member }) => member.obstacle !== null && !member.needsPerson,
  ).length;
  return {
    nodes: decisions.length,
    healthy: count('healthy'),
    failed: count('failed'),
    unknown: count('unknown'),
    aside: count('aside'),
    underWay: count('underWay'),
    window: count('window'),
    obstructed: count('obstructed') + full,
    silent: count('silent'),
    person,
    waiting: count('waiting') - away - full - person,
    away,
  };
}

function reasonsOf(decisions: readonly Decision[]): RolloutView['reasons'] {
  const groups = new Map<string, string[]>();
  for (const { member, reason } of decisions) {
    if (member.stand === 'healthy') continue;
    const nodes = groups.get(reason);
    if (nodes) nodes.push(member.node.name);
    else groups.set(reason, [member.node.name]);
  }
  return [...groups]
    .map(([reason, nodes]) => ({ reason, count: nodes.length, nodes: nodes.slice(0, NODES_SHOWN) }))
    .sort((a, b) => b.count - a.count)
    .slice(0, REASONS_SHOWN);
}

function nodeReason({ member, reason }: Decision): NodeReason {
  const { node, wave, stand } = member;
  return { node: node.name, wave: wave === null ? null : wave + 1, stand, reason };
}
