/** How many more nodes may be set on their way now. Pure. */
import type { Member } from './member.js';
import type { RolloutPlan } from './plan.js';
import { sharedUp } from './share.js';
import { isGoingBack, isOnItsWay } from './stand.js';

/**
 * On the way: told and not there yet, or still on the way to what it had before. Who waits for a window or an image may begin at any
 * moment, so it counts; who failed does not, that is what `maxFailures` is for; nor who is not waited for any more.
 */
export function isDisturbed(
  { node, row, stand, waitedUntil }: Member,
  of: { readonly now: number; readonly deadlineMs: number },
): boolean {
  if (stand === 'waiting') return isOnItsWay(node) || isGoingBack(node, row, of);
  return waitedUntil !== null;
}

export function budgetOf(
  members: readonly Member[],
  { plan, now }: { readonly plan: RolloutPlan; readonly now: number },
): number {
  const of = { now, deadlineMs: plan.offlineDeadlineSeconds * 1000 };
  const disturbed = members.filter(member => isDisturbed(member, of)).length;
  const most = Math.max(1, sharedUp(plan.maxUnavailable, members.length));
  return Math.max(0, most - disturbed);
}
