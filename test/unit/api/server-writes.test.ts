/** What is written over the hub's API: bundles, tokens, and a mirror pod that is deleted and comes back. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import {
  at,
  isStatus,
  SECRET_HASH,
  startFixture,
  type CallOptions,
  type Fixture,
} from '../../support/api-server.js';
import { HUB, MANIFEST, pod, put } from '../../support/api-objects.js';

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
    assert.deepEqual(at(again.body, 'details'), details);
  });

  test('what cannot be created is named: kubectl begins its sentence with it', async () => {
    const bad = await send('POST', BUNDLES, body({ metadata: { name: 'a.b' } }));
    isStatus(bad, 422, 'Invalid');
    assert.equal(at(bad.body, 'details.name'), 'a.b');
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

  const damage: readonly (readonly [string, string])[] = [
    ['an envelope that is none', 'not JSON'],
    ['an envelope of other content', '{"payload":"e30="}'],
    ['an envelope without content', 'null'],
  ];
  for (const [what, envelope] of damage) {
    test(`a revision with ${what} is said to be damaged, and what to do`, async () => {
      const name = `damaged-${damage.findIndex(row => row[0] === what)}`;
      const record = {
        ...{ namespace: 'default', bundle: name, revision: 1, digest: sha256Hex('other') },
        ...{ size: 2, createdBy: 'ada', createdAt: '2026-01-01T00:00:00Z' },
        envelope: Buffer.from(envelope),
      };
      await fixture.store.commit(HUB, [{ type: 'revision', record }]);
      const reply = await call(`${BUNDLES}/${name}/revisions/1`);
      isStatus(reply, 500, 'InternalError');
      assert.match(
        String(at(reply.body, 'message')),
        /revision 1 of bundle "damaged-.*restore a backup/,
      );
    });
  }

  test('a manifest that is not what its name says is not shown', async () => {
    const entry = { kind: 'Pod', name: 'web', digest: sha256Hex('signed'), size: 6, parts: [] };
    const digest = sha256Hex('{');
    const parts = [{ digest, size: 1 }];
    const payload = Buffer.from(canonicalJson({ manifests: [{ ...entry, parts }] }));
    const envelope = Buffer.from(canonicalJson({ payload: payload.toString('base64') }));
    const record = {
      ...{ namespace: 'default', bundle: 'half', revision: 1, digest: sha256Hex(payload) },
      ...{ size: payload.length, envelope, createdBy: 'ada', createdAt: '2026-01-01T00:00:00Z' },
    };
    await fixture.store.commit(HUB, [
      { type: 'revision', record },
      { type: 'blob', record: { digest, content: Buffer.from('{') } },
    ]);
    const reply = await call(`${BUNDLES}/half/revisions/1`);
    isStatus(reply, 500, 'InternalError');
    assert.match(String(at(reply.body, 'message')), /manifest "web" is damaged/);
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

test('a pod is not made here: the answer names what makes one', async () => {
  const body = pod('bare-edge-1', {});
  const refused = await call(PODS, { method: 'POST', body });
  isStatus(refused, 422, 'Invalid');
  const [cause] = at(refused.body, 'details.causes') as { message: string }[];
  assert.match(cause?.message ?? '', /flotilla apply -f FILE/);
  assert.equal(at(refused.body, 'details.name'), 'bare-edge-1');
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
    assert.match(
      String(deleted.headers['warning']),
      /^299 - "pod .*mirror-edge-1.* is a mirror of what runs on edge-1: it goes on there/,
    );
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
