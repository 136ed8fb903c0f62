/**
 * How a node stands with the fleet, as conditions of its Node. They are the hub's own: what a node
 * says under these types is passed over. Pure.
 */
import type { NodeCondition } from 'kubernetes-types/core/v1.js';
import type { IdentityRecord } from '../store/store.js';

export const ENROLLED = 'Enrolled';
export const CLONE_SUSPECTED = 'CloneSuspected';

const OWN: ReadonlySet<string> = new Set([ENROLLED, CLONE_SUSPECTED]);

export function isStandingCondition({ type }: { readonly type: string }): boolean {
  return OWN.has(type);
}

/** Who waits for approval or was shut out gets nothing, and so counts nowhere. What no condition tells of is a member. */
export function isMember(
  conditions: readonly Pick<NodeCondition, 'type' | 'status'>[] | undefined,
): boolean {
  return !(conditions?.some(c => c.type === ENROLLED && c.status === 'False') ?? false);
}

const ENROLLED_AS = {
  active: ['True', 'Approved', 'a member of the fleet'],
  pending: [
    'False',
    'PendingApproval',
    'waits for a person: compare the key, then `flotilla node approve`',
  ],
  revoked: ['False', 'Revoked', 'shut out: its name is free for a device with a new token'],
} as const;

const SUSPECTED_BECAUSE =
  'two devices seem to use the keys of this node: its assignment does not change until ' +
  '`flotilla node approve`, when the copy is gone, or `flotilla node revoke`, when that is not certain';

/** A time of transition moves only with the status. */
export function standingConditions(
  { state, suspectedAt }: Pick<IdentityRecord, 'state' | 'suspectedAt'>,
  { before, now }: { readonly before: readonly NodeCondition[]; readonly now: string },
): NodeCondition[] {
  const [status, reason, message] = ENROLLED_AS[state];
  const condition = (said: Omit<NodeCondition, 'lastTransitionTime'>): NodeCondition => {
    const was = before.find(({ type }) => type === said.type);
    const isSame = was?.status === said.status && was.reason === said.reason;
    const since = isSame ? was.lastTransitionTime : undefined;
    return { ...said, lastTransitionTime: since ?? `${now.slice(0, 19)}Z` };
  };
  const enrolled = condition({ type: ENROLLED, status, reason, message });
  if (suspectedAt === null) return [enrolled];
  const suspected = {
    type: CLONE_SUSPECTED,
    status: 'True',
    reason: 'IdentityInUseTwice',
  } as const;
  return [enrolled, condition({ ...suspected, message: SUSPECTED_BECAUSE })];
}
