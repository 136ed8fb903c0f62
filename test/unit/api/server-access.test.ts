/** Who gets into the hub's HTTPS server with which certificate, and what a node that has none yet may ask. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { KeyAndCertificate } from '../../support/api-certificates.js';
import {
  isStatus,
  ROOT_DIGEST,
  startFixture,
  type CallOptions,
  type Fixture,
} from '../../support/api-server.js';

let fixture: Fixture;
const call = (path: string, options?: CallOptions) => fixture.call(path, options);

before(async () => {
  fixture = await startFixture();
});
after(() => fixture.close());

describe('who gets in', () => {
  let clients: Record<string, KeyAndCertificate | null>;
  before(async () => {
    const { authority } = fixture;
    const admins = { O: ['flotilla:admins'] };
    const other = await startFixture();
    clients = {
      nobody: null,
      admin: fixture.admin,
      node: await authority.client([{ O: ['flotilla:nodes'] }, { CN: ['edge-1'] }]),
      monitor: await authority.client([{ O: ['flotilla:monitoring'] }, { CN: ['monitoring:p'] }]),
      expired: await authority.client([admins, { CN: ['ada'] }], { expired: true }),
      stranger: other.admin,
      server: await authority.server(),
    };
    await other.close();
  });

  const rows: readonly (readonly [string, string, number])[] = [
    ['nobody', '/api/v1/nodes', 401],
    ['nobody', '/apis', 401],
    ['nobody', '/api/v1/no-such-thing', 401],
    ['nobody', '/openapi/v2', 401],
    ['expired', '/api/v1/nodes', 401],
    ['stranger', '/api/v1/nodes', 401],
    ['server', '/api/v1/nodes', 401],
    ['node', '/api/v1/nodes', 403],
    ['node', '/api/v1/no-such-thing', 403],
    ['monitor', '/api/v1/nodes', 403],
    ['monitor', '/api/v1/no-such-thing', 403],
    ['monitor', '/metrics', 200],
    ['admin', '/metrics', 200],
    ['nobody', '/metrics', 401],
    ['node', '/metrics', 403],
    ['stranger', '/metrics', 401],
    ['nobody', '/healthz', 200],
    ['nobody', '/readyz', 200],
    ['nobody', '/livez', 200],
    ['nobody', '/version', 200],
    ['nobody', '/flotilla/v1/authorities', 200],
    ['node', '/flotilla/v1/authorities', 200],
  ];
  for (const [who, path, code] of rows) {
    test(`${who} gets ${code} for ${path}`, async () => {
      const reply = await call(path, { client: clients[who] ?? null });
      if (code === 200) assert.equal(reply.code, 200);
      else isStatus(reply, code, code === 401 ? 'Unauthorized' : 'Forbidden');
    });
  }

  test('a resumed session is known by the certificate that began it', async () => {
    const { port } = fixture.api;
    const settings = { host: '127.0.0.1', port, ca: fixture.authority.cert, ...fixture.admin };
    const exchange = (session?: Buffer) =>
      new Promise<{ heard: string; reused: boolean; next: Buffer | undefined }>(
        (resolve, reject) => {
          const socket = connect({ ...settings, ...(session ? { session } : {}) }, () => {
            reused = socket.isSessionReused();
            socket.write('GET /apis HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n');
          });
          let reused = false;
          let next: Buffer | undefined;
          let heard = '';
          socket.on('session', (given: Buffer) => (next = given));
          socket.on('data', (piece: Buffer) => (heard += piece.toString()));
          socket.on('close', () => resolve({ heard, reused, next }));
          socket.on('error', reject);
        },
      );
    const first = await exchange();
    assert.match(first.heard, /^HTTP\/1\.1 200/);
    const second = await exchange(first.next);
    assert.equal(second.reused, true);
    assert.match(second.heard, /^HTTP\/1\.1 200/);
  });

  test('TLS 1.1 is not spoken', async () => {
    const { port } = fixture.api;
    const settings = { host: '127.0.0.1', port, rejectUnauthorized: false } as const;
    await assert.rejects(
      new Promise((resolve, reject) => {
        const socket = connect({ ...settings, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' });
        socket.on('secureConnect', resolve).on('error', reject);
      }),
    );
  });
});

describe('enrolment', () => {
  const anyone = { client: null };
  test('roots by digest and by version, as they are', async () => {
    const byDigest = await call(`/flotilla/v1/root/${ROOT_DIGEST}`, anyone);
    assert.equal(byDigest.text, '{"root":1}');
    assert.equal((await call('/flotilla/v1/roots/2', anyone)).text, '{"root":2}');
  });
  test('a root that is not there, or is asked for badly', async () => {
    isStatus(await call(`/flotilla/v1/root/${'0'.repeat(64)}`, anyone), 404, 'NotFound');
    isStatus(await call('/flotilla/v1/root/abc', anyone), 400, 'BadRequest');
    isStatus(await call('/flotilla/v1/roots/3', anyone), 404, 'NotFound');
    isStatus(await call('/flotilla/v1/roots/-1', anyone), 400, 'BadRequest');
  });
  test('a nonce', async () => {
    const reply = await call('/flotilla/v1/nonce', { ...anyone, method: 'POST' });
    assert.deepEqual(reply.body, { nonce: '0'.repeat(32) });
    const got = await call('/flotilla/v1/nonce');
    isStatus(got, 405, 'MethodNotAllowed');
  });
  const join = (body: Buffer) => call('/flotilla/v1/join', { ...anyone, method: 'POST', body });
  test('a join: bytes in, bytes out, with the address of the caller', async () => {
    const reply = await join(Buffer.from('{"an":"envelope"}'));
    assert.equal(reply.text, '127.0.0.1 {"an":"envelope"}');
  });
  test('a refused join is a Status', async () => {
    isStatus(await join(Buffer.alloc(0)), 401, 'Unauthorized');
  });
  test('16 KiB and no more', async () => {
    assert.equal((await join(Buffer.alloc(16 * 1024, 0x20))).code, 200);
    isStatus(await join(Buffer.alloc(16 * 1024 + 1)), 413, 'RequestEntityTooLarge');
  });
});
