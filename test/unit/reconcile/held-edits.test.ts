/**
 * While a new version of a pod may not begin the one before goes on in full: shown as what it is, restarted, ended in
 * order; over restarts of the agent too. The loop on the simulated engine, story by story, for an edit of one container and for
 * one that makes another pod of it.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { admission } from '../../../agent/admission/admit.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import type { PodReport } from '../../../agent/ports.js';
import { missingObjectGate } from '../../../agent/volumes/missing-objects.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest, NODE, wish } from '../../support/pods.js';

const nodes: SimulatedNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

function newNode(): SimulatedNode {
  const node = new SimulatedNode(() => ({
    admission: admission({
      policy: DEFAULT_POLICY,
      node: { name: NODE, labels: {}, allocatable: { cpu: '4', pods: '110' } },
      gates: [missingObjectGate],
      editGates: [missingObjectGate],
    }),
  }));
  nodes.push(node);
  return node;
}

const PRE_STOP = { preStop: { sleep: { seconds: 1 } } };
const was = manifest('web', { containers: [{ name: 'app', lifecycle: PRE_STOP }] });
const withImage = { name: 'app', image: 'busybox:2' };
const envFrom = [{ configMapRef: { name: 'absent' } }];

interface Case {
  readonly says: string;
  readonly next: ValidPod;
  readonly reason: string;
  /** Begins the message. */
  readonly path: string;
}

const IMAGES: readonly Case[] = [
  {
    says: 'an edit of the container whose image is missing',
    next: manifest('web', { containers: [withImage] }),
    reason: 'ErrImagePull',
    path: 'spec.containers[0].image',
  },
  {
    says: 'an edit that makes another pod of it and whose image is missing',
    next: manifest('web', { containers: [withImage], spec: { hostname: 'moved' } }),
    reason: 'ErrImagePull',
    path: 'spec.containers[0].image',
  },
  {
    says: 'a new container whose image is missing',
    next: manifest('web', {
      containers: [
        { name: 'app', args: ['x'] },
        { ...withImage, name: 'more' },
      ],
    }),
    reason: 'ErrImagePull',
    path: 'spec.containers[1].image',
  },
  {
    says: 'an image that is not to be pulled and is not there',
    next: manifest('web', { containers: [{ ...withImage, imagePullPolicy: 'Never' }] }),
    reason: 'ErrImageNeverPull',
    path: 'spec.containers[0].image',
  },
];

const CASES: readonly Case[] = [
  ...IMAGES,
  {
    says: 'an edit of the container that names a missing document',
    next: manifest('web', { containers: [{ name: 'app', envFrom }] }),
    reason: 'MissingConfigMap',
    path: 'spec.containers[0].envFrom[0].configMapRef',
  },
  {
    says: 'an edit that makes another pod of it and names a missing document',
    next: manifest('web', { containers: [{ name: 'app', envFrom }], spec: { hostname: 'moved' } }),
    reason: 'MissingConfigMap',
    path: 'spec.containers[0].envFrom[0].configMapRef',
  },
];

function former(node: SimulatedNode): PodReport | undefined {
  return node.pods.reports().find(({ pod }) => pod.metadata?.uid === wish(was).uid);
}

function waitsFor(
  report: PodReport | undefined,
): { reason?: string; message?: string } | undefined {
  return report?.pod.status?.conditions?.find(({ type }) => type === 'UpdateWaiting');
}

/** Resolves when the edit is held and says why. */
async function held(node: SimulatedNode, { reason }: Case): Promise<void> {
  await node.until('the edit is held', () => waitsFor(former(node))?.reason === reason);
}

async function runs(node: SimulatedNode): Promise<string> {
  node.source.say(was);
  await node.until('web runs', () => node.phase('web') === 'Running');
  await node.settle();
  return node.running('web')?.id ?? '';
}

function isShownAsItIs(node: SimulatedNode, { path }: Case): void {
  const report = former(node);
  assert.equal(report?.pod.metadata?.deletionTimestamp, undefined);
  assert.equal(report?.pod.status?.phase, 'Running');
  const [status] = report.pod.status.containerStatuses ?? [];
  assert.notEqual(status?.state?.running, undefined, JSON.stringify(status));
  assert.deepEqual([status?.ready, status?.lastState, status?.image], [true, {}, 'busybox:1']);
  assert.ok(status?.containerID?.endsWith(`://${node.running('web')?.id}`));
  const ready = report.pod.status.conditions?.find(({ type }) => type === 'Ready');
  assert.equal(ready?.status, 'True');
  assert.ok(waitsFor(report)?.message?.startsWith(`${path}: `), waitsFor(report)?.message);
}

/** As often as the policy would have it restarted without the edit. */
async function isRestarted(node: SimulatedNode): Promise<void> {
  const before = node.running('web');
  node.engine.exitContainer(before?.id ?? '', 1);
  await node.until(
    'it is restarted',
    () => node.running('web')?.attempt === (before?.attempt ?? 0) + 1,
  );
  assert.equal(node.running('web')?.hash, before?.hash);
}

for (const one of CASES) {
  describe(`while ${one.says} holds an edit`, () => {
    test('what runs is shown as what it is', async () => {
      const node = newNode();
      const id = await runs(node);
      node.source.say(one.next);
      await held(node, one);
      isShownAsItIs(node, one);
      assert.equal(node.running('web')?.id, id);
      assert.match(
        node.pods.planText(),
        new RegExp(`default/web-${NODE}: .*waits: ${one.reason}: `),
      );
    });

    test('it is restarted when it ends, with its own back-off, and when its sandbox does', async () => {
      const node = newNode();
      await runs(node);
      node.source.say(one.next);
      await held(node, one);
      await isRestarted(node);
      const from = node.clock.now();
      await isRestarted(node);
      assert.ok(node.clock.now() - from >= 10_000);
      node.engine.killSandbox(node.sandbox('web')?.id ?? '');
      await node.until('it runs in another sandbox', () => node.running('web') !== undefined);
      assert.equal(node.running('web')?.hash, wish(was).containerHashes.get('app'));
    });

    test('all of this holds after a restart of the agent', async () => {
      const node = newNode();
      const id = await runs(node);
      node.source.say(one.next);
      await held(node, one);
      await node.restart();
      node.source.say(one.next);
      await held(node, one);
      isShownAsItIs(node, one);
      assert.equal(node.running('web')?.id, id);
      await isRestarted(node);
    });

    test('and when the edit was made while the agent was away', async () => {
      const node = newNode();
      await runs(node);
      await node.restart();
      node.source.say(one.next);
      await held(node, one);
      await isRestarted(node);
    });

    test('after a start of the node what ran begins anew', async () => {
      const node = newNode();
      await runs(node);
      node.source.say(one.next);
      await held(node, one);
      await node.stopAgent();
      node.engine.killSandbox(node.sandbox('web')?.id ?? '');
      node.engine.exitContainer(node.running('web')?.id ?? '', 137);
      await node.restart();
      node.source.say(one.next);
      await held(node, one);
      await node.until('it runs', () => node.running('web') !== undefined);
      await node.settle();
      assert.equal(node.running('web')?.hash, wish(was).containerHashes.get('app'));
      assert.equal(former(node)?.pod.status?.phase, 'Running');
    });

    test('the edit taken back touches nothing', async () => {
      const node = newNode();
      await runs(node);
      const acts = node.engine.acts.length;
      node.source.say(one.next);
      await held(node, one);
      node.source.say(was);
      await node.until('nothing waits', () => {
        return waitsFor(former(node)) === undefined && node.pods.reports().length === 1;
      });
      await node.settle();
      assert.deepEqual(node.engine.acts.slice(acts), []);
      assert.equal(node.pods.planText(), 'nothing to do');
    });

    test('the file removed ends what runs in order', async () => {
      const node = newNode();
      node.engine.program = () => ({ kind: 'runs', ignoresTerm: true });
      await runs(node);
      node.source.say(one.next);
      await held(node, one);
      node.source.say();
      await node.until(
        'it ends',
        () => former(node)?.pod.metadata?.deletionTimestamp !== undefined,
      );
      await node.until('all is gone', () => node.engine.sandboxes.size === 0);
      await node.until('nothing is shown', () => node.pods.reports().length === 0);
      await node.until('nothing is remembered', () => node.versions.rows.size === 0);
    });
  });
}

for (const one of IMAGES) {
  test(`${one.says}: it begins when the image comes, and there is no storm of events`, async () => {
    const node = newNode();
    await runs(node);
    node.source.say(one.next);
    await held(node, one);
    const from = node.clock.now();
    await node.until('half an hour', () => node.clock.now() > from + 1_800_000, 7_200_000);
    const failures = node.events.filter(({ message }) => /^Failed to pull|of Never/.test(message));
    assert.ok(failures.length >= 1 && failures.length <= 9, String(failures.length));
    const names = [...wish(one.next).containerHashes.keys()];
    node.engine.registry.add('busybox:2');
    if (one.reason === 'ErrImageNeverPull') node.engine.addImage('busybox:2');
    const hash = (name: string) => wish(one.next).containerHashes.get(name);
    await node.until('the edit runs', () =>
      names.every(name => node.running('web', name)?.hash === hash(name)),
    );
    await node.until('nothing waits', () => !node.pods.planText().includes('waits'));
    const pulls = node.engine.acts.filter(act => act === 'pullImage busybox:2');
    assert.ok(pulls.length <= 1, 'pulled once, not again when it begins');
  });
}

describe('what is remembered of what runs', () => {
  test('is written once for each version and not while nothing happens', async () => {
    const node = newNode();
    await runs(node);
    assert.equal(node.versions.writes, 1);
    const from = node.clock.now();
    await node.until('an hour', () => node.clock.now() > from + 3_600_000, 7_200_000);
    await node.restart();
    node.source.say(was);
    await node.until('web runs', () => node.phase('web') === 'Running');
    await node.settle();
    assert.equal(node.versions.writes, 1);
    const next = manifest('web', { containers: [{ name: 'app', args: ['x'] }] });
    node.source.say(next);
    await node.until('the edit runs', () => node.running('web')?.attempt === 1);
    await node.settle();
    assert.equal(node.versions.writes, 2);
  });

  test('may be lost: what runs runs on, and the edit begins when it may', async () => {
    const node = newNode();
    const id = await runs(node);
    const [one] = IMAGES;
    assert.ok(one);
    node.source.say(one.next);
    await held(node, one);
    for (const uid of node.versions.rows.keys()) node.versions.rows.set(uid, '{"version":9}');
    await node.restart();
    node.source.say(one.next);
    await node.until('it is shown', () => node.phase('web') === 'Running');
    assert.equal(node.running('web')?.id, id);
    node.engine.registry.add('busybox:2');
    await node.until('the edit runs', () => node.running('web')?.image === 'busybox:2');
  });
});
