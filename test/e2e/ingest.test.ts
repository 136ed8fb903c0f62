/**
 * What nodes report, recorded in the real store: an ack never goes before its commit, a hub that dies at any point loses
 * and doubles nothing, and no node is in another's way.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { nameBeside } from '../../hub/ingest/mirror.js';
import { StoreError, type Actor } from '../../hub/store/store.js';
import { seal } from '../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { signer } from '../support/fleet.js';
import { IngestWorld, type SpeakingNode } from '../support/ingest-world.js';
import { eventually } from '../support/wait.js';

const ADMIN: Actor = { kind: 'user', name: 'ann' };
const READY = 'Ready';

let hub: IngestWorld;
let edge: SpeakingNode;

beforeEach(async () => {
  hub = await IngestWorld.make();
  edge = await hub.join('edge1', { shop: 'berlin' });
});
afterEach(() => hub.close());

/** Resolves when it is opened. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>(resolve => (open = resolve));
  return { opened, open: () => open() };
}

/** A status with two pods, their documents, three events. */
async function fullReport(): Promise<{ counter: number; pods: Record<string, string> }> {
  const [web, db] = [edge.pod('web'), edge.pod('db', 'Pending')];
  edge.presence(true);
  const { counter } = await edge.status({
    generation: 4,
    pods: { [web.key]: web.summary, [db.key]: db.summary },
  });
  await edge.tell(web);
  await edge.tell(db);
  await edge.events(1, 1, 2, 3);
  return { counter, pods: { [web.key]: web.summary.digest, [db.key]: db.summary.digest } };
}

async function assertRecorded(): Promise<void> {
  assert.deepEqual(
    (await hub.pods()).map(({ metadata, status }) => [metadata.name, status.phase]),
    [
      ['db-edge1', 'Pending'],
      ['web-edge1', 'Running'],
    ],
  );
  const told = (await hub.events()).filter(({ spec }) => spec.reason === 'Tested');
  assert.deepEqual(
    told.map(({ metadata, spec }) => [metadata.name, spec.flotilla.n]),
    [1, 2, 3].map(n => [`edge1.aaaaaaaa.${n}`, n]),
  );
  const node = await hub.node('edge1');
  assert.equal(node.status.flotilla.generation, 4);
  assert.equal(node.status.conditions?.find(({ type }) => type === READY)?.status, 'True');
}

describe('an ack', () => {
  test('confirms a turn of many documents at once, after the one commit that holds them', async () => {
    const held = gate();
    let reached = 0;
    hub.door = () => {
      reached++;
      return held.opened;
    };
    const number = { epoch: 1, generation: 5 };
    const record = { node: 'edge1', ...number, digest: 'ab'.repeat(32), envelope: Buffer.alloc(1) };
    await hub.store.commit(ADMIN, [{ type: 'assignment', record }]);
    const { counter, pods } = await fullReport();
    await hub.quiet();
    assert.equal(reached, 1);
    assert.deepEqual([hub.acks, await hub.pods()], [[], []]);
    held.open();
    await hub.acked('the report', () => true);
    await hub.quiet();
    const expected = { fleet: edge.stamp().fleet, node: 'edge1', journal: edge.journal, boot: 1 };
    assert.deepEqual(hub.acks, [{ ...expected, ...number, counter, row: 0, through: 3, pods }]);
    assert.equal(hub.commits, 1);
    await assertRecorded();
  });

  test('that was lost with the hub comes for the same documents, which change nothing', async () => {
    hub.delivers = false;
    const { counter, pods } = await fullReport();
    await hub.quiet();
    await hub.restart();
    const before = await hub.version();
    hub.delivers = true;
    edge.again();
    const ack = await hub.acked('the report', () => true);
    assert.deepEqual([ack.counter, ack.through, ack.pods], [counter, 3, pods]);
    await hub.quiet();
    assert.equal(await hub.version(), before);
    await assertRecorded();
  });

  test('does not come when the disk refuses; said again, all is recorded', async () => {
    hub.door = () => {
      throw new StoreError('Unavailable', 'the disk is full');
    };
    await fullReport();
    await hub.quiet();
    assert.deepEqual([hub.acks, await hub.pods(), await hub.events()], [[], [], []]);
    assert.match(hub.logged.join('\n'), /failed.*edge1/);
    hub.door = () => undefined;
    edge.again();
    await hub.acked('the report', ({ through }) => through === 3);
    await assertRecorded();
  });

  test('is not given for what a flood pushed out; what is missing arrives when it is said again', async () => {
    const held = gate();
    hub.door = () => held.opened;
    await edge.status({ generation: 1 });
    await hub.quiet();
    for (let n = 1; n <= 1500; n++) await edge.events(1, n);
    await edge.status({ generation: 2 });
    held.open();
    hub.door = () => undefined;
    await hub.acked('the newest status', ({ counter }) => counter === edge.counter);
    await hub.quiet();
    assert.equal((await hub.node('edge1')).status.flotilla.generation, 2);
    const recorded = (await hub.events()).filter(({ spec }) => spec.reason === 'Tested').length;
    assert.ok(recorded < 1500);
    assert.ok(hub.acks.every(({ through }) => through <= recorded));
    const all = Array.from({ length: 1500 }, (_, i) => i + 1);
    for (let i = 0; i < 1500; i += 100) await edge.events(1, ...all.slice(i, i + 100));
    await hub.acked('every event', ({ through }) => through === 1500);
    const numbers = (await hub.events()).map(({ spec }) => spec.flotilla.n).filter(n => n > 0);
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      all,
    );
  });
});

describe('nodes and people', () => {
  test('a label that a person sets while a status is being recorded stays', async () => {
    let isFirst = true;
    hub.door = async () => {
      if (!isFirst) return;
      isFirst = false;
      const { kind, metadata, spec, status } = await hub.node('edge1');
      const labels = { ...metadata.labels, shop: 'paris', spare: 'yes' };
      const object = { kind, metadata: { ...metadata, labels }, spec, status };
      await hub.store.commit(ADMIN, [{ type: 'put', object, expect: 'any' }]);
    };
    await edge.status({ generation: 9 });
    await hub.acked('the status', ({ counter }) => counter === edge.counter);
    const { metadata, status } = await hub.node('edge1');
    assert.equal(status.flotilla.generation, 9);
    assert.deepEqual(
      [metadata.labels['shop'], metadata.labels['spare'], metadata.labels['kubernetes.io/arch']],
      ['paris', 'yes', 'amd64'],
    );
    assert.equal(hub.acks.length, 1);
  });

  test('one whose commit takes long does not hold up another', async () => {
    const other = await hub.join('edge2');
    const held = gate();
    hub.door = actor => (actor.name === 'edge1' ? held.opened : undefined);
    await edge.status();
    await other.status();
    await hub.acked('the other', ({ node }) => node === 'edge2');
    assert.ok(hub.acks.every(({ node }) => node === 'edge2'));
    held.open();
    await hub.acked('the slow one', ({ node }) => node === 'edge1');
  });

  test('one speaks about its own pods alone', async () => {
    const other = await hub.join('edge2');
    await other.tell(other.pod('web'));
    await hub.acked('its owner', ({ node }) => node === 'edge2');
    const before = await hub.pods();
    const { key, pod, summary } = other.pod('web', 'Failed');
    await edge.tell({ key, pod });
    await edge.status({ pods: { [key]: summary } });
    await hub.acked('the stranger', ({ node, counter }) => node === 'edge1' && counter > 1);
    assert.deepEqual(await hub.pods(), before);
    await edge.status({ pods: {} });
    await hub.acked('the stranger again', ({ node, counter }) => node === 'edge1' && counter > 2);
    assert.deepEqual(await hub.pods(), before);
  });

  test('two that bring one name at once: it is whose object is made first, each has its own', async () => {
    const [left, right] = [await hub.join('b'), await hub.join('a-b')];
    const held = gate();
    let isHeld = false;
    hub.door = actor => {
      if (actor.name !== 'b' || isHeld) return;
      isHeld = true;
      return held.opened;
    };
    await left.tell(left.pod('x-a'));
    await eventually('it is about to be made', () => isHeld);
    await right.tell(right.pod('x'));
    await hub.acked('the other', ({ node }) => node === 'a-b');
    held.open();
    await hub.acked('the first', ({ node }) => node === 'b');
    const shown = (await hub.pods()).map(({ metadata, spec }) => [metadata.name, spec.nodeName]);
    assert.deepEqual(shown.sort(), [
      ['x-a-b', 'a-b'],
      [nameBeside('x-a-b', 'b'), 'b'],
    ]);
  });

  test('one that is removed is not heard any more, whatever is remembered of it', async () => {
    await edge.status();
    await hub.acked('the first', () => true);
    await hub.store.commit(ADMIN, [
      { type: 'delete', kind: 'Node', namespace: '', name: 'edge1' },
      { type: 'dropIdentity', node: 'edge1' },
    ]);
    const before = await hub.version();
    await edge.status({ generation: 8 });
    await hub.quiet();
    assert.deepEqual([hub.acks.length, await hub.version()], [1, before]);
    assert.match(hub.logged.join('\n'), /\\"edge1\\" is not an active node/);
  });

  test('one that is replaced under its name is heard by its new key alone', async () => {
    await edge.status();
    await hub.acked('the first', () => true);
    await hub.store.commit(ADMIN, [
      { type: 'delete', kind: 'Node', namespace: '', name: 'edge1' },
      { type: 'dropIdentity', node: 'edge1' },
      {
        type: 'identity',
        expect: 'any',
        record: {
          ...{ node: 'edge1', identityKey: signer('the new device').publicKey, tlsKey: '' },
          ...{ sealingKey: '', certificate: '', state: 'active', joinedAt: '', token: 'test' },
          ...{ labels: {}, suspectedAt: null },
        },
      },
    ]);
    await edge.status({ generation: 8 });
    await hub.quiet();
    assert.equal(hub.acks.length, 1);
    assert.match(hub.logged.join('\n'), /BadSignature/);
  });

  test('garbage costs a line a minute, and nothing else', async () => {
    const { name: node } = edge;
    const before = await hub.version();
    const document = { ...edge.stamp(), counter: 1, oldest: 1, events: [] };
    const bad: [string, Uint8Array][] = [
      ['noise', randomBytes(300)],
      ['too much of it', Buffer.alloc(2 * MESSAGE_BYTES_MAX, 'x')],
      ['an empty text', Buffer.from('""')],
      ['a document that lacks what it must have', edge.seal('event', document)],
      ['one of another kind', edge.seal('presence', { ...document })],
      ['one that another key signed', seal('event', document, [signer('thief')])],
      ['one of another fleet', edge.seal('event', { ...document, fleet: '0'.repeat(32) })],
      ['one of another node', edge.seal('event', { ...document, node: 'edge2' })],
    ];
    for (let i = 0; i < 20; i++) {
      for (const [, payload] of bad) edge.say({ kind: 'event', node, payload, retained: false });
      for (const [, payload] of bad) {
        edge.say({ kind: 'event', node: `ghost${i}`, payload, retained: false });
      }
    }
    await hub.quiet();
    assert.deepEqual([hub.acks, await hub.version(), hub.commits], [[], before, 0]);
    assert.equal(hub.logged.length, 2, hub.logged.join('\n'));
    await hub.pass(61_000);
    for (const [, payload] of bad) edge.say({ kind: 'event', node, payload, retained: false });
    await hub.quiet();
    assert.equal(hub.logged.length, 3);
    await edge.status();
    await hub.acked('what is good', () => true);
  });
});

describe('time', () => {
  async function ready() {
    const { conditions } = (await hub.node('edge1')).status;
    const found = conditions?.find(({ type }) => type === READY);
    return [found?.status, found?.reason, found?.message ?? ''] as const;
  }

  async function comings(): Promise<string[]> {
    const told = (await hub.events()).filter(({ spec }) => /^Node/.test(spec.reason));
    return told.map(({ spec }) => `${spec.lastTimestamp} ${spec.reason}`).sort();
  }

  test('a generation that this hub never made is a condition and one event, until the node follows this hub', async () => {
    const strange = async () => {
      const { conditions } = (await hub.node('edge1')).status;
      return conditions?.find(({ type }) => type === 'AheadOfHub')?.message ?? '';
    };
    await edge.status({ generation: 0 });
    await hub.quiet();
    assert.equal(await strange(), '');
    for (const generation of [20, 21]) {
      await edge.status({ generation });
      await hub.quiet();
      assert.match(
        await strange(),
        new RegExp(`^it has assignment ${generation}, and the newest that this hub made is 0`),
      );
    }
    await edge.status({ generation: 0 });
    await hub.quiet();
    assert.equal(await strange(), '');
    const told = (await hub.events()).filter(({ spec }) => spec.reason === 'AheadOfHub');
    assert.equal(told.length, 1);
  });

  test('going and coming is a condition with a time, and one event each', async () => {
    await fullReport();
    await hub.quiet();
    await hub.pass(60_000);
    const wentAt = `${new Date(hub.clock.now()).toISOString().slice(0, 19)}Z`;
    edge.presence(false);
    edge.again();
    await hub.quiet();
    const [status, reason, message] = await ready();
    assert.deepEqual([status, reason], ['Unknown', 'NodeStatusUnknown']);
    assert.ok(message.includes(wentAt), message);
    await hub.pass(60_000);
    edge.presence(true);
    await hub.quiet();
    assert.equal((await ready())[0], 'True');
    assert.deepEqual(
      (await comings()).map(line => line.slice(11)),
      ['00:00:00Z NodeReady', '00:01:00Z NodeNotReady', '00:02:00Z NodeReady'],
    );
    await assertRecorded();
  });

  test('a loop that ended records and confirms nothing more', async () => {
    const held = gate();
    hub.door = () => held.opened;
    await edge.status({ generation: 1 });
    await hub.quiet();
    for (let n = 1; n <= 300; n++) await edge.events(1, n);
    const stopped = hub.stopIngest();
    held.open();
    await stopped;
    const [commits, acks] = [hub.commits, hub.acks.length];
    await edge.status({ generation: 2 });
    await hub.quiet();
    assert.deepEqual([hub.commits, hub.acks.length], [commits, acks]);
    assert.equal((await hub.node('edge1')).status.flotilla.generation, 1);
  });
});

describe('what is lived through with a node', () => {
  const bundle = (state: 'progressing' | 'healthy' | 'rolledBack', digest: string) => ({
    ...{ namespace: 'default', name: 'shop', revision: 1, digest, attempt: 0, state },
    ...{ active: digest, failed: null, reason: '', message: '', since: '2026-01-01T00:00:00.000Z' },
  });
  const d = (letter: string) => letter.repeat(64);

  test('that it came and went, once each, in the transaction that says so', async () => {
    edge.presence(true);
    await edge.status({});
    await edge.status({ generation: 1 });
    await hub.acked('it is there', () => true);
    await hub.quiet();
    edge.presence(false);
    await eventually('it is gone', async () => {
      const changes = (await hub.store.connections()).get('edge1') ?? [];
      return changes.length === 2;
    });
    const changes = (await hub.store.connections()).get('edge1') ?? [];
    assert.deepEqual(
      changes.map(({ online }) => online),
      [true, false],
    );
  });

  test('its verdicts, once each, of bundles that this hub has', async () => {
    const object = {
      ...{ kind: 'Bundle' as const, metadata: { namespace: 'default', name: 'shop' } },
      spec: { nodeSelector: '', manifests: [] },
      status: { revision: 1, digest: d('b'), nodes: {} },
    };
    await hub.store.commit(ADMIN, [{ type: 'put', object, expect: 'absent' }]);
    edge.presence(true);
    for (const said of [
      bundle('progressing', d('a')),
      bundle('healthy', d('a')),
      bundle('healthy', d('a')),
      bundle('rolledBack', d('b')),
      { ...bundle('healthy', d('c')), name: 'unknown-here' },
    ]) {
      await edge.status({ bundles: [said] });
      await hub.quiet();
    }
    await eventually('two verdicts', async () => {
      const [one] = await hub.store.passages();
      return one?.passages.length === 2;
    });
    const kept = await hub.store.passages();
    assert.deepEqual(
      kept.map(one => [one.bundle, one.node, one.passages.map(({ isHealthy }) => isHealthy)]),
      [['shop', 'edge1', [true, false]]],
    );
  });
});
