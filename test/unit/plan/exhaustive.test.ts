/**
 * Every small world: each state of sandbox and of two instances of a container, under each policy and edit. The
 * plan reaches its fixed point, takes no step twice, and touches nothing that runs as wanted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_MEMORY, noteExits, type Memory } from '../../../agent/pods/back-off.js';
import { plan } from '../../../agent/pods/plan.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import type {
  ContainerState,
  ObservedContainer,
  ObservedPods,
} from '../../../agent/runtime/runtime.js';
import {
  apply,
  CALM,
  containerOf,
  manifest,
  sandboxOf,
  shorthand,
  T0,
  wish,
  wishes,
} from '../../support/pods.js';

const NOW = T0 + 3_600_000;
const STATES: readonly (ContainerState | 'none')[] = [
  'none',
  'created',
  'running',
  'exited',
  'unknown',
];
const SANDBOXES = ['none', 'ready', 'dead', 'old and ready', 'two ready'] as const;
const POLICIES = ['Always', 'OnFailure', 'Never'] as const;

function* worlds(pod: DesiredPod): Generator<{ says: string; observed: ObservedPods }> {
  for (const sandbox of SANDBOXES) {
    for (const older of STATES) {
      for (const newer of STATES) {
        for (const isStale of [false, true]) {
          for (const exitCode of [0, 1]) {
            const sandboxes = {
              none: [],
              ready: [sandboxOf(pod)],
              dead: [sandboxOf(pod, { ready: false })],
              'old and ready': [sandboxOf(pod, { ready: false }), sandboxOf(pod, { attempt: 1 })],
              'two ready': [sandboxOf(pod), sandboxOf(pod, { attempt: 1 })],
            }[sandbox];
            const sandboxId = sandboxes.at(-1)?.id ?? 'gone';
            const containers: ObservedContainer[] = [];
            const hash = isStale ? { hash: 'stale' } : {};
            const code = (state: ContainerState) => (state === 'exited' ? { exitCode } : {});
            if (older !== 'none') {
              const change = { state: older, attempt: 0, ...hash, ...code(older) };
              containers.push(containerOf(pod, 'app', change));
            }
            if (newer !== 'none') {
              const change = { state: newer, attempt: 1, sandboxId, ...code(newer) };
              containers.push(containerOf(pod, 'app', change));
            }
            const says = `${sandbox}, ${older}${isStale ? ' (stale)' : ''}, ${newer}, ${exitCode}`;
            yield { says, observed: { sandboxes, containers } };
          }
        }
      }
    }
  }
}

test('every small world reaches its fixed point and keeps what runs as wanted', () => {
  let count = 0;
  for (const policy of POLICIES) {
    const one = manifest('web', { spec: { restartPolicy: policy } });
    const pod = wish(one);
    for (const { says, observed } of worlds(pod)) {
      count += 1;
      const title = `${policy}: ${says}`;
      let memory: Memory = EMPTY_MEMORY;
      let there = observed;
      let now = NOW;
      const rounds: string[][] = [];
      const round = () => {
        memory = noteExits(memory, there, now);
        const desired = wishes([one]);
        const plans = plan({ desired, observed: there, memory, ...CALM, podData: new Set(), now });
        const before = there;
        there = apply(there, plans, now);
        rounds.push(shorthand(plans));
        return { plans, before };
      };
      const { plans, before } = round();
      const [newest] = before.sandboxes.slice(-1);
      for (const step of plans.flatMap(each => each.steps)) {
        if (step.do !== 'stopContainer' || before.sandboxes.filter(s => s.ready).length !== 1)
          continue;
        const victim = before.containers.find(each => each.id === step.id);
        const isWanted =
          victim?.state === 'running' &&
          victim.hash === pod.containerHashes.get('app') &&
          victim.sandboxId === newest?.id &&
          newest.ready;
        const successor = before.containers.some(
          each => each.attempt > (victim?.attempt ?? 0) && each.state !== 'created',
        );
        const isPrepared = before.containers.some(
          each => each.attempt > (victim?.attempt ?? 0) && each.state === 'created',
        );
        assert.ok(!isWanted || successor || isPrepared, `${title}: stopped what runs as wanted`);
      }
      round();
      assert.deepEqual(rounds[1], [], `${title}: ${JSON.stringify(rounds)}`);
      now += 120_000;
      round();
      const alive = there.containers.filter(each => each.state === 'running');
      assert.ok(alive.length <= 1, `${title}: two instances run`);
      const flat = rounds.flat();
      assert.ok(flat.length < 20, `${title}: ${flat.join(', ')}`);
      round();
      assert.deepEqual(rounds[3], [], `${title}, later: ${JSON.stringify(rounds)}`);
    }
  }
  assert.equal(count, POLICIES.length * SANDBOXES.length * 5 * 5 * 2 * 2);
});
