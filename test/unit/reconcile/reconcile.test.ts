/** The loop on the simulated engine, story by story. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, T0 } from '../../support/pods.js';

const nodes: SimulatedNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

function newNode(): SimulatedNode {
  const node = new SimulatedNode();
  nodes.push(node);
  return node;
}

const web = manifest('web');
const webEdited = manifest('web', { containers: [{ name: 'app', args: ['x'] }] });
const webMoved = manifest('web', { spec: { hostname: 'moved' } });
const pair = manifest('pair', { containers: [{ name: 'a' }, { name: 'b' }] });

describe('the loop', () => {
  test('runs what it is told, tells the kubelet’s events, ends what is no longer wanted', async () => {
    const node = newNode();
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    const reasons = node.events.map(event => event.reason);
    // What the node's own resolver file gives rise to is not this test's subject.
    const taken = reasons.filter(reason => reason !== 'DNSConfigForming');
    assert.deepEqual(taken, ['Pulled', 'Created', 'Started']);
    node.source.say();
    await node.until('web is gone', () => node.engine.sandboxes.size === 0);
    assert.equal(node.engine.containers.size, 0);
    await node.until('no report', () => node.pods.reports().length === 0);
    assert.equal(node.pods.planText(), 'nothing to do');
  });

  test('a restart of the agent touches nothing, and nothing is ended before the source speaks', async () => {
    const node = newNode();
    node.source.say(web, pair);
    await node.until(
      'both run',
      () => node.phase('web') === 'Running' && node.phase('pair') === 'Running',
    );
    const acts = node.engine.acts.length;
    await node.restart();
    await node.until('an hour without a word', () => node.clock.now() > T0 + 3_600_000, 7_200_000);
    assert.equal(node.engine.acts.length, acts);
    node.source.say(web, pair);
    await node.until('reported again', () => node.phase('pair') === 'Running');
    await node.until('another hour', () => node.clock.now() > T0 + 7_200_000, 7_200_000);
    assert.equal(node.engine.acts.length, acts);
    assert.equal(node.report('web')?.pod.status?.containerStatuses?.[0]?.restartCount, 0);
  });

  test('row 81: an engine that tells nothing is looked at once a minute', async () => {
    const node = newNode();
    node.engine.emit = () => undefined;
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    const from = node.clock.now();
    node.engine.exitContainer(node.running('web')?.id ?? '', 1);
    await node.until('it runs again', () => node.running('web')?.attempt === 1);
    assert.ok(node.clock.now() - from <= 60_000);
    node.source.say();
    await node.until('web is gone', () => node.engine.sandboxes.size === 0);
  });

  test('a file deleted while the agent was down: the pod ends when the source has spoken', async () => {
    const node = newNode();
    node.source.say(web, pair);
    await node.until(
      'both run',
      () => node.phase('web') === 'Running' && node.phase('pair') === 'Running',
    );
    await node.restart();
    node.source.say(pair);
    await node.until('web is gone', () => node.containers('web').length === 0);
    assert.ok(node.running('pair', 'a') !== undefined);
  });

  test('row 76: an edit of one container replaces that one; the new is made before the old is stopped', async () => {
    const node = newNode();
    node.source.say(pair);
    await node.until('pair runs', () => node.phase('pair') === 'Running');
    const kept = node.running('pair', 'b')?.id;
    const acts = node.engine.acts.length;
    node.source.say(manifest('pair', { containers: [{ name: 'a', args: ['x'] }, { name: 'b' }] }));
    await node.until('a is replaced', () => node.running('pair', 'a')?.attempt === 1);
    await node.settle();
    assert.equal(node.running('pair', 'b')?.id, kept);
    assert.deepEqual(
      node.engine.acts.slice(acts).map(act => act.split(' ')[0]),
      ['createContainer', 'stopContainer', 'startContainer'],
    );
  });

  test('rows 84, 202, T23, T28: a crash loop starts at 0, 0, 10, 30, 70, 150, 310 s and says so', async () => {
    const node = newNode();
    const starts: number[] = [];
    node.engine.program = () => {
      starts.push(node.clock.now() - T0);
      return { kind: 'exits', code: 1 };
    };
    node.source.say(web);
    await node.until('seven starts', () => starts.length === 7);
    const wanted = [0, 0, 10, 30, 70, 150, 310];
    for (const [i, second] of wanted.entries()) {
      const at = (starts[i] ?? NaN) / 1000;
      assert.ok(at >= second && at <= second + 1, `start ${i} at ${at} s, wanted ${second} s`);
    }
    await node.settle();
    const status = node.report('web')?.pod.status?.containerStatuses?.[0];
    assert.equal(status?.state?.waiting?.reason, 'CrashLoopBackOff');
    assert.equal(status.restartCount, 6);
    assert.ok(node.containers('web').length <= 2);
    assert.ok(node.events.some(event => event.reason === 'BackOff'));
  });

  test('row 75 better: the wait of a crash loop outlives the agent', async () => {
    const node = newNode();
    const starts: number[] = [];
    node.engine.program = () => {
      starts.push(node.clock.now());
      return { kind: 'exits', code: 1 };
    };
    node.source.say(web);
    await node.until('five starts', () => starts.length === 5);
    await node.settle();
    await node.restart();
    node.source.say(web);
    await node.until('six starts', () => starts.length === 6);
    const waited = ((starts[5] ?? 0) - (starts[4] ?? 0)) / 1000;
    assert.ok(waited >= 80 && waited <= 81, `waited ${waited} s`);
  });

  test('row 87: an edit ends the wait', async () => {
    const node = newNode();
    let starts = 0;
    node.engine.program = spec => {
      starts += 1;
      return spec.args === null ? { kind: 'exits', code: 1 } : { kind: 'runs' };
    };
    node.source.say(web);
    await node.until('four starts', () => starts === 4);
    await node.settle();
    const before = node.clock.now();
    node.source.say(webEdited);
    await node.until('it runs', () => node.running('web') !== undefined);
    assert.ok(node.clock.now() - before < 1000);
  });

  test('row 70: a pod that stops slowly holds up no other', async () => {
    const node = newNode();
    node.engine.program = spec => ({ kind: 'runs', ignoresTerm: spec.args === null });
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    const from = node.clock.now();
    node.source.say(pair);
    await node.until('pair runs', () => node.phase('pair') === 'Running');
    assert.ok(node.clock.now() - from < 1000);
    assert.ok(node.report('web')?.pod.metadata?.deletionTimestamp !== undefined);
    await node.until('web is gone', () => node.containers('web').length === 0);
    assert.ok(node.clock.now() - from >= 30_000);
  });

  test('rows 64, 65: a pod that becomes another: the old one ends fully before the new one begins', async () => {
    const node = newNode();
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    const old = node.running('web')?.pod.uid;
    const acts = node.engine.acts.length;
    node.source.say(webMoved);
    await node.until('the new one runs', () => {
      const uid = node.running('web')?.pod.uid;
      return uid !== undefined && uid !== old;
    });
    const later = node.engine.acts.slice(acts).map(act => act.split(' ')[0]);
    assert.ok(later.indexOf('removeSandbox') < later.indexOf('runSandbox'), later.join());
  });

  test('row 66: of many quick edits the last one runs and nothing is left over', async () => {
    const node = newNode();
    node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    for (let i = 0; i < 100; i++) {
      node.source.say(manifest('web', { spec: { hostname: `h${i}` } }));
      if (i % 10 === 0) await node.settle();
      node.clock.advance(100);
    }
    await node.until(
      'the last one runs',
      () => node.sandbox('web')?.spec.hostname === 'h99' && node.running('web') !== undefined,
    );
    await node.settle();
    assert.equal(node.engine.sandboxes.size, 1);
    assert.equal(node.engine.containers.size, 1);
  });

  test('row 82, T10: the engine goes down during a stop: it is finished when the engine is back', async () => {
    const node = newNode();
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    node.engine.up = false;
    node.source.say();
    await node.until('it is a condition', () =>
      node.pods.conditions().some(one => one.type === 'ContainerRuntime' && one.status === 'False'),
    );
    assert.ok(node.running('web') !== undefined);
    node.engine.up = true;
    await node.until('web is gone', () => node.engine.sandboxes.size === 0);
  });

  test('row 77: a killed sandbox takes the pod with it into a new one, counts go on', async () => {
    const node = newNode();
    node.source.say({ ...pair, spec: { ...pair.spec, dnsPolicy: 'ClusterFirst' } });
    await node.until('pair runs', () => node.phase('pair') === 'Running');
    node.engine.killSandbox(node.sandbox('pair')?.id ?? '');
    await node.until(
      'it is made again',
      () => node.sandbox('pair')?.attempt === 1 && node.running('pair', 'b')?.attempt === 1,
    );
    assert.ok(node.events.some(event => event.reason === 'SandboxChanged'));
    const told = node.events.filter(event => event.reason === 'MissingClusterDNS').length;
    assert.equal(told, 2, 'row 171: of each sandbox');
  });

  test('a host port that is taken: the pod waits with the reason and runs when it is free', async () => {
    const node = newNode();
    const ports = [{ containerPort: 80, hostPort: 80 }];
    const first = manifest('first', { containers: [{ name: 'app', ports }] });
    const second = manifest('second', { containers: [{ name: 'app', ports }] });
    node.source.say(first);
    await node.until('first runs', () => node.phase('first') === 'Running');
    node.source.say(first, second);
    await node.until(
      'the reason shows',
      () => node.report('second')?.pod.status?.reason === 'HostPortTaken',
    );
    node.source.say(second);
    await node.until('second runs', () => node.phase('second') === 'Running');
  });

  test('row 80: one container that cannot be made does not stop the next', async () => {
    const node = newNode();
    node.source.say(
      manifest('pair', { containers: [{ name: 'a', image: 'missing:1' }, { name: 'b' }] }),
    );
    await node.until('b runs', () => node.running('pair', 'b') !== undefined);
    assert.equal(node.phase('pair'), 'Pending');
  });

  test('a call that never succeeds is not made without end', async () => {
    const node = newNode();
    let calls = 0;
    node.setFault(call => {
      if (call !== 'removeSandbox') return;
      calls += 1;
      throw new RuntimeError('EngineError', 'device busy');
    });
    node.source.say(web);
    await node.until('web runs', () => node.phase('web') === 'Running');
    node.source.say();
    const from = node.clock.now();
    await node.until('ten minutes', () => node.clock.now() > from + 600_000);
    assert.ok(calls > 3 && calls < 30, `${calls} calls`);
  });
});
