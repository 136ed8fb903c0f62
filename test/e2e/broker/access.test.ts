/** Who gets into the embedded broker: certificates, client ids, sessions and versions that it takes, and those that it refuses. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createAuthority, HUB_NAME, ORGANISATION } from '../../../hub/setup/pki.js';
import {
  allowed,
  brokerWorld,
  client,
  edge1,
  edge2,
  FLEET,
  hub,
  join,
  newKey,
  pair,
  socketOf,
  tlsKeyOf,
  topics,
} from '../../support/broker-world.js';

brokerWorld();

describe('who gets in', () => {
  const refusals: [string, () => Promise<unknown>, RegExp][] = [
    ['no certificate', () => client({}, 'edge-1'), /./],
    ['the client id of another node', () => client(edge2, 'edge-1'), /Identifier rejected/],
    ['the client id of the hub', () => client(edge2, HUB_NAME), /Identifier rejected/],
    ['a session that is to be kept', () => client(edge1, 'edge-1', { clean: false }), /Not author/],
    [
      'a will on the topic of another node',
      () =>
        client(edge2, 'edge-2', {
          will: { topic: topics.node('edge-1', 'presence'), payload: 'x', qos: 1, retain: true },
        }),
      /Not authorized/,
    ],
    ['MQTT 5', () => client(edge1, 'edge-1', { protocolVersion: 5 }), /./],
    ['TLS 1.2', () => socketOf(edge1, { maxVersion: 'TLSv1.2' }), /./],
  ];
  for (const [sentence, attempt, expected] of refusals) {
    test(`refused: ${sentence}`, async () => {
      await assert.rejects(attempt, expected);
    });
  }

  test('refused: a node that is unknown, removed, or has another key', async () => {
    const stranger = await pair('edge-9', ORGANISATION.nodes);
    await assert.rejects(client(stranger, 'edge-9'), /Not authorized/);
    const second = await pair('edge-1', ORGANISATION.nodes);
    await assert.rejects(client(second, 'edge-1'), /Not authorized/);
    const gone = await join('edge-8');
    allowed.delete('edge-8');
    await assert.rejects(client(gone, 'edge-8'), /Not authorized/);
  });

  test('refused: certificates that say hub, admin or no proper name, though our CA signed them', async () => {
    const impostor = await pair(HUB_NAME, ORGANISATION.hub);
    await assert.rejects(client(impostor, HUB_NAME), /hung up/);
    const admin = await pair('edge-1', ORGANISATION.admins);
    await assert.rejects(client(admin, 'edge-1'), /hung up/);
    for (const name of ['+', 'a#', 'a/b', '$SYS', 'Edge-1', 'еdge-1', 'hub']) {
      const odd = await pair(name, ORGANISATION.nodes);
      allowed.set(name, tlsKeyOf(odd));
      await assert.rejects(client(odd, name), /hung up/, name);
    }
  });

  test('refused: a certificate past its day, or of another authority', async () => {
    const of = async (options: Parameters<typeof pair>[2]) => {
      const made = await pair('edge-7', ORGANISATION.nodes, options);
      allowed.set('edge-7', tlsKeyOf(made));
      return client(made, 'edge-7');
    };
    assert.equal((await of({})).connected, true);
    await assert.rejects(of({ notAfter: new Date('2001-01-01T00:00:00Z') }));
    const theirs = await createAuthority(newKey(), { fleet: FLEET, random: randomBytes });
    await assert.rejects(of({ from: theirs }));
  });

  test('the hub may hold several connections', async () => {
    const first = await client(hub, HUB_NAME);
    await client(hub, `${HUB_NAME}:bench`);
    assert.equal(first.connected, true);
  });
});
