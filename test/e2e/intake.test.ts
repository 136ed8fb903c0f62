/**
 * The node's side of the wire against a real broker and a hub that signs with its own keys: what is accepted becomes
 * files, what is refused changes nothing and is said, what is said is said until it is confirmed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readJournal } from '../../agent/journal/reader.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument, BundleDocument } from '../../protocol/documents.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { startBroker, type BrokerKind, type TestBroker } from '../support/brokers.js';
import { fastClock } from '../support/fast-clock.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  FLEET,
  HUB,
  idOf,
  NODE_NAME,
  NOW,
  podManifest,
  RELEASE,
  ROOT,
  rootDocument,
  signer,
} from '../support/fleet.js';
import { podReport, startNode, type TestNode } from '../support/intake-node.js';
import { ScriptedHub } from '../support/scripted-hub.js';
import { until } from '../support/until.js';

const SHOP = { namespace: 'default', name: 'shop' };

interface World {
  readonly broker: TestBroker;
  readonly hub: ScriptedHub;
  readonly dataDir: string;
  node: TestNode;
  readonly start: (speed?: number) => TestNode;
  readonly stop: () => Promise<void>;
}

/** A broker, a hub that is online, and a node that runs generation 7: bundle `shop` with one pod of image web:1. */
async function world(
  options: { broker?: BrokerKind; speed?: number; join?: boolean } = {},
): Promise<World> {
  const broker = await startBroker(options.broker ?? 'aedes');
  const hub = await ScriptedHub.connect(broker.port);
  const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-intake-'));
  const nonce = 'ab'.repeat(16);
  const start = (speed = options.speed ?? 1) => {
    const clock = fastClock(NOW, speed);
    const assignment = seal('assignment', assignmentDocument({ nonce, bundles: [] }), [HUB]);
    const first = { nonce, assignment };
    const base = { dataDir, port: broker.port, clock };
    return startNode(options.join === false ? base : { ...base, first });
  };
  await hub.announce('01'.repeat(16));
  const it: World = {
    broker,
    hub,
    dataDir,
    node: start(),
    start,
    stop: async () => {
      await it.node.stop().catch(() => undefined);
      await hub.stop();
      await broker.stop();
      rmSync(dataDir, { recursive: true });
    },
  };
  return it;
}

function revision(number: number, change: Partial<BundleDocument> = {}) {
  const pods = [podManifest('web', `web:${number}`)];
  return { pods, document: bundleDocument(pods, { revision: number, ...change }) };
}

async function publish(hub: ScriptedHub, generation: number, made: ReturnType<typeof revision>) {
  await hub.publishBundle(made.document, made.pods);
  await hub.assign({ generation, bundles: [assigned(made.document)] });
}

for (const broker of ['aedes', 'mosquitto'] as const) {
  describe(`${broker}: an assignment that is accepted`, () => {
    test('becomes owned files, in order, and goes when it is no longer listed', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        writeFileSync(join(node.manifests, 'mine.yaml'), 'a person wrote this');
        await publish(hub, 8, revision(1));
        await until('the file', () => node.images()[0] === 'web:1');
        const [file = ''] = node.files().filter(name => name.startsWith('flotilla_'));
        const text = readFileSync(join(node.manifests, file), 'utf8');
        const pod = JSON.parse(text) as { metadata: { annotations: Record<string, string> } };
        assert.deepEqual(pod.metadata.annotations, {
          'flotilla.dev/bundle': 'default/shop',
          'flotilla.dev/manifest': revision(1).document.manifests[0]?.digest,
        });
        assert.equal(node.session.intake.explains(file, Buffer.from(text)), true);
        assert.equal(node.session.intake.explains(file, Buffer.from(`${text} `)), false);

        await publish(hub, 9, revision(2));
        await until('the new revision', () => node.images()[0] === 'web:2');
        await hub.assign({ generation: 10, bundles: [] });
        await until('the removal', () => node.images().length === 0);
        assert.deepEqual(node.files(), ['mine.yaml']);
        await hub.statusWhere('generation 10', status => status.generation === 10);
        assert.deepEqual(hub.foreign, []);
      } finally {
        await it.stop();
      }
    });

    test('takes gzip blobs and content in parts', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        const pod = podManifest('web', 'web:parts');
        const text = canonicalJson(pod);
        const halves = [text.slice(0, 50), text.slice(50)];
        const parts = halves.map(half => ({ digest: sha256Hex(half), size: half.length }));
        const base = bundleDocument([pod]);
        const document = { ...base, manifests: base.manifests.map(entry => ({ ...entry, parts })) };
        for (const half of halves) await hub.publishBlob(half, gzipSync(half));
        await hub.publishEnvelope(document);
        await hub.assign({ generation: 8, bundles: [assigned(document)] });
        await until('the file', () => node.images()[0] === 'web:parts');
      } finally {
        await it.stop();
      }
    });

    test('after a time offline: of three revisions only the newest is looked at', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        await publish(hub, 8, revision(1));
        await until('revision 1', () => node.images()[0] === 'web:1');
        await node.stop();
        for (const number of [2, 3, 4]) await publish(hub, 8 + number, revision(number));
        it.node = it.start();
        await until('revision 4', () => it.node.images()[0] === 'web:4');
        const seen = readJournal(it.dataDir).revisions.map(({ revision: n }) => n);
        assert.deepEqual(seen, [4, 1]);
      } finally {
        await it.stop();
      }
    });

    test('a chain of roots is walked to the one that the assignment needs', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        const newHub = signer('hub of root 3');
        const keys = { [idOf(newHub)]: newHub.publicKey };
        const two = rootDocument({ version: 2 });
        const three = rootDocument({
          version: 3,
          keys: { ...two.keys, ...keys },
          roles: { ...two.roles, hub: { threshold: 1, keys: [idOf(newHub)] } },
        });
        await hub.publish(hub.topics.root(2), seal('root', two, [ROOT]));
        await hub.publish(hub.topics.root(3), seal('root', three, [ROOT]));
        await hub.publish(hub.topics.root(), seal('root', three, [ROOT]));
        const made = revision(1);
        await hub.publishBundle(made.document, made.pods);
        const change = { generation: 8, rootVersion: 3, bundles: [assigned(made.document)] };
        await hub.assign(change, [newHub]);
        await until('the file', () => node.images()[0] === 'web:1');
        await hub.statusWhere('root 3', status => status.rootVersion === 3);
        // The key that was rotated out is refused for ever (S16).
        await hub.assign({ generation: 99, rootVersion: 3, bundles: [] });
        await hub.statusWhere(
          'BadSignature',
          ({ lastRefusal }) => lastRefusal?.code === 'BadSignature',
        );
        assert.deepEqual(node.images(), ['web:1']);
      } finally {
        await it.stop();
      }
    });
  });
}

interface Attack {
  readonly row: string;
  readonly does: string;
  readonly code: string;
  readonly send: (hub: ScriptedHub) => Promise<void>;
}

const STRANGER = signer('stranger');
const goodBundles = [assigned(revision(1).document)];

function misassigned(change: Partial<AssignmentDocument>, signers: Signer[] = [HUB]) {
  return (hub: ScriptedHub) => hub.assign({ generation: 20, bundles: [], ...change }, signers);
}

function raw(make: (hub: ScriptedHub) => [topic: string, payload: Buffer | string]) {
  return (hub: ScriptedHub) => hub.publish(...make(hub));
}

const ASSIGNMENT = (hub: ScriptedHub) => hub.topics.node(NODE_NAME, 'assignment');

const ATTACKS: readonly Attack[] = [
  {
    row: 'S02',
    does: 'an assignment signed by a stranger',
    code: 'BadSignature',
    send: misassigned({}, [STRANGER]),
  },
  {
    row: 'S11',
    does: 'an assignment signed by the release key',
    code: 'BadSignature',
    send: misassigned({}, [RELEASE]),
  },
  {
    row: 'S20',
    does: 'an older generation',
    code: 'Rollback',
    send: misassigned({ generation: 7 }),
  },
  {
    row: 'S24',
    does: 'other content for the same generation',
    code: 'Equivocation',
    send: misassigned({ generation: 8 }),
  },
  {
    row: 'S27',
    does: 'an expired assignment',
    code: 'Expired',
    send: misassigned({ notAfter: '2026-05-20T00:00:00.000Z' }),
  },
  {
    row: 'S34',
    does: "another node's assignment",
    code: 'WrongNode',
    send: misassigned({ node: 'edge-2' }),
  },
  {
    row: 'S35',
    does: 'the assignment of the former device of the same name',
    code: 'WrongNode',
    send: misassigned({ nodeKey: idOf(STRANGER) }),
  },
  {
    row: 'S36',
    does: 'an assignment of another fleet',
    code: 'WrongFleet',
    send: misassigned({ fleet: '00'.repeat(16) }),
  },
  {
    row: 'S61',
    does: 'retained garbage',
    code: 'Malformed',
    send: raw(hub => [ASSIGNMENT(hub), 'garbage']),
  },
  {
    row: 'S40',
    does: 'an assignment that is too large',
    code: 'TooLarge',
    send: raw(hub => [ASSIGNMENT(hub), Buffer.alloc(120 * 1024, 0x20)]),
  },
  {
    row: 'S12',
    does: 'a root signed by the hub',
    code: 'BadSignature',
    send: raw(hub => [hub.topics.root(), seal('root', rootDocument({ version: 2 }), [HUB])]),
  },
  {
    row: 'S63',
    does: 'an acknowledgement that the hub did not sign',
    code: 'BadSignature',
    send: raw(hub => [
      hub.topics.node(NODE_NAME, 'ack'),
      seal(
        'ack',
        {
          fleet: FLEET,
          node: NODE_NAME,
          journal: '00'.repeat(16),
          through: 1,
          boot: 1,
          counter: 1,
          pods: {},
        },
        [STRANGER],
      ),
    ]),
  },
];

describe('what is refused changes nothing, is said, and the next good document is accepted', () => {
  let it: World;
  before(async () => {
    it = await world();
    await publish(it.hub, 8, revision(1));
    await until('revision 1', () => it.node.images()[0] === 'web:1');
  });
  after(() => it.stop());

  for (const { row, does, code, send } of ATTACKS) {
    test(`${row}: ${does}: ${code}`, async () => {
      const { hub, node } = it;
      const files = node.files();
      const said = hub.said.status.length;
      const logged = node.logged.length;
      await send(hub);
      await until(`refusal ${code}`, () =>
        hub.said.status.slice(said).some(({ lastRefusal }) => lastRefusal?.code === code),
      );
      assert.deepEqual(node.files(), files);
      assert.equal(node.journal.accepted()?.generation, 8);
      assert.equal(node.logged.slice(logged).filter(line => line.startsWith('refused')).length, 1);
      await hub.assign({ generation: 8, bundles: goodBundles });
    });
  }

  test('afterwards a good document is accepted', async () => {
    await publish(it.hub, 30, revision(2));
    await until('revision 2', () => it.node.images()[0] === 'web:2');
  });

  test('S04, S25: other bytes under a digest are refused and the right ones still taken', async () => {
    const { hub, node } = it;
    const made = revision(3);
    const other = seal('bundle', revision(4).document, [RELEASE]);
    const digest = sha256Hex(canonicalJson(made.document));
    await hub.publish(hub.topics.blob(digest), other);
    await hub.assign({ generation: 31, bundles: [assigned(made.document)] });
    await hub.statusWhere('MixMatch', ({ lastRefusal }) => lastRefusal?.code === 'MixMatch');
    assert.deepEqual(node.images(), ['web:2']);
    await hub.publishBundle(made.document, made.pods);
    await until('revision 3', () => node.images()[0] === 'web:3');
  });

  test('S03: a bundle signed by the hub waits for ever', async () => {
    const { hub, node } = it;
    const made = revision(5);
    await hub.publishBundle(made.document, made.pods, [HUB]);
    await hub.assign({ generation: 32, bundles: [assigned(made.document)] });
    await hub.statusWhere('waiting', ({ bundles }) => bundles[0]?.reason === 'BadSignature');
    assert.deepEqual(node.images(), ['web:3']);
  });

  test('S21, S24: below a healthy floor, or other content for a known number: the bundle fails', async () => {
    const { hub, node } = it;
    const floor = revision(9, { rollbackFloor: 9 });
    await publish(hub, 33, floor);
    await until('revision 9', () => node.images()[0] === 'web:9');
    const manifestDigest = floor.document.manifests[0]?.digest ?? '';
    const startedAt = new Date(NOW - 60_000).toISOString();
    node.pods = [podReport(SHOP, { name: 'web', manifestDigest, startedAt })];
    node.session.changed();
    await hub.statusWhere('healthy', ({ bundles }) => bundles[0]?.state === 'healthy');

    await publish(hub, 34, revision(8));
    await hub.statusWhere('Rollback', ({ bundles }) => bundles[0]?.reason === 'Rollback');
    assert.deepEqual(node.images(), ['web:9']);

    await publish(hub, 35, revision(9, { issued: '2026-05-02T00:00:00.000Z' }));
    await hub.statusWhere('Equivocation', ({ bundles }) => bundles[0]?.reason === 'Equivocation');
    assert.deepEqual(node.images(), ['web:9']);
  });
});

describe('the broker', () => {
  test('S39: a packet of 200 MiB is cut off at its header and the node comes back', async () => {
    const it = await world();
    try {
      const received: number[] = [];
      const hostile = createServer(socket => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write(Buffer.from([0x20, 2, 0, 0]));
          // PUBLISH with a remaining length of 200 MiB, then as much as is taken.
          socket.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]));
          const chunk = Buffer.alloc(64 * 1024);
          const pour = () => {
            while (!socket.destroyed && socket.write(chunk)) received.push(chunk.length);
          };
          socket.on('drain', pour);
          pour();
        });
        socket.on('close', () => received.push(-1));
      });
      await new Promise<void>(resolve => hostile.listen(0, '127.0.0.1', resolve));
      const { port } = hostile.address() as { port: number };
      const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-intake-'));
      const rssBefore = process.memoryUsage().rss;
      const node = startNode({ dataDir, port, clock: fastClock(NOW) });
      await until('the connection to be cut', () => received.includes(-1));
      assert.ok(process.memoryUsage().rss - rssBefore < 32 * 1024 * 1024);
      assert.ok(
        node.logged.some(line => line.includes('announced')),
        node.logged.join('\n'),
      );
      await node.stop();
      hostile.close();
      rmSync(dataDir, { recursive: true });
    } finally {
      await it.stop();
    }
  });

  test('loses everything: the node announces itself again and keeps what it runs', async () => {
    const it = await world();
    const { hub, node, broker } = it;
    try {
      await publish(hub, 8, revision(1));
      await until('revision 1', () => node.images()[0] === 'web:1');
      const before = hub.said.presence.length;
      await broker.restart();
      await until('a new presence', () => hub.said.presence.length > before);
      const [first, last] = [hub.said.presence[0], hub.said.presence[hub.said.presence.length - 1]];
      assert.ok((last?.n ?? 0) > (first?.n ?? 0));
      assert.notEqual(last?.session, first?.session);
      assert.deepEqual(node.images(), ['web:1']);
    } finally {
      await it.stop();
    }
  });

  test('publishes the will when the node is cut off, and the goodbye when it leaves', async () => {
    const it = await world();
    const { hub, node } = it;
    try {
      await until('online', () => hub.said.presence.some(({ online }) => online));
      await node.stop();
      await until('offline', () => hub.said.presence.some(({ online }) => !online));
      const [online, offline] = hub.said.presence;
      assert.equal(online?.session, offline?.session);
    } finally {
      await it.stop();
    }
  });
});

describe('a blob that does not come', () => {
  test('is asked for; its bundle waits alone; an answer brings it, or fails the bundle', async () => {
    const it = await world({ speed: 20 });
    const { hub, node } = it;
    try {
      const lacking = revision(1);
      const cake = [podManifest('cake', 'cake:1')];
      const other = bundleDocument(cake, { name: 'bakery' });
      await hub.publishBundle(other, cake);
      await hub.publishEnvelope(lacking.document);
      await hub.assign({ generation: 8, bundles: [assigned(lacking.document), assigned(other)] });
      await until('the other bundle', () => node.images()[0] === 'cake:1');
      const digest = lacking.document.manifests[0]?.digest ?? '';
      const request = await until('the request', () =>
        hub.said.request.find(({ want, digests }) => want === 'blobs' && digests.includes(digest)),
      );
      await hub.statusWhere('waiting', ({ bundles }) =>
        bundles.some(
          ({ name, state, reason }) =>
            name === 'shop' && state === 'waiting' && reason === 'BlobMissing',
        ),
      );
      await hub.publishBlob(canonicalJson(lacking.pods[0]));
      await hub.answer(request.nonce, { published: [digest] });
      await until('both bundles', () => node.images().join() === 'cake:1,web:1');

      const never = revision(2);
      await hub.publishEnvelope(never.document);
      await hub.assign({ generation: 9, bundles: [assigned(never.document), assigned(other)] });
      const absent = never.document.manifests[0]?.digest ?? '';
      const second = await until('the second request', () =>
        hub.said.request.find(({ digests }) => digests.includes(absent)),
      );
      await hub.answer(second.nonce, { absent: [absent] });
      await hub.statusWhere('failed', ({ bundles }) =>
        bundles.some(({ state, reason }) => state === 'failed' && reason === 'BlobAbsent'),
      );
      assert.deepEqual(node.images(), ['cake:1', 'web:1']);

      // The hub began anew and has it now.
      await hub.publishBlob(canonicalJson(never.pods[0]));
      await hub.announce('02'.repeat(16));
      await until('revision 2', () => node.images().join() === 'cake:1,web:2');
    } finally {
      await it.stop();
    }
  });
});

describe('a journal that is new or was put back', () => {
  test('accepts only the answer to its own nonce', async () => {
    const it = await world({ join: false });
    const { hub, node } = it;
    try {
      await publish(hub, 8, revision(1));
      const request = await until('the request', () =>
        hub.said.request.find(({ want }) => want === 'assignment'),
      );
      await hub.statusWhere('NotFresh', ({ lastRefusal }) => lastRefusal?.code === 'NotFresh');
      assert.deepEqual(node.images(), []);
      const { nonce } = request;
      await hub.assign({ generation: 9, nonce, bundles: [assigned(revision(1).document)] });
      await until('the file', () => node.images()[0] === 'web:1');
      await hub.statusWhere('no reset', ({ conditions }) => conditions.length === 0);
    } finally {
      await it.stop();
    }
  });
});

describe('kill -9', () => {
  for (const step of ['accepted', 'committed'] as const) {
    test(`right after the step "${step}": the next start finishes the work without the hub`, async () => {
      const it = await world();
      const { hub } = it;
      try {
        await publish(hub, 8, revision(1));
        await until('revision 1', () => it.node.images()[0] === 'web:1');
        await it.node.stop();
        await publish(hub, 9, revision(2));
        const child = fileURLToPath(new URL('../support/intake-child.js', import.meta.url));
        const args = [child, it.dataDir, String(it.broker.port), step];
        const spawned = spawn(process.execPath, args, { stdio: 'inherit' });
        const signal = await new Promise(resolve => spawned.on('exit', (_, by) => resolve(by)));
        assert.equal(signal, 'SIGKILL');
        // The broker says what the node cannot any more.
        const last = () => hub.said.presence[hub.said.presence.length - 1];
        await until('the will', () => last()?.boot === 2 && last()?.online === false);
        await it.broker.stop();
        it.node = it.start();
        assert.deepEqual(it.node.images(), ['web:2']);
        assert.deepEqual(
          readdirSync(it.node.manifests).filter(name => name.startsWith('.')),
          [],
        );
        assert.equal(it.node.journal.accepted()?.generation, 9);
      } finally {
        await it.stop().catch(() => undefined);
      }
    });
  }
});

for (const broker of ['aedes', 'mosquitto'] as const) {
  describe(`${broker}: events`, () => {
    test('of a dark time arrive without a gap or a double, and leave the outbox when confirmed', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        const involved = {
          kind: 'Node' as const,
          namespace: '',
          name: 'edge-1',
          uid: '',
          fieldPath: '',
        };
        await it.broker.restart();
        for (let i = 1; i <= 300; i++) {
          node.journal.record({ type: 'Normal', reason: 'Test', message: `event ${i}`, involved });
        }
        const numbers = () => hub.said.event.flatMap(({ events }) => events.map(({ n }) => n));
        await until('all events', () => numbers().length >= 300);
        assert.deepEqual(
          numbers(),
          Array.from({ length: 300 }, (_, i) => i + 1),
        );
        await hub.acknowledge(300);
        await until('an empty outbox', () => node.journal.oldestEvent() === 301);
        assert.ok(hub.sizes.every(({ bytes }) => bytes <= 120 * 1024));
      } finally {
        await it.stop();
      }
    });

    test('that were not confirmed are said again after 30 s, and at once to a new hub session', async () => {
      const it = await world({ broker, speed: 20 });
      const { hub, node } = it;
      try {
        const involved = {
          kind: 'Node' as const,
          namespace: '',
          name: 'edge-1',
          uid: '',
          fieldPath: '',
        };
        node.journal.record({ type: 'Normal', reason: 'Test', message: 'one', involved });
        const times = () => hub.said.event.filter(({ events }) => events[0]?.n === 1).length;
        await until('the event', () => times() === 1);
        await until('the event again', () => times() === 2);
        const said = times();
        await hub.announce('03'.repeat(16));
        await until('the event for the new session', () => times() > said);
        await hub.acknowledge(1);
        await until('an empty outbox', () => node.journal.oldestEvent() === 2);
      } finally {
        await it.stop();
      }
    });

    test('are not forgotten by a restart of the agent', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        await hub.stop();
        const involved = {
          kind: 'Node' as const,
          namespace: '',
          name: 'edge-1',
          uid: '',
          fieldPath: '',
        };
        node.journal.record({ type: 'Normal', reason: 'Test', message: 'one', involved });
        await node.stop();
        const late = await ScriptedHub.connect(it.broker.port);
        it.node = it.start();
        const event = await until('the event', () => late.said.event[0]);
        assert.equal(event.events[0]?.message, 'one');
        assert.equal(event.boot, 2);
        await late.stop();
      } finally {
        await it.stop();
      }
    });
  });
}

describe('pods', () => {
  test('are told once, and again until confirmed; a bundle becomes healthy with them', async () => {
    const it = await world({ speed: 20 });
    const { hub, node } = it;
    try {
      const made = revision(1);
      await publish(hub, 8, made);
      await until('revision 1', () => node.images()[0] === 'web:1');
      const manifestDigest = made.document.manifests[0]?.digest ?? '';
      node.pods = [podReport(SHOP, { name: 'web', manifestDigest })];
      node.session.changed();
      await hub.statusWhere('progressing', ({ bundles }) => bundles[0]?.state === 'progressing');
      const startedAt = new Date(node.journal.bundles()[0]?.since ?? 0).toISOString();
      node.pods = [podReport(SHOP, { name: 'web', manifestDigest, startedAt })];
      node.session.changed();
      const healthy = await hub.statusWhere(
        'healthy',
        ({ bundles }) => bundles[0]?.state === 'healthy',
      );
      const told = await until('the pod', () => hub.said.pod.findLast(({ pod }) => pod['status']));
      assert.deepEqual(told.bundle, { ...SHOP, revision: 1 });
      assert.equal(told.pod['spec'], undefined);
      const key = `default/web-${NODE_NAME}`;
      assert.equal(healthy.pods[key]?.digest, sha256Hex(canonicalJson(told.pod)));
      const states = readJournal(it.dataDir).history.flatMap(({ entry }) =>
        entry.kind === 'bundle' ? [entry.state] : [],
      );
      assert.deepEqual(
        states.filter((state, i) => state !== states[i - 1]),
        ['staged', 'activating', 'progressing', 'healthy'],
      );
    } finally {
      await it.stop();
    }
  });
});
