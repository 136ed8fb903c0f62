/**
 * What was done with each node in the rollout that a bundle has, and how former rollouts ended: types and the names of the mutations. The
 * rules are in `hub/rollout/`.
 */
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

/** How far a revision was when another took its place or its bundle was deleted; one for each revision. */
export interface PastRollout {
  readonly revision: number;
  readonly digest: string;
  /** Empty: none was given. */
  readonly changeCause: string;
  /** Of the bundle, as it was last. */
  readonly nodeSelector: string;
  /** Of its Rollout what hub/rollout/history.ts keeps; null: it went to all nodes at once. */
  readonly rollout: unknown;
  /** RFC 3339 with milliseconds. */
  readonly endedAt: string;
  readonly endedBy: string;
  /** The revision that took its place; null: the bundle was deleted. */
  readonly next: number | null;
}

/** Of one bundle, the newest; of older revisions nobody knows any more how they ended. */
export const PAST_ROLLOUTS_KEPT = 500;

export type RolloutMutation =
  /** Replaces what is known of that revision. */
  | {
      readonly type: 'pastRollout';
      readonly namespace: string;
      readonly bundle: string;
      readonly record: PastRollout;
    }
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
  /** Ascending by revision, at most `PAST_ROLLOUTS_KEPT`; those of a bundle that was deleted too. */
  pastRollouts(namespace: string, bundle: string): Promise<readonly PastRollout[]>;
}

const ROLLOUT_MUTATIONS: ReadonlySet<string> = new Set<RolloutMutation['type']>([
  'pastRollout',
  'rolloutNode',
  'dropRolloutNodes',
  'dropRolloutNode',
]);

export function isRolloutMutation(mutation: Mutation): mutation is RolloutMutation {
  return ROLLOUT_MUTATIONS.has(mutation.type);
}
