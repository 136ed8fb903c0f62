/**
 * The activation machine of one bundle on this node: state × event → next state and what to do, and what to do on waking
 * up in a state. Null: the event changes nothing there. Each change is one transaction of the journal before the act that
 * it announces. Pure; docs/delivery.md shows it.
 */
import type { BundleState } from '../../protocol/documents/node.js';

/**
 * As the hub knows them, and three more: `none` (nothing recorded), `givenUp` (told as `failed`: this revision had its
 * chance, and only a raised attempt or another revision gives a new one), `removed`.
 */
export type Phase = BundleState | 'none' | 'givenUp' | 'removed';

export type ActivationEvent =
  /** The newest assignment names another revision, or a raised attempt: it supersedes whatever went on. */
  | 'assigned'
  /** Content is on its way. */
  | 'fetching'
  /** It is here and something else is awaited: a secret, an image, a pod name of another bundle, a window. */
  | 'obstacle'
  /** Refused before anything was touched: by policy, scope, the root, its own content. */
  | 'unfit'
  /** All of it is here, valid, admitted, its images too. */
  | 'staged'
  /** Its files lie there, not all of its pods do. */
  | 'pending'
  /** Its pods are there, not all of them ready for long enough. */
  | 'made'
  /** Every container ready, or completed, for `minReadySeconds`. */
  | 'ready'
  /** A pod of a revision that was healthy here failed: there is nothing to go back to. */
  | 'broke'
  /** No progress within `progressDeadlineSeconds`, or a pod failed or was refused, before it was ever healthy. */
  | 'deadline'
  /** The last healthy revision is put back. */
  | 'undone'
  /** The newest assignment does not list the bundle. */
  | 'unassigned'
  /** None of its pods is left. */
  | 'gone';

export type Act =
  | 'stage'
  /** Again when something comes or changes; what runs is left alone. */
  | 'await'
  /** The revision's files take the place of the former ones. */
  | 'switch'
  | 'watch'
  /** Nothing more; what runs runs on. */
  | 'rest'
  /** Back to the last healthy revision; where there is none or `onFailure: keep`, rest. */
  | 'undo'
  | 'remove'
  | 'forget';

export interface Move {
  readonly to: Phase;
  readonly act: Act;
}

type Row = Readonly<Partial<Record<ActivationEvent, Move>>>;

const SUPERSEDED: Row = { assigned: { to: 'staged', act: 'stage' } };
const DROPPED: Row = { unassigned: { to: 'removing', act: 'remove' } };
const STAGING: Row = {
  ...SUPERSEDED,
  fetching: { to: 'staged', act: 'await' },
  obstacle: { to: 'waiting', act: 'await' },
  unfit: { to: 'failed', act: 'rest' },
  staged: { to: 'activating', act: 'switch' },
  ...DROPPED,
};
/** Content that was damaged has to come again: an active revision may be staged a second time. */
const ACTIVE: Row = {
  ...STAGING,
  pending: { to: 'activating', act: 'watch' },
  made: { to: 'progressing', act: 'watch' },
  ready: { to: 'healthy', act: 'rest' },
};
const PROVING: Row = {
  ...ACTIVE,
  broke: { to: 'failed', act: 'rest' },
  deadline: { to: 'givenUp', act: 'undo' },
};

const TABLE: Readonly<Record<Phase, Row>> = {
  none: SUPERSEDED,
  staged: STAGING,
  waiting: STAGING,
  activating: PROVING,
  progressing: PROVING,
  healthy: { ...ACTIVE, broke: { to: 'failed', act: 'rest' } },
  // Of staging, or of one that was healthy once: judged again whenever something changes.
  failed: PROVING,
  givenUp: {
    ...SUPERSEDED,
    // Where it was kept it may still get there.
    ready: { to: 'healthy', act: 'rest' },
    undone: { to: 'rolledBack', act: 'switch' },
    ...DROPPED,
  },
  rolledBack: { ...SUPERSEDED, ...DROPPED },
  removing: { ...SUPERSEDED, gone: { to: 'removed', act: 'forget' } },
  removed: SUPERSEDED,
};

/** Null: nothing changes. */
export function move(from: Phase, event: ActivationEvent): Move | null {
  return TABLE[from][event] ?? null;
}

/**
 * What an agent does that starts and finds the bundle there. The static pod directory is first made what the journal says: an
 * interrupted switch is finished if its transaction was committed, and is undone if it was not.
 */
export const ON_WAKING: Readonly<Record<Phase, Act>> = {
  none: 'rest',
  staged: 'stage',
  waiting: 'stage',
  activating: 'watch',
  progressing: 'watch',
  healthy: 'watch',
  failed: 'stage',
  givenUp: 'undo',
  rolledBack: 'rest',
  removing: 'remove',
  removed: 'rest',
};

export const PHASES = Object.keys(TABLE) as readonly Phase[];

/** The word of the hub for a phase; null: it is not told. */
export function toldState(phase: Phase): BundleState | null {
  if (phase === 'none' || phase === 'removed') return null;
  return phase === 'givenUp' ? 'failed' : phase;
}
