/** The times of a pod on a node whose clock is wrong, as they are told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toldTimes } from '../../../agent/report/told-times.js';

test('every time of the clock moves, with its precision; texts and numbers stay', () => {
  const at = '1970-01-01T00:10:00Z';
  const fine = '1970-01-01T00:10:00.500Z';
  const state = { running: { startedAt: at } };
  const container = { name: 'c', image: 'i', imageID: '', ready: true, restartCount: 1, state };
  const ended = { terminated: { exitCode: 0, startedAt: at, finishedAt: fine, message: at } };
  const pod = {
    metadata: { name: 'web', creationTimestamp: at, annotations: { at } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
    status: {
      phase: 'Running',
      startTime: at,
      message: at,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }],
      containerStatuses: [{ ...container, lastState: ended }],
    },
  };
  const day = 86_400_000;
  const text = JSON.stringify(toldTimes(pod, time => time + day));
  const expected = JSON.stringify(pod).replaceAll(
    /"(\w+(?:Time|At|Timestamp))":"1970-01-01/g,
    '"$1":"1970-01-02',
  );
  assert.equal(text, expected);
});

test('a time that is none, or null, is told as it is', () => {
  const pod = { metadata: { name: 'web' }, status: { startTime: 'soon', phase: 'Pending' } };
  assert.deepEqual(
    toldTimes(pod, time => time + 1),
    pod,
  );
});
