/** port-forward as its clients see it, on the real API. What kubectl makes of it stands in test/e2e/api-streams.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { PODS, podStreamsWorld, refused, talk, uses } from './pod-streams-world.js';

podStreamsWorld();

describe('port-forward in its older WebSocket form', () => {
  test('each port is told first, bytes go both ways, the client may end its half', async () => {
    const echo = createServer({ allowHalfOpen: true }, socket => {
      socket.on('data', (data: Buffer) => socket.write(data.toString().toUpperCase()));
      socket.on('end', () => socket.end('!'));
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const { socket, channels, code } = await talk(`${PODS}/web-edge-1/portforward?ports=${port}`);
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.from([255, 0]));
    assert.equal(await code, 1000);
    const told = Buffer.alloc(2);
    told.writeUInt16LE(port);
    assert.equal(channels.get(0), `${told.toString('latin1')}HELLO!`);
    assert.equal(channels.get(1), told.toString('latin1'));
    echo.close();
    assert.deepEqual(await uses(), [
      ['ada@127.0.0.1', 'portforward', 'default/web-edge-1', `port ${port}`],
    ]);
  });

  test('a port where nobody listens is told on its channel of errors', async () => {
    const { channels, code } = await talk(`${PODS}/web-edge-1/portforward?ports=1`);
    assert.equal(await code, 1000);
    assert.match(channels.get(1) ?? '', /ECONNREFUSED/);
  });

  test('what is no port is refused', async () => {
    for (const query of ['', '?ports=0', '?ports=x', '?ports=65536', '?ports=1,,2']) {
      const refusal = await refused(`${PODS}/web-edge-1/portforward${query}`, [
        'v4.channel.k8s.io',
      ]);
      assert.equal(refusal.code, 400);
      assert.match(String(refusal.message), /ports/);
    }
  });
});
