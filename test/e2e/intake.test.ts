/**
 * The node's side of the wire against a real broker and a hub that signs with its own keys: what is
 * accepted becomes files, what is refused changes nothing and is said, what is said is said until
 * it is confirmed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readJournal } from '../../agent/journal/reader.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { seal } from '../../protocol/envelope.js';
import { fastClock } from '../support/fast-clock.js';
import {
  assigned,
  bundleDocument,
  idOf,
  NOW,
  podManifest,
  ROOT,
  rootDocument,
  signer,
} from '../support/fleet.js';
import { startNode } from '../support/intake-node.js';
import { eventually } from '../support/wait.js';

import { publish, revision, world } from '../support/intake-world.js';

for (const broker of ['aedes', 'mosquitto'] as const) {
  describe(`${broker}: an assignment that is accepted`, () => {
    test('becomes owned files, in order, and goes when it is no longer listed', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        writeFileSync(join(node.manifests, 'mine.yaml'), 'a person wrote this');
        await publish(hub, 8, revision(1));
        await eventually('the file', () => node.images()[0] === 'web:1');
        const [file = ''] = node.files().filter(name => name.startsWith('flotilla_'));
        const text = readFileSync(join(node.manifests, file), 'utf8');
        const pod = JSON.parse(text) as { metadata: { annotations: Record<string, string> } };
        assert.deepEqual(pod.metadata.annotations, {
          'flotilla.dev/bundle': 'default/shop',
          'flotilla.dev/manifest': revision(1).document.manifests[0]?.digest,
        });
        assert.equal(node.session.intake.explains(file, Buffer.from(text)), true);
        assert.equal(node.session.intake.explains(file, Buffer.from(`${text} `)), 'altered');
        assert.equal(node.session.intake.explains(`other-${file}`, Buffer.from(text)), false);

        await publish(hub, 9, revision(2));
        await eventually('the new revision', () => node.images()[0] === 'web:2');
        await hub.assign({ generation: 10, bundles: [] });
        await eventually('the removal', () => node.images().length === 0);
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
        await eventually('the file', () => node.images()[0] === 'web:parts');
      } finally {
        await it.stop();
      }
    });

    test('after a time offline: of three revisions only the newest is looked at', async () => {
      const it = await world({ broker });
      const { hub, node } = it;
      try {
        await publish(hub, 8, revision(1));
        await eventually('revision 1', () => node.images()[0] === 'web:1');
        await node.stop();
        for (const number of [2, 3, 4]) await publish(hub, 8 + number, revision(number));
        it.node = it.start();
        await eventually('revision 4', () => it.node.images()[0] === 'web:4');
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
        await eventually('the file', () => node.images()[0] === 'web:1');
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
      const node = startNode({ dataDir, port, clock: fastClock(NOW) });
      await eventually('the connection to be cut', () => received.includes(-1));
      const poured = received.filter(size => size > 0).reduce((sum, size) => sum + size, 0);
      assert.ok(poured < 32 * 1024 * 1024, `${poured} bytes were taken`);
      await eventually('it says why', () => node.logged.some(line => line.includes('announced')));
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
      await eventually('revision 1', () => node.images()[0] === 'web:1');
      const before = hub.said.presence.length;
      await broker.restart();
      await eventually('a new presence', () => hub.said.presence.length > before);
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
      await eventually('online', () => hub.said.presence.some(({ online }) => online));
      await node.stop();
      await eventually('offline', () => hub.said.presence.some(({ online }) => !online));
      const [online, offline] = hub.said.presence;
      assert.equal(online?.session, offline?.session);
    } finally {
      await it.stop();
    }
  });
});

describe('a blob that does not come', () => {
  test('is asked for; its bundle waits alone; an answer brings or fails it', async () => {
    const it = await world({ speed: 20 });
    const { hub, node } = it;
    try {
      const lacking = revision(1);
      const cake = [podManifest('cake', 'cake:1')];
      const other = bundleDocument(cake, { name: 'bakery' });
      await hub.publishBundle(other, cake);
      await hub.publishEnvelope(lacking.document);
      await hub.assign({ generation: 8, bundles: [assigned(lacking.document), assigned(other)] });
      await eventually('the other bundle', () => node.images()[0] === 'cake:1');
      const digest = lacking.document.manifests[0]?.digest ?? '';
      const request = await eventually('the request', () =>
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
      await eventually('both bundles', () => node.images().join() === 'cake:1,web:1');

      const never = revision(2);
      await hub.publishEnvelope(never.document);
      await hub.assign({ generation: 9, bundles: [assigned(never.document), assigned(other)] });
      const absent = never.document.manifests[0]?.digest ?? '';
      const second = await eventually('the second request', () =>
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
      await eventually('revision 2', () => node.images().join() === 'cake:1,web:2');
    } finally {
      await it.stop();
    }
  });
});

describe('a journal that is new or was put back', () => {
  test('accepts only the answer to its own nonce, and speaks of another when it asked in vain', async () => {
    const it = await world({ join: false, speed: 20 });
    const { hub, node } = it;
    try {
      await publish(hub, 8, revision(1));
      const request = await eventually('the request', () =>
        hub.said.request.find(({ want }) => want === 'assignment'),
      );
      await hub.statusWhere('NotFresh', ({ lastRefusal }) => lastRefusal?.code === 'NotFresh');
      assert.deepEqual(node.images(), []);
      const asked = hub.said.request.filter(({ want }) => want === 'assignment');
      assert.ok(asked.length >= 2);
      const { nonce } = request;
      await hub.assign({ generation: 9, nonce, bundles: [assigned(revision(1).document)] });
      await eventually('the file', () => node.images()[0] === 'web:1');
      await hub.statusWhere('no reset', ({ conditions }) => conditions.length === 0);
    } finally {
      await it.stop();
    }
  });
});

describe('kill -9', () => {
  // Content that came within the last second is fetched again; what was promised needs nobody.
  for (const [step, outcome, image] of [
    ['accepted', 'goes on with what ran, and finishes with the hub', 'web:1'],
    ['committed', 'finishes without the hub', 'web:2'],
  ] as const) {
    test(`right after "${step}": the next start ${outcome}`, async () => {
      const it = await world();
      const { hub } = it;
      try {
        await publish(hub, 8, revision(1));
        await eventually('revision 1', () => it.node.images()[0] === 'web:1');
        await it.node.stop();
        await publish(hub, 9, revision(2));
        const child = fileURLToPath(new URL('../support/intake-child.js', import.meta.url));
        const args = [child, it.dataDir, String(it.broker.port), step];
        const spawned = spawn(process.execPath, args, { stdio: 'inherit' });
        const signal = await new Promise(resolve => spawned.on('exit', (_, by) => resolve(by)));
        assert.equal(signal, 'SIGKILL');
        // The broker says what the node cannot any more.
        const last = () => hub.said.presence[hub.said.presence.length - 1];
        await eventually('the will', () => last()?.boot === 2 && last()?.online === false);
        if (step === 'committed') await it.broker.stop();
        it.node = it.start();
        assert.deepEqual(it.node.images(), [image]);
        assert.deepEqual(
          readdirSync(it.node.manifests).filter(name => name.startsWith('.')),
          [],
        );
        assert.equal(it.node.journal.accepted()?.generation, 9);
        await eventually('revision 2', () => it.node.images()[0] === 'web:2');
      } finally {
        await it.stop().catch(() => undefined);
      }
    });
  }
});
