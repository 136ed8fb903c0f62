/** A node as a member of a rollout: its wave, how it stands, and whether it is waited for. Pure. */
import type { RolloutObject, RolloutNode } from './rollout-object.js';
import { isReachable, standOf, type FleetNode, type Stand } from './stand.js';

export interface Member {
  readonly node: FleetNode;
  readonly row: RolloutNode | undefined;
  /** Null: its wave has not begun. */
  readonly wave: number | null;
  readonly stand: Stand;
  /** It is to be told and can be reached, and no assignment could be made that says it: why. Null: nothing is in its way. */
  readonly obstacle: string | null;
  /** It is not to be told before a person says so. */
  readonly needsPerson: boolean;
  /** It is connected or not said to be gone for good; until then, milliseconds since 1970; null: not waited for. */
  readonly waitedUntil: number | null;
}

export type Rows = ReadonlyMap<string, RolloutNode>;

/**
 * Whoever is in no earlier wave is in the last, once that has begun: nodes that join meanwhile too. One that has the revision though it is
 * in none counts to the wave under way.
 */
export function memberOf(
  { spec, status }: Pick<RolloutObject, 'spec' | 'status'>,
  node: FleetNode,
  { row, now }: { readonly row: RolloutNode | undefined; readonly now: number },
): Member {
  const last = spec.plan.waves.length - 1;
  const stand = standOf(node, spec.to.digest);
  const begun = status.waves.length - 1;
  const own = row === undefined || row.wave < 0 ? null : row.wave;
  const wave = own ?? (begun === last || (begun >= 0 && stand !== 'waiting') ? begun : null);
  const isToBeTold = stand === 'waiting' && isReachable(node);
  const obstacle = isToBeTold ? (row?.obstacle ?? null) : null;
  const needsPerson = stand === 'waiting' && isForPerson(spec, node, row);
  const member = { node, row, wave, stand, obstacle, needsPerson };
  if (wave === null) return { ...member, waitedUntil: null };
  const until = waitedUntil({ spec, status }, { ...member, wave });
  return { ...member, waitedUntil: until !== null && now < until ? until : null };
}

/** Where nothing of the bundle is, and nothing was before it, there is nothing that a person would have to let go. */
function isForPerson(
  { plan, base, promoted, forced }: RolloutObject['spec'],
  node: FleetNode,
  row: RolloutNode | undefined,
): boolean {
  if (plan.updateStrategy !== 'onDelete' || promoted + forced > 0) return false;
  return row?.isReleased !== true && (base !== null || node.assigned !== null);
}

const ALWAYS = Number.POSITIVE_INFINITY;

function waitedUntil(
  { spec, status }: Pick<RolloutObject, 'spec' | 'status'>,
  {
    node,
    row,
    wave,
    stand,
    obstacle,
    needsPerson,
  }: Omit<Member, 'waitedUntil'> & { readonly wave: number },
): number | null {
  const { allowUnknown, offlinePolicy, offlineDeadlineSeconds } = spec.plan;
  const isForced = wave < spec.forced;
  const startedAt = Date.parse(status.waves[wave]?.startedAt ?? spec.begun.at);
  const deadline = (from: number) => from + offlineDeadlineSeconds * 1000;
  switch (stand) {
    case 'healthy':
    case 'failed':
    case 'aside':
      return null;
    case 'underWay':
      return ALWAYS;
    case 'window':
    case 'obstructed':
      return isForced ? null : ALWAYS;
    case 'unknown':
      return allowUnknown || isForced ? null : ALWAYS;
    case 'silent':
      return isForced ? null : deadline(row?.toldAt ? Date.parse(row.toldAt) : startedAt);
    case 'waiting':
      if (needsPerson || node.isCordoned === true) return null;
      if (obstacle !== null) return isForced ? null : deadline(startedAt);
      if (isReachable(node)) return ALWAYS;
      return offlinePolicy === 'wait' && !isForced ? deadline(startedAt) : null;
  }
}
