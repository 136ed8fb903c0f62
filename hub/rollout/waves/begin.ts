/** A revision begins its way: from what stood before, what nodes fall back to and what nobody begins with. Pure. */
import type { ObjectDraft } from '../../store/store.js';
import type { RolloutPlan } from './plan.js';
import { memberOf } from './member.js';
import type {
  RevisionName,
  RolloutNode,
  RolloutObject,
  RolloutSpec,
  RolloutStatus,
} from './rollout-object.js';
import { isGoingBack, type FleetNode } from './stand.js';

/** Of former revisions that never completed; older ones are assigned nowhere any more. */
const UNPROVEN_MAX = 64;

export interface Beginning {
  readonly namespace: string;
  /** Of the bundle. */
  readonly name: string;
  readonly plan: RolloutPlan;
  readonly to: RevisionName;
  /** The bundle's newest revision until now; null: it is new. */
  readonly former: RevisionName | null;
  /** The rollout that the bundle has; null: none. */
  readonly rollout: Pick<RolloutObject, 'spec' | 'status'> | null;
  readonly by: string;
  /** RFC 3339 with milliseconds. */
  readonly at: string;
}

/** A revision that went out without a plan went to everybody: it counts as completed. */
export function beginRollout(of: Beginning): ObjectDraft<RolloutSpec, RolloutStatus> {
  const rollout = of.rollout?.spec.to.digest === of.former?.digest ? of.rollout : null;
  const isProven = rollout === null || rollout.status.phase === 'completed';
  const former = rollout?.spec;
  const unproven = isProven
    ? []
    : [...(former?.unproven ?? []), ...(former ? [former.to.digest] : [])].slice(-UNPROVEN_MAX);
  return {
    kind: 'Rollout',
    metadata: { namespace: of.namespace, name: of.name },
    spec: {
      plan: of.plan,
      to: of.to,
      base: isProven ? of.former : (former?.base ?? null),
      unproven,
      begun: { by: of.by, at: of.at, reason: '' },
      ...{ paused: null, aborted: null, resumed: 0, promoted: 0, forced: 0 },
    },
    status: { phase: 'progressing', reason: 'Nodes', message: '', since: of.at, waves: [] },
  };
}

/** Of nodes that the rollout before set on their way and that did not get there: they count for the next one too. */
export function carriedRows(
  rollout: Pick<RolloutObject, 'spec' | 'status'>,
  of: {
    readonly fleet: readonly FleetNode[];
    readonly rows: ReadonlyMap<string, RolloutNode>;
    /** Milliseconds since 1970. */
    readonly now: number;
  },
): RolloutNode[] {
  const deadlineMs = rollout.spec.plan.offlineDeadlineSeconds * 1000;
  return of.fleet.flatMap(node => {
    const row = of.rows.get(node.name);
    if (!row || row.toldAt === null) return [];
    const { stand, waitedUntil } = memberOf(rollout, node, { row, now: of.now });
    const isOnItsWay =
      stand === 'waiting'
        ? isGoingBack(node, row, { now: of.now, deadlineMs })
        : waitedUntil !== null;
    return isOnItsWay
      ? [{ ...row, wave: -1, isBack: true, isExcused: false, isReleased: false, obstacle: null }]
      : [];
  });
}
