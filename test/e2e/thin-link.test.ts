/**
 * Content over a link that is cut, against a real broker that loses what it kept: in units of one blob, eight at a time. What is here is
 * not fetched again, after a cut, and after a kill: the second node begins with the files as the first one left them at that moment.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { fastClock } from '../support/fast-clock.js';
import { assigned, bundleDocument, NODE_NAME, NOW, podManifest } from '../support/fleet.js';
import { startNode } from '../support/intake-node.js';
import { world, type World } from '../support/intake-world.js';
import { eventually } from '../support/wait.js';

const COUNT = 30;
const PODS = Array.from({ length: COUNT }, (_, n) =>
  podManifest(`app-${`${n}`.padStart(2, '0')}`, `web:${n}`),
);
const DOCUMENT = bundleDocument(PODS);
const SESSION = '07'.repeat(16);

async function publish({ hub }: World, from: number, to: number): Promise<void> {
  for (const pod of PODS.slice(from, to)) await hub.publishBlob(canonicalJson(pod));
}

const digestOf = (n: number) => sha256Hex(canonicalJson(PODS[n]));
const assign = ({ hub }: World) => hub.assign({ generation: 8, bundles: [assigned(DOCUMENT)] });
const subscriptions = ({ broker }: World) => {
  assert.ok(broker.subscriptions);
  return broker.subscriptions;
};

/** A node that has its list and twelve of thirty manifests, and cannot get more. */
async function half(): Promise<World> {
  const it = await world();
  await it.hub.publishEnvelope(DOCUMENT);
  await publish(it, 0, 12);
  await assign(it);
  await eventually('twelve of them', () =>
    Array.from({ length: 12 }, (_, n) => digestOf(n)).every(one =>
      it.node.journal.content.hasBlob(one),
    ),
  );
  return it;
}

describe('content that was cut in the middle', () => {
  test('goes on with what is lacking: the rest is enough on a broker that lost everything', async () => {
    const it = await half();
    try {
      await it.broker.restart();
      await publish(it, 12, COUNT);
      await it.hub.announce(SESSION);
      await assign(it);
      await eventually('all of it', () => it.node.images().length === COUNT);
      assert.equal(subscriptions(it).most(NODE_NAME), 8);
      await eventually('no subscription is left', () => {
        return subscriptions(it).held(NODE_NAME).size === 0;
      });
    } finally {
      await it.stop();
    }
  });

  test('and killed in the middle goes on so too', async () => {
    const it = await half();
    const copy = mkdtempSync(join(tmpdir(), 'flotilla-killed-'));
    try {
      // Content that came is written within the second.
      await eventually('it is in the file', () => {
        rmSync(copy, { recursive: true });
        cpSync(it.dataDir, copy, { recursive: true });
        const left = startNode({ dataDir: copy, port: 1, clock: fastClock(NOW, 1) });
        const has = left.journal.content.hasBlob(digestOf(11));
        return left.stop().then(() => has);
      });
      await it.node.stop();
      await it.broker.restart();
      it.node = startNode({ dataDir: copy, port: it.broker.port, clock: fastClock(NOW, 1) });
      await publish(it, 12, COUNT);
      await it.hub.announce(SESSION);
      await eventually('all of it', () => it.node.images().length === COUNT);
      assert.ok(subscriptions(it).most(NODE_NAME) <= 8);
    } finally {
      await it.stop();
      rmSync(copy, { recursive: true, force: true });
    }
  });

  test('in parts goes on with the parts that are lacking, and takes none that is another', async () => {
    const it = await world();
    const { hub } = it;
    try {
      const pod = podManifest('web', 'web:parts');
      const noise = Array.from({ length: 14 }, (_, n) => sha256Hex(`${n}`)).join('');
      const text = canonicalJson({
        ...pod,
        metadata: { name: 'web', namespace: 'default', annotations: { 'a/b': noise } },
      });
      const pieces = Array.from({ length: 5 }, (_, n) => text.slice(n * 220, (n + 1) * 220));
      const parts = pieces.map(piece => ({ digest: sha256Hex(piece), size: piece.length }));
      const base = bundleDocument([JSON.parse(text) as Record<string, unknown>]);
      const document = { ...base, manifests: base.manifests.map(entry => ({ ...entry, parts })) };
      const put = (n: number, bytes = pieces[n] ?? '') =>
        hub.publish(hub.topics.blob(parts[n]?.digest ?? ''), bytes);
      await hub.publishEnvelope(document);
      for (const n of [0, 1, 2]) await put(n);
      await put(3, pieces[2]);
      await hub.assign({ generation: 8, bundles: [assigned(document)] });
      await eventually('three of five', () =>
        parts.slice(0, 3).every(({ digest }) => it.node.journal.content.hasBlob(digest)),
      );
      await eventually('the refusal', () => {
        return it.node.session.intake.state().lastRefusal?.code === 'MixMatch';
      });
      assert.equal(it.node.journal.content.hasBlob(parts[3]?.digest ?? ''), false);
      await it.broker.restart();
      for (const n of [3, 4]) await put(n);
      await hub.announce(SESSION);
      await eventually('all of it', () => it.node.images()[0] === 'web:parts');
    } finally {
      await it.stop();
    }
  });
});
