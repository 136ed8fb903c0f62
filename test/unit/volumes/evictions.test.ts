/** P22, row 134: a pod whose volume outgrew its limit is ended, and begun again with growing pauses. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ageEvictions,
  evictionMessage,
  isEvicted,
  noteEviction,
  withEvictions,
  type Evictions,
} from '../../../agent/volumes/evictions.js';
import { manifest, wishes } from '../../support/pods.js';

const desired = wishes([manifest('web'), manifest('db')]);
const uid = desired.pods.find(pod => pod.key.includes('web'))?.uid ?? '';
const wanted = new Set(desired.pods.map(pod => pod.uid));
const message = evictionMessage('d', '1Mi');
const T = 1_000_000;

const evict = (evictions: Evictions, now: number) => noteEviction(evictions, { uid, message }, now);
const gone = (evictions: Evictions, now: number) =>
  ageEvictions(evictions, { wanted, present: new Set(), now });

describe('P22: eviction', () => {
  test('the kubelet’s sentence', () => {
    assert.equal(message, 'Usage of EmptyDir volume "d" exceeds the limit "1Mi".');
  });

  test('while anything of the pod is there it is not wanted, and no other pod is touched', () => {
    const evictions = ageEvictions(evict(new Map(), T), {
      wanted,
      present: wanted,
      now: T + 99_000,
    });
    const { pods } = withEvictions(desired, evictions, T + 99_000);
    assert.deepEqual(
      pods.map(pod => pod.key),
      ['default/db-edge1'],
    );
  });

  test('when it is gone it is shown as Failed, Evicted, and begins after 10 s', () => {
    const evictions = gone(evict(new Map(), T), T + 1000);
    const held = withEvictions(desired, evictions, T + 2000).pods.find(pod => pod.uid === uid);
    assert.deepEqual(held?.rejection, {
      phase: 'Failed',
      reason: 'Evicted',
      message,
      againAt: T + 11_000,
    });
    const free = withEvictions(desired, evictions, T + 11_000).pods.find(pod => pod.uid === uid);
    assert.equal(free?.rejection, null);
  });

  test('the pause doubles to five minutes and is short again after ten minutes in peace', () => {
    const pauses: number[] = [];
    let evictions: Evictions = new Map();
    let now = T;
    for (let round = 0; round < 7; round += 1) {
      evictions = gone(evict(evictions, now), now);
      const begins = now;
      while (isEvicted(evictions, uid, now)) now += 1000;
      pauses.push((now - begins) / 1000);
      now += 60_000;
    }
    assert.deepEqual(pauses, [10, 20, 40, 80, 160, 300, 300]);
    evictions = gone(evictions, now + 600_000);
    assert.equal(evictions.size, 0);
  });

  test('what is no longer wanted is forgotten', () => {
    const aged = ageEvictions(gone(evict(new Map(), T), T), {
      wanted: new Set(),
      present: new Set(),
      now: T,
    });
    assert.equal(aged.size, 0);
  });
});
