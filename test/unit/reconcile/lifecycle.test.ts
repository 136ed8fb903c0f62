/**
 * Cases of the kubelet's own lifecycle tests (`container_restart_test.go`, `container_lifecycle_test.go`,
 * `garbage_collector_test.go`) on the simulated engine: who is restarted and when, what is kept of the dead, how a pod ends
 * that has not begun yet.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { HookRunner } from '../../../agent/pods/health.js';
import type { PodsOptions } from '../../../agent/pods/pods.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, T0 } from '../../support/pods.js';

const nodes: SimulatedNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

function newNode(parts: (node: SimulatedNode) => Partial<PodsOptions> = () => ({})): SimulatedNode {
  const node = new SimulatedNode(parts);
  nodes.push(node);
  return node;
}

describe('rows 83, 85, T63: a container that ends', () => {
  for (const [policy, code, restarts, phase] of [
    ['Always', 0, true, 'Running'],
    ['Always', 1, true, 'Running'],
    ['OnFailure', 0, false, 'Succeeded'],
    ['OnFailure', 1, true, 'Running'],
    ['Never', 0, false, 'Succeeded'],
    ['Never', 1, false, 'Failed'],
  ] as const) {
    test(`with ${code} under ${policy}: ${restarts ? 'restarted, with back-off' : phase}`, async () => {
      const node = newNode();
      let starts = 0;
      node.engine.program = () => {
        starts += 1;
        return { kind: 'exits', code };
      };
      node.source.say(manifest('web', { spec: { restartPolicy: policy } }));
      await node.until('it has ended', () => starts === (restarts ? 2 : 1));
      const sandbox = node.sandbox('web')?.id;
      await node.settle();
      assert.equal(node.phase('web'), phase);
      assert.equal(starts, restarts ? 2 : 1);
      const state = node.report('web')?.pod.status?.containerStatuses?.[0]?.state;
      assert.equal(state?.waiting?.reason, restarts ? 'CrashLoopBackOff' : undefined);
      if (!restarts) return;
      await node.until('a third time', () => starts === 3);
      assert.equal(node.sandbox('web')?.id, sandbox, 'the sandbox stays');
    });
  }
});

describe('row 88, T24: a lower maximum', () => {
  for (const [says, node30, annotation, wanted] of [
    ['of the node', 30_000, null, [0, 0, 10, 30, 60, 90]],
    ['of the pod', 300_000, '30s', [0, 0, 10, 30, 60, 90]],
    ['of both: the lower one wins', 15_000, '30s', [0, 0, 10, 25, 40, 55]],
    ['of the pod above that of the node is not heard', 15_000, '10m', [0, 0, 10, 25, 40, 55]],
  ] as const) {
    test(says, async () => {
      const node = newNode(() => ({ restartBackOffMaxMs: node30 }));
      const starts: number[] = [];
      node.engine.program = () => {
        starts.push((node.clock.now() - T0) / 1000);
        return { kind: 'exits', code: 1 };
      };
      const annotations =
        annotation === null ? {} : { 'flotilla.dev/crash-loop-back-off-max': annotation };
      node.source.say(manifest('web', { annotations }));
      await node.until('six starts', () => starts.length === wanted.length);
      for (const [i, second] of wanted.entries()) {
        const at = starts[i] ?? NaN;
        assert.ok(at >= second && at <= second + 1, `start ${i} at ${at} s, wanted ${second} s`);
      }
    });
  }
});

test('row 86: a run of more than ten minutes is restarted at once, and the series begins anew', async () => {
  const node = newNode();
  const starts: number[] = [];
  node.engine.program = () => {
    starts.push(node.clock.now());
    return starts.length === 4 ? { kind: 'runs' } : { kind: 'exits', code: 1 };
  };
  node.source.say(manifest('web'));
  await node.until('a run that lasts', () => node.running('web') !== undefined);
  const long = node.running('web')?.id ?? '';
  const until = node.clock.now() + 605_000;
  await node.until('ten minutes are over', () => node.clock.now() >= until);
  const end = node.clock.now();
  node.engine.exitContainer(long, 1);
  await node.until('two more starts', () => starts.length === 6);
  const gaps = [(starts[4] ?? 0) - end, (starts[5] ?? 0) - (starts[4] ?? 0)];
  assert.ok((gaps[0] ?? NaN) <= 1_000, `restarted after ${gaps[0]} ms`);
  assert.ok((gaps[1] ?? NaN) >= 10_000 && (gaps[1] ?? NaN) <= 11_000, `then after ${gaps[1]} ms`);
});

test('row 202, T28: of each container one dead run is kept, and nothing when the pod is gone', async () => {
  const node = newNode();
  let starts = 0;
  node.engine.program = spec => {
    if (spec.name === 'good') return { kind: 'runs' };
    starts += 1;
    return { kind: 'exits', code: 1 };
  };
  node.source.say(
    manifest('web', { containers: [{ name: 'a' }, { name: 'b' }, { name: 'good' }] }),
  );
  await node.until('they crashed five times each', () => starts >= 10);
  const until = node.clock.now() + 61_000;
  await node.until('a minute is over', () => node.clock.now() >= until);
  await node.settle();
  assert.equal(node.containers('web', 'a').length, 1);
  assert.equal(node.containers('web', 'b').length, 1);
  assert.equal(node.containers('web', 'good').length, 1);
  node.source.say();
  await node.until('nothing is left', () => node.engine.containers.size === 0);
});

describe('T60: a pod that is deleted before it has begun', () => {
  const grace = { terminationGracePeriodSeconds: 3 };
  const slow = { name: 'slow', image: 'busybox:1' };
  const probe = { exec: { command: ['false'] } };
  for (const [says, init] of [
    ['in an init container', slow],
    [
      'by a sidecar that has not started',
      { ...slow, restartPolicy: 'Always', startupProbe: probe },
    ],
  ] as const) {
    test(`${says} ends within its grace, and no app container was ever made`, async () => {
      const node = newNode();
      node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
      node.source.say(manifest('web', { spec: { ...grace, initContainers: [init] } }));
      await node.until('it has begun', () => node.running('web', 'slow') !== undefined);
      await node.settle();
      const from = node.clock.now();
      node.source.say();
      await node.until('it is gone', () => node.engine.sandboxes.size === 0);
      assert.ok(node.clock.now() - from <= 4_000);
      assert.deepEqual(
        node.engine.stops.map(({ name, graceSeconds }) => [name, graceSeconds]),
        [['slow', 3]],
      );
    });
  }
});

test('T59: hooks of sidecars that do not return begin together, and all end with the grace', async () => {
  const runs: { from: number; to: number }[] = [];
  const node = newNode(self => {
    const hooks: HookRunner = {
      async run(_handler, _target, signal) {
        const run = { from: self.clock.now(), to: -1 };
        runs.push(run);
        await self.clock.sleep(1_000_000, signal);
        run.to = self.clock.now();
      },
    };
    return { hooks };
  });
  const lifecycle = { preStop: { exec: { command: ['sleep', '1000'] } } };
  const sidecar = (name: string) => {
    return { name, image: 'busybox:1', restartPolicy: 'Always', lifecycle };
  };
  const spec = {
    terminationGracePeriodSeconds: 5,
    initContainers: [sidecar('s1'), sidecar('s2'), sidecar('s3')],
  };
  node.source.say(manifest('web', { spec }));
  await node.until('it runs', () => node.phase('web') === 'Running');
  const from = node.clock.now();
  node.source.say();
  await node.until('it is gone', () => node.engine.sandboxes.size === 0);
  assert.deepEqual(
    runs.map(run => [run.from - from, run.to - from]),
    [
      [0, 5_000],
      [0, 5_000],
      [0, 5_000],
    ],
  );
  const told = node.engine.stops.map(one => [one.name, (one.at - from) / 1000, one.graceSeconds]);
  assert.deepEqual(told.toSorted(), [
    ['app', 0, 5],
    ['s1', 5, 2],
    ['s2', 5, 2],
    ['s3', 5, 2],
  ]);
});
