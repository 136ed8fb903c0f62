/** Pods of a silent node at the hub: after a grace nobody claims to know, what was known last is kept, and it comes back with the node. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { toApiObject } from '../../hub/api/api-object.js';
import { POD_TABLE } from '../../hub/api/tables/pods.js';
import type { PodObject } from '../../hub/objects.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { IngestWorld, type SpeakingNode } from '../support/ingest-world.js';

const GRACE_MS = 45_000;

describe('pods of a node', () => {
  let hub: IngestWorld;
  let edge: SpeakingNode;

  const running = (name: string) => {
    const told = edge.pod(name);
    const at = '2026-01-01T00:00:00Z';
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: at };
    const state = { running: { startedAt: at } };
    const container = {
      name: 'c',
      image: 'x:1',
      imageID: 'x',
      ready: true,
      restartCount: 2,
      state,
    };
    const status = { phase: 'Running', conditions: [ready], containerStatuses: [container] };
    const pod = { ...told.pod, status };
    return { ...told, pod, summary: { ...told.summary, digest: sha256Hex(canonicalJson(pod)) } };
  };
  const report = async () => {
    const [web, job] = [running('web'), edge.pod('job', 'Succeeded')];
    edge.presence(true);
    const pods = { [web.key]: web.summary, [job.key]: job.summary };
    await edge.status({ pods });
    await edge.tell(web);
    await edge.tell(job);
    await hub.quiet();
    return { pods, web };
  };
  const leave = async () => {
    edge.presence(false);
    await hub.quiet();
  };
  const podNamed = async (name: string): Promise<PodObject> => {
    const found = (await hub.pods()).find(({ metadata }) => metadata.name === `${name}-edge1`);
    assert.ok(found);
    return found;
  };
  const cells = (pod: PodObject) => POD_TABLE.cells(toApiObject(pod), hub.clock.now()).slice(1, 4);

  beforeEach(async () => {
    hub = await IngestWorld.make();
    edge = await hub.join('edge1');
  });
  afterEach(() => hub.close());

  test('that is gone for a moment are as they were: an agent that starts anew changes none', async () => {
    await report();
    const before = await podNamed('web');
    await leave();
    await hub.pass(30_000);
    edge.presence(true);
    await hub.quiet();
    await hub.pass(GRACE_MS);
    assert.deepEqual(await podNamed('web'), before);
  });

  test('that is silent are unknown, and say what was known last; one that is over stays over', async () => {
    await report();
    const [before, over] = [await podNamed('web'), await podNamed('job')];
    assert.deepEqual(cells(before), ['1/1', 'Running', '2']);
    await leave();
    await hub.pass(GRACE_MS);
    const { spec, metadata, status } = await podNamed('web');
    assert.deepEqual(cells(await podNamed('web')), ['0/1', 'Unknown', '2']);
    assert.deepEqual([status.phase, status.reason], ['Unknown', 'NodeLost']);
    assert.match(
      status.message ?? '',
      /^node edge1 is not connected since \S+Z; .* Last known: Running, 1\/1 ready/,
    );
    const [ready] = status.conditions ?? [];
    assert.deepEqual(
      [ready?.type, ready?.status, ready?.reason],
      ['Ready', 'False', 'NodeNotReady'],
    );
    assert.deepEqual(status.containerStatuses, before.status.containerStatuses);
    assert.deepEqual([spec, metadata.uid], [before.spec, before.metadata.uid]);
    assert.deepEqual(await podNamed('job'), over);
    const version = await hub.version();
    await hub.pass(GRACE_MS);
    assert.equal(await hub.version(), version, 'said once');
  });

  test('that comes back are known again, and what it says of them meanwhile counts', async () => {
    const { pods, web } = await report();
    const before = await podNamed('web');
    await leave();
    await hub.pass(GRACE_MS);
    edge.presence(true);
    await hub.quiet();
    assert.deepEqual((await podNamed('web')).status, before.status);
    await leave();
    await hub.pass(GRACE_MS);
    edge.presence(true);
    await edge.status({ pods });
    const status = { ...(web.pod['status'] as object), phase: 'Failed' };
    await edge.tell({ key: web.key, pod: { ...web.pod, status } });
    await hub.quiet();
    const now = await podNamed('web');
    assert.deepEqual([now.status.phase, now.status.flotilla.lastKnown], ['Failed', undefined]);
  });

  test('are looked at by a hub that was started while the node was silent', async () => {
    await report();
    await leave();
    await hub.restart();
    await hub.pass(GRACE_MS + 10_000);
    assert.equal((await podNamed('web')).status.reason, 'NodeLost');
    await hub.restart();
    edge.presence(true);
    await hub.quiet();
    assert.equal((await podNamed('web')).status.phase, 'Running');
  });

  test('that is heard in the very moment are not called lost', async () => {
    await report();
    await leave();
    let isFirst = true;
    hub.door = async actor => {
      if (actor.name !== 'nodes' || !isFirst) return;
      isFirst = false;
      edge.presence(true);
      await new Promise(resolve => setTimeout(resolve, 50));
    };
    await hub.pass(GRACE_MS);
    await hub.quiet();
    assert.equal(isFirst, false, 'it was tried');
    assert.equal((await podNamed('web')).status.phase, 'Running');
  });
});
