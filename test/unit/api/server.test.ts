import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { KeyAndCertificate } from './certificates.js';
import { at, listAt, names, ROOT_DIGEST, SECRET_HASH, startFixture } from './fixture.js';
import type { CallOptions, Fixture, Reply } from './fixture.js';
import { event, HUB, MANIFEST, node, pod, put } from './objects.js';

const BUNDLES = '/apis/flotilla.dev/v1/namespaces/default/bundles';
const TOKENS = '/apis/flotilla.dev/v1/tokens';
const PODS = '/api/v1/namespaces/default/pods';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

let fixture: Fixture;
const call = (path: string, options?: CallOptions) => fixture.call(path, options);

before(async () => {
  fixture = await startFixture();
});
after(() => fixture.close());

function isStatus(reply: Reply, code: number, reason: string): void {
  assert.equal(reply.code, code, reply.text);
  assert.equal(at(reply.body, 'kind'), 'Status', reply.text);
  assert.equal(at(reply.body, 'apiVersion'), 'v1');
  assert.equal(at(reply.body, 'status'), 'Failure');
  assert.equal(at(reply.body, 'code'), code);
  assert.equal(at(reply.body, 'reason'), reason);
}

describe('who gets in', () => {
  let clients: Record<string, KeyAndCertificate | null>;
  before(async () => {
    const { authority } = fixture;
    const admins = { O: ['flotilla:admins'] };
    const other = await startFixture();
    clients = {
      nobody: null,
      node: await authority.client([{ O: ['flotilla:nodes'] }, { CN: ['edge-1'] }]),
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
    const reply = await call('/api/v1/nodes/edge-1', { method: 'PATCH', body: {} });
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

describe('lists', () => {
  before(() =>
    fixture.store.commit(HUB, [
      put(node('edge-1', { labels: { zone: 'north' } })),
      put(node('edge-2')),
      put(pod('web-edge-1', { labels: { app: 'web' } })),
      put(pod('db-edge-2', { namespace: 'data', node: 'edge-2' })),
      put(event(2, { at: '2026-01-01T00:00:02Z' })),
      put(event(9, { at: '2026-01-01T00:00:10Z' })),
      put(event(10, { at: '2026-01-01T00:00:10Z' })),
      put(event(1, { at: '2026-01-01T00:00:01Z' })),
    ]),
  );

  test('a list has kind, resourceVersion and whole objects', async () => {
    const { body } = await call('/api/v1/nodes');
    assert.equal(at(body, 'kind'), 'NodeList');
    assert.match(String(at(body, 'metadata.resourceVersion')), /^\d+$/);
    assert.equal(at(body, 'items.0.apiVersion'), 'v1');
    assert.equal(at(body, 'items.0.kind'), 'Node');
    assert.equal(at(body, 'items.0.metadata.namespace'), undefined);
    assert.equal(at(body, 'items.0.status.nodeInfo.kubeletVersion'), 'v0.1.0');
  });
  test('of one namespace, of all', async () => {
    assert.deepEqual(names(await call(PODS)), ['web-edge-1']);
    assert.deepEqual(names(await call('/api/v1/pods')), ['db-edge-2', 'web-edge-1']);
    assert.deepEqual(names(await call('/api/v1/namespaces/empty/pods')), []);
  });
  test('by labels and by fields', async () => {
    assert.deepEqual(names(await call('/api/v1/nodes?labelSelector=zone')), ['edge-1']);
    const onNode = await call('/api/v1/pods?fieldSelector=spec.nodeName%3Dedge-2');
    assert.deepEqual(names(onNode), ['db-edge-2']);
    isStatus(await call('/api/v1/pods?labelSelector=a%3D%3D%3Db'), 400, 'BadRequest');
    isStatus(await call('/api/v1/pods?fieldSelector=spec.x%3Db'), 400, 'BadRequest');
  });
  test('events are v1 Events, in the order in which they happened', async () => {
    const { body } = await call('/api/v1/events');
    const numbers = listAt(body, 'items').map(item => at(item, 'flotilla.n'));
    assert.deepEqual(numbers, [1, 2, 9, 10]);
    assert.equal(at(body, 'items.0.involvedObject.name'), 'web-edge-1');
    assert.equal(at(body, 'items.0.spec'), undefined);
  });
  test('namespaces are those in use, and default', async () => {
    const reply = await call('/api/v1/namespaces');
    assert.deepEqual(names(reply), ['data', 'default']);
    assert.equal(at((await call('/api/v1/namespaces/data')).body, 'status.phase'), 'Active');
    isStatus(await call('/api/v1/namespaces/other'), 404, 'NotFound');
    isStatus(await call('/api/v1/namespaces?watch=true'), 405, 'MethodNotAllowed');
  });
  test('a Table holds what was asked for beside the cells', async () => {
    const table = async (query: string) =>
      (await call(`/api/v1/pods${query}`, { headers: TABLE })).body;
    const usual = await table('');
    assert.equal(at(usual, 'kind'), 'Table');
    assert.equal(at(usual, 'apiVersion'), 'meta.k8s.io/v1');
    assert.equal(at(usual, 'rows.1.cells.0'), 'web-edge-1');
    assert.equal(at(usual, 'rows.1.object.kind'), 'PartialObjectMetadata');
    assert.equal(at(usual, 'rows.0.object.metadata.namespace'), 'data');
    assert.equal(at(await table('?includeObject=None'), 'rows.0.object'), null);
    const whole = await table('?includeObject=Object');
    assert.equal(at(whole, 'rows.1.object.status.phase'), 'Running');
  });
  test('one object as a Table', async () => {
    const { body } = await call('/api/v1/nodes/edge-1', { headers: TABLE });
    assert.equal(at(body, 'kind'), 'Table');
    assert.equal(listAt(body, 'rows').length, 1);
  });
  test('versions: 0 is any, later than the store is 410, words are 400', async () => {
    assert.equal((await call('/api/v1/pods?resourceVersion=0')).code, 200);
    isStatus(await call('/api/v1/pods?resourceVersion=999999999'), 410, 'Expired');
    isStatus(await call('/api/v1/pods?resourceVersion=new'), 400, 'BadRequest');
    isStatus(await call('/api/v1/pods?continue=abc'), 400, 'BadRequest');
  });
  test('a list of thousands is whole', async () => {
    const many = Array.from({ length: 3000 }, (_, n) => put(pod(`p${n}`, { namespace: 'many' })));
    await fixture.store.commit(HUB, many);
    const reply = await call('/api/v1/namespaces/many/pods');
    assert.equal(new Set(names(reply)).size, 3000);
  });
});

describe('bundles', () => {
  const body = (more: object = {}) => ({
    apiVersion: 'flotilla.dev/v1',
    kind: 'Bundle',
    metadata: { name: 'shop', labels: { team: 'a' } },
    spec: { nodeSelector: 'zone=north', manifests: [MANIFEST] },
    ...more,
  });
  const send = (method: string, path: string, value: unknown) =>
    call(path, { method, body: value });

  test('create, twice, with the user as actor', async () => {
    const made = await send('POST', BUNDLES, body());
    assert.equal(made.code, 201, made.text);
    assert.equal(at(made.body, 'kind'), 'Bundle');
    assert.equal(at(made.body, 'metadata.namespace'), 'default');
    assert.equal(at(made.body, 'status.revision'), 1);
    const { actors } = fixture;
    assert.deepEqual(actors.at(-1), { kind: 'user', name: 'ada', address: '127.0.0.1' });
    const again = await send('POST', BUNDLES, body());
    isStatus(again, 409, 'AlreadyExists');
    const details = { name: 'shop', group: 'flotilla.dev', kind: 'bundles' };
    assert.equal(at(again.body, 'details.kind'), details.kind);
  });

  test('an unchanged update keeps the resourceVersion, a changed one does not', async () => {
    const path = `${BUNDLES}/shop`;
    const before = await call(path);
    const version = at(before.body, 'metadata.resourceVersion');
    const same = await send('PUT', path, before.body);
    assert.equal(same.code, 200, same.text);
    assert.equal(at(same.body, 'metadata.resourceVersion'), version);
    const spec = { nodeSelector: 'zone=south', manifests: [MANIFEST] };
    const changed = await send('PUT', path, body({ spec }));
    assert.notEqual(at(changed.body, 'metadata.resourceVersion'), version);
    const stale = await send('PUT', path, before.body);
    isStatus(stale, 409, 'Conflict');
  });

  test('an update of another object than the one meant is a Conflict', async () => {
    const metadata = { name: 'shop', uid: 'of-another' };
    isStatus(await send('PUT', `${BUNDLES}/shop`, body({ metadata })), 409, 'Conflict');
    const gone = body({ metadata: { name: 'gone', uid: 'u' } });
    isStatus(await send('PUT', `${BUNDLES}/gone`, gone), 404, 'NotFound');
  });

  test('an update without a version makes what is not there', async () => {
    const made = await send('PUT', `${BUNDLES}/fresh`, body({ metadata: {} }));
    assert.equal(made.code, 201, made.text);
  });

  test('a resourceVersion on create is refused', async () => {
    const metadata = { name: 'x', resourceVersion: '1' };
    isStatus(await send('POST', BUNDLES, body({ metadata })), 400, 'BadRequest');
  });

  test('the causes of a refusal are in the details', async () => {
    const spec = { nodeSelector: '', manifests: [{ kind: 'Pod' }] };
    const reply = await send('POST', BUNDLES, body({ metadata: { name: 'bad' }, spec }));
    isStatus(reply, 422, 'Invalid');
    assert.deepEqual(at(reply.body, 'details.causes'), [
      {
        reason: 'FieldValueInvalid',
        message: 'required',
        field: 'spec.manifests[0].metadata.name',
      },
    ]);
  });

  test('a dry run writes nothing', async () => {
    const metadata = { name: 'dry' };
    const made = await send('POST', `${BUNDLES}?dryRun=All`, body({ metadata }));
    assert.equal(made.code, 201);
    isStatus(await call(`${BUNDLES}/dry`), 404, 'NotFound');
    const kept = await call(`${BUNDLES}/shop?dryRun=All`, { method: 'DELETE' });
    assert.equal(kept.code, 200);
    assert.equal((await call(`${BUNDLES}/shop`)).code, 200);
    isStatus(await send('POST', `${BUNDLES}?dryRun=Some`, body({ metadata })), 400, 'BadRequest');
  });

  test('delete answers with the uid, minds preconditions, and ends in 404', async () => {
    const path = `${BUNDLES}/shop`;
    const uid = at((await call(path)).body, 'metadata.uid');
    const wrong = await send('DELETE', path, { preconditions: { uid: 'other' } });
    isStatus(wrong, 409, 'Conflict');
    const right = await send('DELETE', path, { preconditions: { uid } });
    assert.equal(at(right.body, 'status'), 'Success');
    assert.equal(at(right.body, 'details.uid'), uid);
    isStatus(await call(path), 404, 'NotFound');
    isStatus(await call(path, { method: 'DELETE' }), 404, 'NotFound');
  });

  test('revisions: listed, and one with its manifests put together from blobs', async () => {
    const manifest = canonicalJson(MANIFEST);
    const halves = [manifest.slice(0, 20), manifest.slice(20)].map(text => Buffer.from(text));
    const other = canonicalJson({ ...MANIFEST, metadata: { name: 'other' } });
    const blobs = [...halves, Buffer.from(other)];
    const size = Buffer.byteLength(manifest);
    const parts = halves.map(half => ({ digest: sha256Hex(half), size: half.length }));
    const payload = Buffer.from(
      canonicalJson({
        manifests: [
          { kind: 'Pod', name: 'web', digest: sha256Hex(manifest), size, parts },
          { kind: 'Pod', name: 'other', digest: sha256Hex(other), size: other.length, parts: [] },
        ],
      }),
    );
    const envelope = Buffer.from(
      canonicalJson({ payload: payload.toString('base64'), payloadType: 't', signatures: [] }),
    );
    const record = {
      namespace: 'default',
      bundle: 'kept',
      revision: 3,
      digest: sha256Hex(payload),
      size: payload.length,
      envelope,
      createdBy: 'ada',
      createdAt: '2026-01-01T00:00:00Z',
    };
    await fixture.store.commit(HUB, [
      { type: 'revision', record },
      ...blobs.map(content => ({
        type: 'blob' as const,
        record: { digest: sha256Hex(content), content },
      })),
    ]);
    const list = await call(`${BUNDLES}/kept/revisions`);
    assert.equal(at(list.body, 'kind'), 'BundleRevisionList');
    assert.deepEqual(at(list.body, 'items.0.spec'), {
      revision: 3,
      digest: record.digest,
      size: payload.length,
      createdBy: 'ada',
    });
    const one = await call(`${BUNDLES}/kept/revisions/3`);
    assert.deepEqual(at(one.body, 'spec.manifests.0'), MANIFEST);
    assert.equal(at(one.body, 'spec.manifests.1.metadata.name'), 'other');
    isStatus(await call(`${BUNDLES}/kept/revisions/4`), 404, 'NotFound');
    isStatus(await call(`${BUNDLES}/kept/revisions/x`), 404, 'NotFound');
    isStatus(await call(`${BUNDLES}/unheard-of/revisions`), 404, 'NotFound');
  });
});

describe('tokens', () => {
  test('the join line is shown once, the hash of the secret never', async () => {
    const made = await call(TOKENS, {
      method: 'POST',
      body: { spec: { labels: { zone: 'north' }, ttlSeconds: 3600 } },
    });
    assert.equal(made.code, 201, made.text);
    const name = String(at(made.body, 'metadata.name'));
    assert.equal(at(made.body, 'status.joinLine'), `join ${name}.secret`);
    const table = { headers: TABLE };
    const whole = `${TOKENS}?includeObject=Object`;
    const replies = [
      made,
      await call(TOKENS),
      await call(`${TOKENS}/${name}`),
      await call(whole, table),
    ];
    for (const reply of replies) {
      assert.match(reply.text, /"zone":"north"/);
      assert.doesNotMatch(reply.text, new RegExp(`secretHash|${SECRET_HASH}`));
    }
    for (const reply of replies.slice(1)) assert.doesNotMatch(reply.text, /joinLine|\.secret/);
    assert.doesNotMatch(JSON.stringify(fixture.log), /\.secret/);
    const deleted = await call(`${TOKENS}/${name}`, { method: 'DELETE' });
    assert.equal(at(deleted.body, 'status'), 'Success');
    isStatus(await call(`${TOKENS}/${name}`), 404, 'NotFound');
  });
});

describe('deletion of a mirror pod', () => {
  test('brings it back under another uid; watchers see DELETED, then ADDED', async () => {
    await fixture.store.commit(HUB, [put(pod('mirror-edge-1', { labels: { run: 'mirror' } }))]);
    const path = `${PODS}/mirror-edge-1`;
    const before = await call(path);
    const list = await call(`${PODS}?labelSelector=run=mirror`);
    const from = String(at(list.body, 'metadata.resourceVersion'));
    const deleted = await call(path, { method: 'DELETE', body: { gracePeriodSeconds: 0 } });
    assert.equal(deleted.code, 200, deleted.text);
    const uid = at(before.body, 'metadata.uid');
    assert.equal(at(deleted.body, 'details.uid'), uid);
    const again = await call(path);
    assert.notEqual(at(again.body, 'metadata.uid'), uid);
    assert.deepEqual(at(again.body, 'spec'), at(before.body, 'spec'));
    assert.deepEqual(at(again.body, 'status'), at(before.body, 'status'));
    const annotations = 'metadata.annotations';
    assert.deepEqual(at(again.body, annotations), at(before.body, annotations));
    const seen: unknown[] = [];
    const watched = fixture.watch(
      `${PODS}?watch=true&labelSelector=run=mirror&resourceVersion=${from}`,
    );
    for await (const line of watched) {
      seen.push([at(line, 'type'), at(line, 'object.metadata.uid') === uid]);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, [
      ['DELETED', true],
      ['ADDED', false],
    ]);
  });
});
