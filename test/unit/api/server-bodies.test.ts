/** What the hub's HTTPS server is sent and cannot read, and how it says that something is wrong. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import {
  at,
  isStatus,
  startFixture,
  type CallOptions,
  type Fixture,
} from '../../support/api-server.js';

const BUNDLES = '/apis/flotilla.dev/v1/namespaces/default/bundles';
const PODS = '/api/v1/namespaces/default/pods';

let fixture: Fixture;
const call = (path: string, options?: CallOptions) => fixture.call(path, options);

before(async () => {
  fixture = await startFixture();
});
after(() => fixture.close());

describe('bodies', () => {
  const post = (body: Buffer, headers: Record<string, string>) =>
    call(BUNDLES, { method: 'POST', body, headers });
  const JSON_TYPE = { 'content-type': 'application/json' };
  const rows: readonly (readonly [string, Buffer, Record<string, string>, number, string])[] = [
    [
      'YAML',
      Buffer.from('kind: Bundle'),
      { 'content-type': 'application/yaml' },
      415,
      'UnsupportedMediaType',
    ],
    [
      'protobuf',
      Buffer.from('k8s\0'),
      { 'content-type': 'application/vnd.kubernetes.protobuf' },
      415,
      'UnsupportedMediaType',
    ],
    ['no type', Buffer.from('{}'), {}, 415, 'UnsupportedMediaType'],
    [
      'compressed JSON',
      Buffer.from('{}'),
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      415,
      'UnsupportedMediaType',
    ],
    ['broken JSON', Buffer.from('{"kind":'), JSON_TYPE, 400, 'BadRequest'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), JSON_TYPE, 400, 'BadRequest'],
    ['a prototype', Buffer.from('{"__proto__":{"a":1}}'), JSON_TYPE, 400, 'BadRequest'],
    ['too deep', Buffer.from('['.repeat(1_000_000)), JSON_TYPE, 400, 'BadRequest'],
    [
      'more than 3 MiB',
      Buffer.alloc(3 * 1024 * 1024 + 1, 0x20),
      JSON_TYPE,
      413,
      'RequestEntityTooLarge',
    ],
  ];
  for (const [what, body, headers, code, reason] of rows) {
    test(`${what}: ${code}`, async () => isStatus(await post(body, headers), code, reason));
  }

  test('more than 3 MiB without saying so beforehand', async () => {
    const chunked = Buffer.alloc(3 * 1024 * 1024 + 1, 0x20);
    const reply = await call(BUNDLES, { method: 'POST', headers: JSON_TYPE, chunked });
    isStatus(reply, 413, 'RequestEntityTooLarge');
  });

  test('what is not HTTP, and headers without end, get an answer and the door', async () => {
    const speak = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const { port } = fixture.api;
        const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
          socket.write(text),
        );
        let heard = '';
        socket.on('data', (piece: Buffer) => (heard += piece.toString()));
        socket.on('close', () => resolve(heard));
        socket.on('error', reject);
      });
    assert.match(await speak('hello\r\n\r\n'), /^HTTP\/1\.1 400 .*"kind":"Status"/s);
    const long = `GET / HTTP/1.1\r\nHost: hub\r\nX-Long: ${'x'.repeat(17 * 1024)}\r\n\r\n`;
    assert.match(await speak(long), /^HTTP\/1\.1 431 .*"kind":"Status"/s);
  });
});

describe('errors', () => {
  test('an unknown path is a Status', async () => {
    isStatus(await call('/apis/apps/v1/deployments'), 404, 'NotFound');
    isStatus(await call('/'), 404, 'NotFound');
  });
  test('an object that is not there names itself', async () => {
    const reply = await call(`${PODS}/nope`);
    isStatus(reply, 404, 'NotFound');
    assert.deepEqual(at(reply.body, 'details'), { name: 'nope', group: '', kind: 'pods' });
    assert.equal(at(reply.body, 'message'), 'pods "nope" not found');
  });
  test('a method that is not served', async () => {
    const reply = await call(`${PODS}/any`, { method: 'PATCH', body: {} });
    isStatus(reply, 405, 'MethodNotAllowed');
  });
  test('what fails inside says nothing of it, but is logged', async () => {
    const { store } = fixture;
    const get = store.get.bind(store);
    store.get = () => Promise.reject(new Error('the secret inside'));
    try {
      const reply = await call(`${PODS}/any`);
      isStatus(reply, 500, 'InternalError');
      assert.doesNotMatch(reply.text, /secret inside/);
    } finally {
      store.get = get;
    }
    assert.ok(fixture.log.some(line => line.level === 'error'));
  });
});
