/**
 * The fleet in numbers, for whoever watches the hub: what the controller counted last, kept as it was counted, so that asking costs
 * nothing. The counting is pure; nothing is read here.
 */
import {
  NODE_REMARKS,
  NODE_STATES,
  nodeWords,
  type NodeRemark,
  type NodeStateWord,
} from '../enrolment/node-words.js';
import type { BundleObject, BundleRollout, NodeObject } from '../objects.js';
import type { Fate } from './fate.js';
import type { rollUpFates } from './rollout.js';
import type { StandCounts } from './waves/view.js';

export interface NodeCounts {
  /** Each node once. */
  readonly states: Readonly<Record<NodeStateWord, number>>;
  readonly remarks: Readonly<Record<NodeRemark, number>>;
}

/** What becomes of a bundle's newest revision; each node that the bundle selects once. */
export const BUNDLE_STATES = [
  ...(['healthy', 'failed', 'undone', 'held', 'window', 'locked', 'notUndoReady'] as const),
  ...(['obstructed', 'unknown', 'underWay'] as const),
  /** Has not said a word of that revision. */
  'notReached',
] as const satisfies readonly (Fate | 'notReached')[];
export type BundleStateWord = (typeof BUNDLE_STATES)[number];

export interface BundleCounts {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly desired: number;
  /** Say something of the newest revision. */
  readonly reached: number;
  /** Have its manifests in their directory. */
  readonly applied: number;
  readonly offline: number;
  readonly states: Readonly<Record<BundleStateWord, number>>;
  /** Null: the newest revision went to all nodes at once. */
  readonly rollout: BundleRollout | null;
}

/** Of a rollout that is not complete. */
export interface RolloutCounts {
  readonly namespace: string;
  readonly name: string;
  readonly stands: StandCounts;
}

export function nodeCounts(nodes: readonly NodeObject[]): NodeCounts {
  const states = zeros(NODE_STATES);
  const remarks = zeros(NODE_REMARKS);
  for (const { spec, status } of nodes) {
    const words = nodeWords(status.conditions, spec);
    states[words.state]++;
    for (const remark of words.remarks) remarks[remark]++;
  }
  return { states, remarks };
}

export function bundleCounts(
  { metadata: { namespace, name } }: Pick<BundleObject, 'metadata'>,
  { status, fates }: ReturnType<typeof rollUpFates>,
): BundleCounts {
  const { revision, nodes, rollout = null } = status;
  const reached = Object.values(fates).reduce((sum, count) => sum + count, 0);
  return {
    ...{ namespace, name, revision, desired: nodes.desired, reached },
    ...{ applied: nodes.updated, offline: nodes.offline, rollout },
    states: { ...fates, notReached: nodes.desired - reached },
  };
}

function zeros<Word extends string>(words: readonly Word[]): Record<Word, number> {
  return Object.fromEntries(words.map(word => [word, 0])) as Record<Word, number>;
}

export class FleetCounts {
  #nodes: NodeCounts | null = null;
  #bundles: readonly BundleCounts[] = [];
  #rollouts: readonly RolloutCounts[] = [];

  /** Null: nothing was counted yet. */
  get nodes(): NodeCounts | null {
    return this.#nodes;
  }

  get bundles(): readonly BundleCounts[] {
    return this.#bundles;
  }

  get rollouts(): readonly RolloutCounts[] {
    return this.#rollouts;
  }

  counted(of: { readonly nodes: NodeCounts; readonly bundles: readonly BundleCounts[] }): void {
    this.#nodes = of.nodes;
    this.#bundles = of.bundles;
  }

  looked(rollouts: readonly RolloutCounts[]): void {
    this.#rollouts = rollouts;
  }
}
