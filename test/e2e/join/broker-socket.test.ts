/**
 * The socket from a member to the broker: not one byte is written before the other side has shown that it is the hub.
 */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { describe, test } from 'node:test';
import { openBrokerSocket } from '../../../agent/membership/hub-tls.js';
import { isJoined, loadIdentity } from '../../../agent/membership/identity.js';
import { hubFixture } from '../../support/hub-fixture.js';
import { hubTls, joinWorld, tlsOf } from '../../support/join-world.js';

const world = joinWorld();

describe('the socket to the broker', () => {
  /** What happens to a client that writes at once: the text that the server reads, or the error. */
  async function write(tls: TlsOptions): Promise<string> {
    if (!isJoined(join(world.directory, 'agent'))) await world.attempt(await world.joinLine());
    const member = loadIdentity(join(world.directory, 'agent'));
    assert.ok(member);
    let read = '';
    const server = createTlsServer(tls, socket => {
      socket.on('error', () => undefined);
      socket.on('data', (data: Buffer) => {
        read += data.toString();
        socket.end();
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const socket = openBrokerSocket(tlsOf(member))(new URL(`mqtts://127.0.0.1:${port}`));
    const outcome = new Promise<string>(resolve => {
      socket.on('error', error => resolve(`${(error as NodeJS.ErrnoException).code}`));
      socket.on('close', () => resolve('closed'));
    });
    socket.resume();
    socket.write('CONNECT');
    const ended = await outcome;
    await new Promise(resolve => server.close(resolve));
    return `${ended} ${read}`;
  }

  test('speaks to the hub', async () => {
    assert.equal(await write(hubTls(world.fixture)), 'closed CONNECT');
  });

  test('says nothing to another authority, a member of the fleet, TLS 1.2 (S70)', async () => {
    const other = await hubFixture();
    const foreign = await write(hubTls(other));
    assert.match(
      foreign,
      /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|CERT_\w+) $/,
    );
    await other.close();
    const member = loadIdentity(join(world.directory, 'agent'));
    assert.ok(member);
    const { key, cert } = tlsOf(member);
    assert.match(await write({ key, cert }), /^INVALID_PURPOSE $/);
    const old = await write({
      ...hubTls(world.fixture),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
    });
    assert.match(old, /^(EPROTO|ERR_SSL_\w+) $/);
  });
});
