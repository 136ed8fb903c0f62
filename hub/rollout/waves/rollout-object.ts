/**
 * A revision's way through the fleet, as the hub keeps it: what people want of it is the spec, how far it is the status, and what was
 * done with each node a row beside it. Named like its bundle; the next revision's takes its place. Times are RFC 3339 with milliseconds,
 * by the hub's clock.
 */
import type { StoredObject } from '../../store/store.js';
import type { RolloutPlan } from './plan.js';

/** How assignments name a revision of the bundle; the size is of its document. */
export interface RevisionName {
  readonly revision: number;
  readonly digest: string;
  readonly size: number;
}

export interface Said {
  readonly by: string;
  readonly at: string;
  /** In that person's words; may be empty. */
  readonly reason: string;
}

export interface SaidWord extends Said {
  readonly verb: string;
}

export interface RolloutSpec {
  /** As it was when the revision was applied. */
  readonly plan: RolloutPlan;
  readonly to: RevisionName;
  /** The last revision that completed: what nodes go back to, and what they get before it is their turn. Null: there is none. */
  readonly base: RevisionName | null;
  /** Digests that some node may still be assigned though their rollouts never completed: nobody begins with one. */
  readonly unproven: readonly string[];
  readonly begun: Said;
  readonly paused: Said | null;
  readonly aborted: Said | null;
  /** What people said that changed something, the newest last; older ones are in the audit log. Left out: nothing. */
  readonly words?: readonly SaidWord[];
  /** How often it was resumed. */
  readonly resumed: number;
  /** A person lets so many waves pass: as soon as nothing else stands in the way. */
  readonly promoted: number;
  /** A person let so many pass, whatever stood in the way. */
  readonly forced: number;
}

/** `aborted`: by a person, or because too many nodes failed. The last two are the end. */
export type Phase = 'progressing' | 'paused' | 'completed' | 'aborted';

/** Why it stands as it does. Names are API. */
export type PhaseReason =
  /** Nodes of the wave are to be told, or have not said how they are. */
  | 'Nodes'
  /** No node has the labels that the wave selects; a person is to promote it, or to apply again. */
  | 'NoSuchNode'
  /** No node has shown yet that the revision is healthy anywhere. */
  | 'NotProven'
  /** None of the wave's nodes can be reached, and none has shown anything. */
  | 'Away'
  /** Fewer of the wave's nodes have shown anything than the plan wants. */
  | 'Sample'
  /** Nodes wait for a person to let them begin, each by itself; for nothing else. */
  | 'OnDelete'
  | 'Bake'
  /** The next wave, or the nodes of the one under way that are to be told, wait for its window. */
  | 'Window'
  /** A person is to promote the wave. */
  | 'Promotion'
  | 'Person'
  /** The root withdraws the revision: for good. */
  | 'Withdrawn'
  | 'TooManyFailures'
  | 'Done';

export interface WaveStatus {
  readonly startedAt: string;
  /** Since when nothing of it is waited for; null: something is. */
  readonly settledAt: string | null;
  readonly passedAt: string | null;
}

export interface RolloutStatus {
  readonly phase: Phase;
  readonly reason: PhaseReason;
  /** A sentence; empty where the reason says all that does not change by the minute. */
  readonly message: string;
  readonly since: string;
  /** Those that began, in order. */
  readonly waves: readonly WaveStatus[];
}

export type RolloutObject = StoredObject<RolloutSpec, RolloutStatus>;

export type { RolloutNode } from '../../store/rollout-records.js';
