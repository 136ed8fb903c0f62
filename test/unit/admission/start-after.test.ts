/** Which pods wait for others to be ready (P20). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admission } from '../../../agent/admission/admit.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import { releases } from '../../../agent/admission/releases.js';
import {
  NOTHING,
  READY,
  STARTING,
  admit,
  dead,
  find,
  messageOf,
  node,
  pod,
  report,
  verdicts,
} from '../../support/admission.js';
import { running, T0, together, wishes, type PodOptions } from '../../support/pods.js';

const gateOfMany = admission({ policy: DEFAULT_POLICY, node: { ...node, allocatable: {} } });

describe('P20: start order', () => {
  const after = (what: string, timeout?: string): PodOptions => ({
    annotations: {
      'flotilla.dev/start-after': what,
      ...(timeout === undefined ? {} : { 'flotilla.dev/start-after-timeout': timeout }),
    },
  });

  test('waits until the other is ready, naming it', () => {
    const desired = wishes([pod('db'), pod('web', after('db'))]);
    const db = find(desired, 'db');
    const observed = running(db);
    const first = admit(desired, { observed, reports: [report(db, STARTING)] });
    assert.deepEqual(verdicts(first), { db: '-', web: 'Pending WaitingFor' });
    assert.equal(
      messageOf(first, 'web'),
      'metadata.annotations[flotilla.dev/start-after]: waits for pod default/db, ' +
        'which is not ready (Pending)',
    );
    const then = admit(desired, { observed, reports: [report(db, READY)] });
    assert.deepEqual(verdicts(then), { db: '-', web: '-' });
  });

  test('one that has succeeded will do', () => {
    const desired = wishes([
      pod('db', { spec: { restartPolicy: 'Never' } }),
      pod('web', after('db')),
    ]);
    const done = report(find(desired, 'db'), { phase: 'Succeeded' });
    assert.equal(find(admit(desired, { reports: [done] }), 'web').rejection, null);
  });

  test('the report of a former pod of that name will not do', () => {
    const old = find(wishes([pod('db', { annotations: { 'checksum/x': '1' } })]), 'db');
    const desired = wishes([pod('db'), pod('web', after('db'))]);
    const result = admit(desired, { reports: [report(old, READY)] });
    assert.equal(find(result, 'web').rejection?.reason, 'WaitingFor');
  });

  test('each of several, with and without namespace', () => {
    const desired = wishes([
      pod('db'),
      pod('queue', { namespace: 'infra' }),
      pod('web', after(' db , infra/queue,infra/none ')),
    ]);
    assert.match(
      messageOf(admit(desired), 'web'),
      /waits for pod default\/db, .*; pod infra\/queue, .*; pod infra\/none, which no manifest describes$/,
    );
  });

  test('after the time-out it starts in any case, with an event', () => {
    const desired = wishes([pod('web', after('db', '5m'))]);
    const before = admit(desired, { now: T0 + 299_999 });
    assert.equal(find(before, 'web').rejection?.againAt, T0 + 300_000);
    assert.match(messageOf(before, 'web'), /starts at 2026-01-01T00:05:00\.000Z in any case$/);
    const late = admit(desired, { now: T0 + 300_000 });
    assert.deepEqual(verdicts(late), { web: '-' });
    const [one, ...more] = releases(before, late, T0 + 300_000);
    assert.deepEqual(more, []);
    assert.equal(one?.event.type, 'Warning');
    assert.equal(one?.event.reason, 'StartAfterTimeout');
  });

  test('pods in a circle are refused, with the circle; those behind it wait', () => {
    const desired = wishes([
      pod('a', after('b')),
      pod('b', after('c')),
      pod('c', after('a')),
      pod('d', after('a')),
    ]);
    const result = gateOfMany.admit(desired, { reports: [], observed: NOTHING, now: T0 });
    assert.deepEqual(verdicts(result), {
      a: 'Failed StartAfterCycle',
      b: 'Failed StartAfterCycle',
      c: 'Failed StartAfterCycle',
      d: 'Pending WaitingFor',
    });
    assert.match(
      messageOf(result, 'b'),
      /pods wait for each other: default\/b -> default\/c -> default\/a -> default\/b$/,
    );
  });

  test('a pod that waits for itself is refused', () => {
    const result = admit(wishes([pod('a', after('a'))]));
    assert.match(messageOf(result, 'a'), /wait for each other: default\/a -> default\/a$/);
  });

  test('a restart of a pod that runs is not held up', () => {
    const desired = wishes([pod('web', after('db'))]);
    const web = find(desired, 'web');
    const observed = { ...running(web), containers: dead(web).containers };
    assert.deepEqual(verdicts(admit(desired, { observed })), { web: '-' });
    const gone = { observed: dead(web), reports: [report(web, READY)] };
    assert.deepEqual(verdicts(admit(desired, gone)), { web: '-' });
  });

  test('after a start of the node it is held up, round after round, until the other is ready', () => {
    const desired = wishes([pod('db'), pod('web', after('db'))]);
    const [db, web] = [find(desired, 'db'), find(desired, 'web')];
    const first = admit(desired, { observed: together(dead(db), dead(web)) });
    assert.deepEqual(verdicts(first), { db: '-', web: 'Pending WaitingFor' });
    const held = report(web, {
      ...READY,
      conditions: [{ type: 'UpdateRejected', status: 'True', reason: 'WaitingFor' }],
    });
    const observed = together(running(db), dead(web));
    const second = admit(desired, { observed, reports: [report(db, STARTING), held] });
    assert.deepEqual(verdicts(second), { db: '-', web: 'Pending WaitingFor' });
    const third = admit(desired, { observed, reports: [report(db, READY), held] });
    assert.deepEqual(verdicts(third), { db: '-', web: '-' });
  });
});
