/** The node's shutdown: who ends when, in what time, and that nothing begins any more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { shutdownGroups, shutdownPeriods } from '../../../agent/pods/node-shutdown.js';
import { manifest, wish, type PodOptions } from '../../support/pods.js';
import { newNode, pod, started, stops } from './ending-node.js';

describe('the node’s shutdown', () => {
  test('rows 186, 187: groups by priority, the two system classes by name, the lowest first', () => {
    const of = (name: string, spec: PodOptions['spec']) =>
      wish(manifest(name, spec ? { spec } : {}));
    const pods = [
      of('plain', {}),
      of('negative', { priority: -5 }),
      of('high', { priority: 1_000 }),
      of('node', { priorityClassName: 'system-node-critical' }),
      of('cluster', { priorityClassName: 'system-cluster-critical' }),
    ];
    const named = (groups: ReturnType<typeof shutdownGroups>) =>
      groups.map(({ uids, seconds }) => [
        seconds,
        ...uids.map(uid => pods.find(one => one.uid === uid)?.pod.metadata.name.split('-')[0]),
      ]);
    assert.deepEqual(named(shutdownGroups(pods, shutdownPeriods(30, 10))), [
      [20, 'plain', 'negative', 'high'],
      [10, 'node', 'cluster'],
    ]);
    const periods = [
      { priority: 2_000_000_001, seconds: 5 },
      { priority: 0, seconds: 60 },
      { priority: 1_000, seconds: 10 },
    ];
    assert.deepEqual(named(shutdownGroups(pods, periods)), [
      [60, 'plain', 'negative'],
      [10, 'high', 'cluster'],
      [5, 'node'],
    ]);
  });

  test('rows 186 to 188: the important end last; each group has its time; nothing begins', async () => {
    const { node } = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    const plain = pod('plain', { grace: 300 });
    const quick = pod('quick', { grace: 5, containers: [{ name: 'quick' }] });
    const critical = pod('critical', {
      grace: 300,
      spec: { priorityClassName: 'system-node-critical' },
      containers: [{ name: 'vital' }],
    });
    await started(node, plain, quick, critical);
    const from = node.clock.now();
    let isOver = false;
    const shutdown = node.pods.shutdown(shutdownPeriods(30, 10)).then(() => (isOver = true));
    await node.until('two were told', () => node.engine.stops.length === 2);
    node.source.say(plain, quick, critical, manifest('late'));
    await node.until('the shutdown is over', () => isOver);
    await shutdown;
    const order = stops(node, from).sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(order, [
      ['app', 0, 20],
      ['quick', 0, 5],
      ['vital', 20, 10],
    ]);
    assert.equal(node.phase('late'), 'Failed');
    assert.equal(node.report('late')?.pod.status?.reason, 'NodeShutdown');
    assert.equal(node.containers('late').length, 0);
    await node.until('an hour later', () => node.clock.now() > from + 3_600_000, 7_200_000);
    assert.equal(node.running('plain'), undefined);
    const status = node.report('plain')?.pod.status;
    assert.deepEqual([status?.phase, status?.reason], ['Failed', 'Terminated']);
    assert.match(status?.message ?? '', /imminent node shutdown/);
    await node.restart();
    node.source.say(plain, quick, critical);
    await node.until('it runs again', () => node.phase('plain') === 'Running');
  });

  test('row 188: an edit that is held, or that comes during it, does not begin either', async () => {
    const { node } = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    const names = ['held', 'edited', 'other'] as const;
    await started(node, ...names.map(name => pod(name, { grace: 5 })));
    const next = (name: string, container: object, spec: PodOptions['spec'] = {}) =>
      pod(name, { grace: 5, containers: [{ name: 'app', ...container }], spec });
    const held = next('held', { image: 'busybox:2' }, { hostname: 'moved' });
    node.source.say(held, pod('edited', { grace: 5 }), pod('other', { grace: 5 }));
    await node.until('it is held', () => node.pods.planText().includes('waits'));
    const from = node.clock.now();
    let isOver = false;
    const shutdown = node.pods.shutdown(shutdownPeriods(30, 10)).then(() => (isOver = true));
    await node.until('all were told', () => node.engine.stops.length === 3);
    node.engine.registry.add('busybox:2');
    node.source.say(held, next('edited', { args: ['x'] }), next('other', {}, { hostname: 'y' }));
    await node.until('the shutdown is over', () => isOver);
    await shutdown;
    await node.until('an hour later', () => node.clock.now() > from + 3_600_000, 7_200_000);
    for (const name of names) assert.equal(node.running(name), undefined, name);
  });

  test('row 68: an end that is under way gets shorter, and never longer', async () => {
    const { node } = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    await started(node, pod('web', { grace: 300 }));
    const from = node.clock.now();
    node.source.say();
    await node.until('it was told', () => node.engine.stops.length === 1);
    const shutdown = node.pods.shutdown(shutdownPeriods(20, 0));
    await node.until('it is gone', () => node.engine.containers.size === 0);
    await shutdown;
    assert.deepEqual(stops(node, from), [
      ['app', 0, 300],
      ['app', 0, 20],
    ]);
    assert.ok(node.clock.now() <= from + 21_000);
  });
});
