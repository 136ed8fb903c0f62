/** What the node says to its hub, on real brokers: until it is confirmed, without a gap or a double. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readJournal } from '../../agent/journal/reader.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { NODE_NAME } from '../support/fleet.js';
import { podReport } from '../support/intake-node.js';
import { ScriptedHub } from '../support/scripted-hub.js';
import { eventually } from '../support/wait.js';

import { publish, revision, world } from '../support/intake-world.js';

const SHOP = { namespace: 'default', name: 'shop' };

for (const broker of ['aedes', 'mosquitto'] as const) {
  describe(`${broker}: events`, () => {
    test('of a dark time arrive without a gap and leave when confirmed', async () => {
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
        // As a hub does on each connection: what came while nobody listened is said again, so some come twice.
        await hub.announce('04'.repeat(16));
        const numbers = () =>
          [...new Set(hub.said.event.flatMap(({ events }) => events.map(({ n }) => n)))].sort(
            (a, b) => a - b,
          );
        await eventually('all events', () => numbers().length >= 300);
        assert.deepEqual(
          numbers(),
          Array.from({ length: 300 }, (_, i) => i + 1),
        );
        await hub.acknowledge(300);
        await eventually('an empty outbox', () => node.journal.oldestEvent() === 301);
        assert.ok(hub.sizes.every(({ bytes }) => bytes <= 120 * 1024));
      } finally {
        await it.stop();
      }
    });

    test('not confirmed are said again after 30 s, and at once to a new session', async () => {
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
        await eventually('the event', () => times() >= 1);
        await eventually('the event again', () => times() >= 2);
        const said = times();
        await hub.announce('03'.repeat(16));
        await eventually('the event for the new session', () => times() > said);
        await hub.acknowledge(1);
        await eventually('an empty outbox', () => node.journal.oldestEvent() === 2);
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
        const event = await eventually('the event', () => late.said.event[0]);
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
  test('that nobody tells any more are told as they were: the node reports on', async () => {
    const it = await world();
    const { hub, node } = it;
    try {
      const report = podReport(SHOP, { name: 'web', manifestDigest: 'ab'.repeat(32) });
      node.pods = [report];
      node.session.changed();
      await hub.statusWhere('the pod', ({ pods }) => report.key in pods);
      node.pods = null;
      await publish(hub, 8, revision(1));
      const later = await hub.statusWhere('generation 8', ({ generation }) => generation === 8);
      assert.ok(report.key in later.pods);
    } finally {
      await it.stop();
    }
  });

  test('are told once, and again until confirmed; a bundle becomes healthy with them', async () => {
    // Not so fast that a blob would seem missing on a busy machine: that is waited for ten seconds by this clock.
    const it = await world({ speed: 4 });
    const { hub, node } = it;
    try {
      const made = revision(1);
      await publish(hub, 8, made);
      await eventually('revision 1', () => node.images()[0] === 'web:1');
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
      const key = `default/web-${NODE_NAME}`;
      const { digest } = healthy.pods[key] ?? {};
      const told = await eventually('the pod that the status speaks of', () =>
        hub.said.pod.findLast(({ pod }) => sha256Hex(canonicalJson(pod)) === digest),
      );
      assert.deepEqual(told.bundle, { ...SHOP, revision: 1 });
      assert.equal(told.pod['spec'], undefined);
      await hub.acknowledge(0);
      const times = () =>
        hub.said.pod.filter(({ pod }) => canonicalJson(pod) === canonicalJson(told.pod)).length;
      const said = times();
      await hub.acknowledge(0, { [key]: '0'.repeat(64) });
      await eventually('the pod that the hub says it lacks', () => times() > said);
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
