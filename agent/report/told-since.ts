/**
 * Since when a bundle is as it is, as it is told by a node whose clock is or was wrong: in the run of the machine that recorded it by
 * the uptime, as events are; in a later one, where it cannot be right, as of what was proven to be past when it was recorded. Pure.
 */
import type { BundleStatus } from '../../protocol/documents/node.js';
import { bundleKey } from '../intake/decide.js';
import type { BundleRecord } from '../journal/journal.js';
import type { Moment } from '../journal/outbox.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import { CLOCKS_AGREE_MS } from '../time/timeline.js';

export interface SinceFacts {
  readonly records: readonly BundleRecord[];
  readonly time: Pick<TimeKeeper, 'timeOf' | 'correct' | 'told'>;
}

export function toldSince(
  statuses: readonly BundleStatus[],
  { records, time }: SinceFacts,
): BundleStatus[] {
  const byKey = new Map(records.map(record => [bundleKey(record), record]));
  return statuses.map(status => {
    const at = Date.parse(status.since);
    const record = byKey.get(bundleKey(status));
    // What is not recorded yet is of now.
    const by = [record, record?.going].find(one => one?.since === at)?.sinceBy;
    const told = by === undefined ? time.correct(at) : timeOfMoment({ at, ...by }, time);
    return { ...status, since: new Date(told).toISOString() };
  });
}

function timeOfMoment({ floor, ...moment }: SinceMoment, time: SinceFacts['time']): number {
  const [told, now] = [time.timeOf(moment), time.told()];
  const isPossible = told >= floor && told <= now + CLOCKS_AGREE_MS;
  return isPossible ? told : Math.min(floor, now);
}

type SinceMoment = Moment & { readonly floor: number };
