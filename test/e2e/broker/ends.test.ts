/** How connections to the embedded broker end: one node is cut, the broker closes, or it never began. */
import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { startBroker } from '../../../hub/broker/broker.js';
import { HUB_NAME } from '../../../hub/setup/pki.js';
import {
  allowed,
  authority,
  broker,
  brokerWorld,
  client,
  edge1,
  edge2,
  FLEET,
  hub,
  inbox,
  isClosed,
  join,
  server,
  socketOf,
  tlsKeyOf,
  topics,
  until,
} from '../../support/broker-world.js';

brokerWorld();

describe('cutting', () => {
  test('disconnectNode ends the live session, publishes its will, and leaves others alone', async () => {
    const listener = await client(hub, `${HUB_NAME}:f`);
    const received = inbox(listener);
    const victim = await join('edge-3');
    const will = {
      topic: topics.node('edge-3', 'presence'),
      payload: 'gone',
      qos: 1,
      retain: true,
    };
    const first = await client(victim, 'edge-3', { will } as IClientOptions);
    const other = await client(edge1, 'edge-1');
    await listener.subscribeAsync(topics.everyNode('presence'), { qos: 1 });
    const closed = isClosed(first as unknown as EventEmitter);
    allowed.delete('edge-3');
    broker.disconnectNode('edge-3');
    await closed;
    await until('the will came', () => received.some(message => message.endsWith(' gone')));
    await assert.rejects(client(victim, 'edge-3'), /Not authorized/);
    assert.equal(other.connected, true);
    broker.disconnectNode('edge-3');
    await other.endAsync();
    await listener.endAsync();
  });

  test('close ends at once with clients connected, and twice is fine', async () => {
    const second = await startBroker({
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...server, ca: authority.certificate },
      fleet: FLEET,
      hubTlsKey: tlsKeyOf(hub),
      isAllowed: () => true,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    const idle = await socketOf(edge1, { port: second.port });
    idle.on('error', () => undefined);
    const node = await client(edge2, 'edge-2', { port: second.port });
    const closed = isClosed(node as unknown as EventEmitter);
    await Promise.all([second.close(), second.close()]);
    await closed;
  });

  test('a port that is taken is an error', async () => {
    const options = {
      tls: { ...server, ca: authority.certificate },
      fleet: FLEET,
      hubTlsKey: tlsKeyOf(hub),
      isAllowed: () => true,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
    await assert.rejects(
      startBroker({ ...options, listen: { host: '127.0.0.1', port: broker.port } }),
      /EADDRINUSE/,
    );
  });
});
