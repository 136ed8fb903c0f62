/** What counts as a node's verdict, and how long it took: a table. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { passageOf, verdictsIn } from '../../../hub/ingest/experience.js';
import { UNDONE } from '../../../protocol/bundle-reasons.js';
import type { BundleState, BundleStatus } from '../../../protocol/documents/node.js';

const AT = Date.parse('2026-06-01T12:00:00.000Z');

function said(state: BundleState, more: Partial<BundleStatus> = {}): BundleStatus {
  return {
    ...{ namespace: 'default', name: 'shop', revision: 1, digest: 'a', attempt: 0, state },
    ...{ active: null, failed: null, reason: '', message: '', since: '2026-06-01T11:00:00.000Z' },
    ...more,
  };
}

describe('a verdict of a node', () => {
  const table: readonly [string, readonly BundleStatus[], readonly BundleStatus[], number][] = [
    ['is healthy, after it was under way', [said('progressing')], [said('healthy')], 1],
    ['is the first word of a revision, too', [], [said('healthy')], 1],
    ['counts once', [said('healthy')], [said('healthy')], 0],
    ['counts again for another revision', [said('healthy')], [said('healthy', { digest: 'b' })], 1],
    ['counts again for another attempt', [said('failed')], [said('healthy', { attempt: 1 })], 1],
    ['is a failure, and going back from it is the same', [said('failed')], [said('rolledBack')], 0],
    ['is none while it waits', [], [said('waiting')], 0],
    [
      'is none where a person went back',
      [said('healthy')],
      [said('rolledBack', { reason: UNDONE })],
      0,
    ],
  ];
  for (const [name, before, now, count] of table) {
    test(name, () => assert.equal(verdictsIn(before, now).length, count));
  }
});

describe('the time of a passage', () => {
  const of = { at: AT, toldAt: AT - 60_000, connectedAt: AT - 3_600_000, minReadySeconds: 10 };
  const table: readonly [string, BundleStatus, Partial<typeof of>, number | null][] = [
    ['runs from when it was told, without the time to be ready', said('healthy'), {}, 50],
    ['or from when it came back', said('healthy'), { connectedAt: AT - 30_000 }, 20],
    ['of a failure is all of it', said('failed'), {}, 60],
    ['is nothing where nothing had to begin', said('healthy'), { toldAt: AT - 2000 }, 0],
    ['is unknown where nobody knows when it was told', said('healthy'), { toldAt: NaN }, null],
    [
      'is unknown where it took days: it waited for something else',
      said('healthy'),
      { toldAt: AT - 172_800_000, connectedAt: AT - 172_800_000 },
      null,
    ],
  ];
  for (const [name, verdict, change, seconds] of table) {
    test(name, () => assert.equal(passageOf(verdict, { ...of, ...change }).seconds, seconds));
  }
});
