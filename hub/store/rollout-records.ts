/** What was done with each node in the rollout that a bundle has: types and the names of the mutations. The rules are in `hub/rollout/waves/`. */
import type { Mutation } from './store.js';

/** One for each bundle and node. */
export interface RolloutNode {
  readonly node: string;
  /** Counted from 0; -1: none yet, it was told by the rollout before. */
  readonly wave: number;
  /** RFC 3339 with milliseconds: when it was given the revision, or the former one again; null: not, or while it could not be reached. */
  readonly toldAt: string | null;
  /** It goes back, or to wherever its turn has it wait. */
  readonly isBack: boolean;
  /** Its failure was known when a person resumed the rollout. */
  readonly isExcused: boolean;
  /** A person let it begin, where nodes wait for one. */
  readonly isReleased: boolean;
  /** Why no assignment could be made that gives it what it was to be told; null: one could, or was not tried. */
  readonly obstacle: string | null;
}

export type RolloutMutation =
  /** Replaces the former. */
  | {
      readonly type: 'rolloutNode';
      readonly namespace: string;
      readonly bundle: string;
      readonly record: RolloutNode;
    }
  /** Of all nodes; none there is no error. */
  | { readonly type: 'dropRolloutNodes'; readonly namespace: string; readonly bundle: string }
  /** Of one node in all rollouts; none there is no error. */
  | { readonly type: 'dropRolloutNode'; readonly node: string };

export interface RolloutReads {
  /** By node. */
  rolloutNodes(namespace: string, bundle: string): Promise<readonly RolloutNode[]>;
}

const ROLLOUT_MUTATIONS: ReadonlySet<string> = new Set<RolloutMutation['type']>([
  'rolloutNode',
  'dropRolloutNodes',
  'dropRolloutNode',
]);

export function isRolloutMutation(mutation: Mutation): mutation is RolloutMutation {
  return ROLLOUT_MUTATIONS.has(mutation.type);
}
