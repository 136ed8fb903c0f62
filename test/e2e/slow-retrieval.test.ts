/**
 * S26, slow retrieval: a broker that gives one message a byte a second, and everything else behind it. The clock of the node runs fifty
 * times as fast; bytes come at the same pace by it.
 */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PacketGuard } from '../../protocol/packet-guard.js';
import { fastClock } from '../support/fast-clock.js';
import { assigned, bundleDocument, NOW, podManifest } from '../support/fleet.js';
import { startNode } from '../support/intake-node.js';
import { world } from '../support/intake-world.js';
import { eventually } from '../support/wait.js';

const SPEED = 50;

interface SlowBroker {
  readonly port: number;
  /** Part of the topic of what comes slowly; null: nothing. */
  slow: string | null;
  /** Connections that held up everything behind a slow message. */
  held: number;
  close(): void;
}

/** Hands on what a real broker says, but for one message. */
async function slowBroker(target: number): Promise<SlowBroker> {
  const sockets = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    void handOn(far, near, broker);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const broker: SlowBroker = {
    port: (server.address() as AddressInfo).port,
    slow: null,
    held: 0,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return broker;
}

async function handOn(far: Socket, near: Socket, broker: SlowBroker): Promise<void> {
  const guard = new PacketGuard(2 ** 27);
  let isSlow = false;
  try {
    for await (const chunk of far as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk.subarray(at, at + 1);
        guard.admits(byte);
        near.write(byte);
        const { topic = null } = guard.onItsWay() ?? {};
        if (broker.slow === null || topic?.includes(broker.slow) !== true) continue;
        if (!isSlow) broker.held++;
        isSlow = true;
        await delay(1000 / SPEED);
        if (near.destroyed) return;
      }
    }
  } catch {
    // The node ended the connection.
  }
}

describe('S26: a broker that delivers a byte a second', () => {
  test('is left after half a minute; it is said, other bundles go on, and the message is taken when it comes', async () => {
    const it = await world({ speed: SPEED });
    const { hub, dataDir } = it;
    const broker = await slowBroker(it.broker.port);
    await it.node.stop();
    const clock = fastClock(NOW + 600_000, SPEED);
    const node = startNode({ dataDir, port: broker.port, clock });
    it.node = node;
    try {
      const slow = [podManifest('slow', `${'long/'.repeat(40)}slow:1`)];
      const quick = [podManifest('quick', 'quick:1')];
      const shop = bundleDocument(slow, { name: 'shop' });
      const pay = bundleDocument(quick, { name: 'pay' });
      const [digest = ''] = shop.manifests.map(manifest => manifest.digest);
      await hub.publishBundle(shop, slow);
      await hub.publishBundle(pay, quick);
      broker.slow = `blob/${digest}`;
      await hub.assign({ generation: 8, bundles: [assigned(shop), assigned(pay)] });

      await eventually('the other bundle', () => node.images().includes('quick:1'));
      const { conditions } = await hub.statusWhere('shop waits', ({ bundles }) =>
        bundles.some(({ name, reason }) => name === 'shop' && reason === 'SlowRetrieval'),
      );
      const said = conditions.find(({ type }) => type === 'SlowRetrieval');
      assert.match(said?.message ?? '', new RegExp(`^\\d+ of \\d+ bytes of blob/${digest} came`));
      assert.ok(broker.held >= 1);
      const before = hub.said.status.length;
      await eventually('another try', () => broker.held >= 2);
      assert.equal(node.images().length, 1);

      broker.slow = null;
      await eventually('the bundle', () => node.images().length === 2);
      await hub.statusWhere(
        'nothing is slow',
        status => !status.conditions.some(({ type }) => type === 'SlowRetrieval'),
      );
      assert.ok(hub.said.status.length > before, 'statuses went on');
      assert.deepEqual(hub.foreign, []);
    } finally {
      broker.close();
      await it.stop();
    }
  });
});
