/**
 * How the revisions of a bundle went through the fleet, those of the past and the newest: what `flotilla rollout history` tells. A rollout
 * that another revision replaces is kept as it was then, in the same transaction; what nobody wrote down is unknown. Pure.
 */
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import type { BundleObject } from '../objects.js';
import type { PastRollout } from '../store/rollout-records.js';
import type { RevisionRecord } from '../store/store.js';
import { changeCauseOf } from './change-cause.js';
import type { RolloutObject, RolloutSpec, RolloutStatus, Said } from './waves/rollout-object.js';

/** Names are API. */
export type Outcome =
  /** Without a plan, to all nodes at once: there is no end to tell of. */
  | 'atOnce'
  | 'progressing'
  | 'paused'
  | 'completed'
  | 'aborted'
  /** Another revision took its place before it was complete. */
  | 'superseded'
  /** The root withdrew it before it was complete. */
  | 'withdrawn'
  /** The bundle was deleted before it was complete. */
  | 'removed'
  /** It was made before a restore, or by a hub that kept no history, or so long ago that it is no longer kept. */
  | 'unknown';

/** What is kept of a Rollout. */
export type KeptRollout = Pick<
  RolloutSpec,
  'plan' | 'base' | 'begun' | 'paused' | 'aborted' | 'words'
> & {
  readonly status: RolloutStatus;
};

export interface RevisionHistory {
  /** Empty: none was given. */
  readonly changeCause: string;
  /** Of the bundle while this revision was its newest; null: unknown. */
  readonly nodeSelector: string | null;
  readonly outcome: Outcome;
  /** RFC 3339: since when it is so; null: the outcome has no time. */
  readonly at: string | null;
  /** Who ended or paused it; null: nobody, or unknown. */
  readonly by: string | null;
  /** More about it in words; may be empty. */
  readonly message: string;
  /** The revision that took its place; null: none, or unknown. */
  readonly next: number | null;
  /** Null: it had no plan, or that is unknown. */
  readonly rollout: KeptRollout | null;
}

type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

/** A revision that the hub got back from its fleet: who made it, and how far it was, nobody knows here. */
export const BY_FLEET = 'fleet';

export interface Ending {
  readonly bundle: BundleObject;
  /** The bundle's newest until now; null: it is not recorded here. */
  readonly record: RevisionRecord | null;
  /** The Rollout that the bundle has, be it of this revision or, after a restore, of an earlier one. */
  readonly rollout: Rollout | null;
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
  /** Null: the bundle is deleted. */
  readonly next: number | null;
}

/** What is kept as the bundle's newest revision ends; null where nothing is known of it. */
export function pastOf({ bundle, record, rollout, by, at, next }: Ending): PastRollout | null {
  const { spec, metadata } = bundle;
  const common = { nodeSelector: spec.nodeSelector, endedAt: at, endedBy: by, next };
  const changeCause = changeCauseOf(metadata.annotations);
  const { revision, digest } = bundle.status;
  if (rollout?.spec.to.digest === digest) {
    return { revision, digest, changeCause, ...common, rollout: keptOf(rollout) };
  }
  if (rollout !== null || record === null || record.createdBy === BY_FLEET) return null;
  return { revision, digest, changeCause, ...common, rollout: null };
}

function keptOf({ spec, status }: Rollout): KeptRollout {
  const { plan, base, begun, paused, aborted, words = [] } = spec;
  return { plan, base, begun, paused, aborted, words, status };
}

const UNKNOWN: RevisionHistory = {
  ...{ changeCause: '', nodeSelector: null, outcome: 'unknown', at: null, by: null },
  ...{ message: '', next: null, rollout: null },
};

export interface Known {
  /** As it is now; null: it was deleted. */
  readonly bundle: BundleObject | null;
  readonly rollout: Rollout | null;
  readonly past: readonly PastRollout[];
}

export function historyOf(
  record: Pick<RevisionRecord, 'revision' | 'digest' | 'createdBy'>,
  { bundle, rollout, past }: Known,
): RevisionHistory {
  if (bundle?.status.digest === record.digest) return newest(record, bundle, rollout);
  const kept = past.find(({ digest }) => digest === record.digest);
  if (kept === undefined) return UNKNOWN;
  const { changeCause, nodeSelector, next } = kept;
  const of = kept.rollout as KeptRollout | null;
  const ended = of === null ? AT_ONCE : endOf(of, kept);
  return { changeCause, nodeSelector, next, rollout: of, ...ended };
}

type End = Pick<RevisionHistory, 'outcome' | 'at' | 'by' | 'message'>;

const AT_ONCE: End = { outcome: 'atOnce', at: null, by: null, message: '' };

function newest(
  { createdBy }: Pick<RevisionRecord, 'createdBy'>,
  { metadata, spec, status }: BundleObject,
  rollout: Rollout | null,
): RevisionHistory {
  const changeCause = changeCauseOf(metadata.annotations);
  const { nodeSelector } = spec;
  const common = { ...UNKNOWN, nodeSelector };
  const isHeld = Object.hasOwn(metadata.annotations, HELD_ANNOTATION);
  if (rollout?.spec.to.digest === status.digest) {
    const kept = keptOf(rollout);
    const end = endOf(kept, null);
    const isOpen = end.outcome === 'progressing' || end.outcome === 'paused';
    if (!isHeld || !isOpen) return { ...common, changeCause, ...end, rollout: kept };
  }
  if (isHeld) return { ...common, changeCause, message: 'held since the hub was restored' };
  const isLearned = rollout !== null || createdBy === BY_FLEET;
  return isLearned ? common : { ...common, changeCause, ...AT_ONCE };
}

/** `past`: null while it is the newest. */
function endOf({ plan, paused, aborted, status }: KeptRollout, past: PastRollout | null): End {
  const { phase, reason, message, since: at, waves } = status;
  const said = (one: Said | null) => ({ by: one?.by ?? null, message: one?.reason || message });
  if (phase === 'completed') return { outcome: 'completed', at, by: null, message: '' };
  if (phase === 'aborted') return { outcome: 'aborted', at, ...said(aborted) };
  if (reason === 'Withdrawn') return { outcome: 'withdrawn', at, by: null, message };
  const wave = `wave ${Math.max(1, waves.length)} of ${plan.waves.length}`;
  if (past === null) {
    if (phase === 'progressing') return { outcome: phase, at, by: null, message: wave };
    return { outcome: 'paused', at, ...said(paused) };
  }
  const where = phase === 'paused' ? `paused in ${wave}` : `in ${wave}`;
  const { endedAt, endedBy, next } = past;
  const outcome = next === null ? 'removed' : 'superseded';
  return { outcome, at: endedAt, by: endedBy, message: where };
}
