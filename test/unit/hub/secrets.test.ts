/** Sealed Secrets at the hub: what is taken, what is kept of them, who lacks what, and what assignments list. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { toApiObject } from '../../../hub/api/api-object.js';
import type {
  BundleObject,
  NodeObject,
  SealedSecretObject,
  SecretObject,
} from '../../../hub/objects.js';
import { RequestError, type SealedItem, type SealRequest } from '../../../hub/ports.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { republisher } from '../../../hub/rollout/republish.js';
import { assignedSecrets, indexSealed, statusOfSecret } from '../../../hub/secrets/needs.js';
import { secretWriter } from '../../../hub/secrets/secret-writer.js';
import { signSecretsAnew } from '../../../hub/secrets/signatures.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import { keyId } from '../../../protocol/keys.js';
import { topicsOf } from '../../../protocol/topics.js';
import { openSecret } from '../../../protocol/verify-secret.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  assigned,
  bundleDocument,
  FLEET,
  HUB,
  idOf,
  podManifest,
  RELEASE,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { enrolled, memberRecord } from '../../support/member.js';
import { CONTEXT, sealedSecret, sealingKey, type SealingKey } from '../../support/sealed.js';

const ADMIN: Actor = { kind: 'user', name: 'ada' };
const KEEPER = signer('keeper of secrets');
const dir = mkdtempSync(join(tmpdir(), 'fl-hub-secrets-'));
const stores: Store[] = [];
after(async () => {
  for (const one of stores) await one.close();
  rmSync(dir, { recursive: true });
});

let store: Store;
let root = trustedRoot();
const keys: Record<string, SealingKey> = {
  'edge-1': sealingKey('edge-1'),
  'edge-2': sealingKey('edge-2'),
};
const writer = () => secretWriter({ store, root: () => root, hubSigner: HUB });

async function enrol(name: string, key = keys[name]): Promise<void> {
  const identityKey = signer(name).publicKey;
  const record = memberRecord(name, { identityKey, sealingKey: key?.publicKey ?? '' });
  await store.commit(ADMIN, enrolled(record, 'any'));
}

beforeEach(async () => {
  root = trustedRoot();
  store = await openSqliteStore({ path: join(dir, `${stores.length}.db`), clock: REAL_CLOCK });
  stores.push(store);
  await enrol('edge-1');
  const bundles = bundleWriter({
    ...{ store, root: () => root, releaseSigner: RELEASE, clock: REAL_CLOCK },
  });
  const manifest = podManifest('web') as never;
  await bundles.apply(ADMIN, {
    ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {}, expect: 'any' },
    ...{ spec: { nodeSelector: '', manifests: [manifest] }, dryRun: false },
  });
});

async function item(node = 'edge-1', version = 1, to = keys[node]): Promise<SealedItem> {
  const { document } = await sealedSecret({
    context: { node, version },
    ...(to === undefined ? {} : { to }),
  });
  return { node, recipient: document.recipient, sealed: document.sealed };
}

const asked = (change: Partial<SealRequest>): SealRequest => ({
  ...{ namespace: 'default', bundle: 'shop', secret: 'db', version: 1, type: 'Opaque' },
  ...{ immutable: false, keys: ['password'], fingerprint: 'a'.repeat(64), sealed: [] },
  ...change,
});
const seal = async (change: Partial<SealRequest> = {}) =>
  writer().seal(ADMIN, asked({ sealed: [await item()], ...change }));

async function refused(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RequestError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const sealed = async () =>
  (await store.list('SealedSecret')).items as readonly SealedSecretObject[];
const served = async () => (await store.list('Secret')).items as readonly SecretObject[];

async function status(): Promise<unknown> {
  const [secret] = await served();
  assert.ok(secret);
  return statusOfSecret(secret, {
    bundles: (await store.list('Bundle')).items as readonly BundleObject[],
    nodes: (await store.list('Node')).items as readonly NodeObject[],
    identities: await store.identities(),
    sealed: indexSealed(await sealed()),
  });
}

describe('sealing at the hub', () => {
  test('what an operator sealed is signed, published and accepted by the node', async () => {
    await seal();
    const [one] = await sealed();
    assert.ok(one);
    const topic = topicsOf(FLEET).blob(one.spec.digest);
    const { payload } = (await store.publication(topic)) ?? {};
    const listed = assignedSecrets(await sealed(), [assigned(bundleDocument())]);
    assert.deepEqual(listed, [
      { namespace: 'default', bundle: 'shop', name: 'db', version: 1, digest: one.spec.digest },
    ]);
    const [first] = listed;
    assert.ok(first && payload);
    const reader = { node: 'edge-1', sealingKeys: [sealingKey('edge-1').key] };
    const opened = openSecret(payload, { root, assigned: first, ...reader });
    assert.ok(opened.ok, JSON.stringify(opened));
    const { published } = await republisher({ store, fleet: FLEET, clock: REAL_CLOCK }).blobs([
      one.spec.digest,
    ]);
    assert.deepEqual(published, [one.spec.digest]);
    assert.deepEqual(assignedSecrets(await sealed(), []), [], 'of other bundles none');
  });

  test('lists never show the fingerprint; the one who seals is told', async () => {
    await seal();
    const [secret] = await served();
    assert.ok(secret);
    assert.doesNotMatch(JSON.stringify(toApiObject(secret)), /aaaa/);
    const of = { namespace: 'default', bundle: 'shop', nodeSelector: null };
    const { secrets, nodes, versions, secretKeys } = await writer().sealing(of);
    assert.equal(secrets[0]?.fingerprint, 'a'.repeat(64));
    assert.deepEqual(versions, { db: 1 });
    assert.equal(secretKeys, null);
    assert.deepEqual(
      nodes.map(({ node, has }) => [node, has]),
      [['edge-1', { db: 1 }]],
    );
  });

  const rows: Record<string, [() => Promise<unknown>, RegExp]> = {
    'a version that leaves one out': [() => seal({ version: 3 }), /^Conflict: .* version 1/],
    'a version below the newest': [
      async () => {
        await seal({ version: 2, sealed: [] });
        return seal({ version: 1 });
      },
      /^Conflict/,
    ],
    'the same version with other values': [
      () => seal({ fingerprint: 'b'.repeat(64) }),
      /^Conflict: .*sealed meanwhile with other values/,
    ],
    'another version of an immutable one': [
      async () => {
        await seal({ version: 2, sealed: [], immutable: true });
        return seal({ version: 3, sealed: [] });
      },
      /^Invalid: .*immutable.*secret delete db --bundle shop/,
    ],
    'for a node that nobody knows': [
      async () => seal({ sealed: [await item('edge-9', 1, sealingKey('x'))] }),
      /^Invalid: node "edge-9" is no member/,
    ],
    'for a key that the node had before': [
      async () => seal({ sealed: [await item('edge-1', 1, sealingKey('former'))] }),
      /^Conflict: node "edge-1" has another sealing key/,
    ],
    'what is no age file': [
      async () => seal({ sealed: [{ ...(await item()), sealed: 'x y' }] }),
      /^Invalid: .*not an age file/,
    ],
    'a node whose name is none': [
      async () => seal({ sealed: [{ ...(await item()), node: '../x' }] }),
      /^Invalid: .*Malformed/,
    ],
    'an envelope where the hub signs': [
      async () => seal({ sealed: [{ envelope: '{}' }] }),
      /^Invalid: .*the hub signs it/,
    ],
  };
  for (const [sentence, [call, message]] of Object.entries(rows)) {
    test(`refuses ${sentence}, and keeps what it has`, async () => {
      await seal();
      const before = await sealed();
      assert.match(await refused(call()), message);
      assert.deepEqual(await sealed(), before);
    });
  }

  test('is not lost to a count of nodes that the hub writes in the same moment', async () => {
    await seal();
    const [secret] = await served();
    assert.ok(secret);
    let races = 3;
    const busy = new Proxy(store, {
      get: (target, name: keyof Store) => {
        if (name !== 'commit') return target[name].bind(target);
        return async (...args: Parameters<Store['commit']>) => {
          if (races-- > 0) {
            const status = { sealed: races, lacking: 0, lackingNodes: [] };
            const { kind, metadata, spec } = secret;
            const { namespace, name: of } = metadata;
            const object = { kind, metadata: { namespace, name: of }, spec, status };
            await store.commit(ADMIN, [{ type: 'put', object, expect: 'any' }]);
          }
          return store.commit(...args);
        };
      },
    });
    const parts = { store: busy, root: () => root, hubSigner: HUB };
    const next = asked({ version: 2, sealed: [await item('edge-1', 2)] });
    await secretWriter(parts).seal(ADMIN, next);
    assert.equal((await served())[0]?.spec.version, 2);
    assert.equal(races, -1);
  });

  test('S90 with a role for secrets the hub takes what its key signed, and cannot sign itself', async () => {
    const document = rootDocument();
    root = trustedRoot({
      ...document,
      keys: { ...document.keys, [idOf(KEEPER)]: KEEPER.publicKey },
      roles: { ...document.roles, secrets: { threshold: 1, keys: [idOf(KEEPER)] } },
    });
    assert.match(await refused(seal()), /^Invalid: .*off the hub.*--key/);
    const byHub = await sealedSecret();
    const envelopes = (envelope: Buffer) => seal({ sealed: [{ envelope: envelope.toString() }] });
    assert.match(await refused(envelopes(byHub.envelope)), /^Invalid: .*BadSignature/);
    const other = await sealedSecret({ signer: KEEPER, context: { name: 'other' } });
    assert.match(await refused(envelopes(other.envelope)), /^Invalid: .*another secret/);
    const byKeeper = await sealedSecret({ signer: KEEPER });
    assert.equal(await refused(envelopes(byKeeper.envelope)), 'accepted');
    assert.equal((await sealed())[0]?.spec.digest, byKeeper.assigned.digest);
  });

  test('under a root with another hub key the hub signs again what it signed, under the same digest', async () => {
    await seal();
    const [one] = await sealed();
    assert.ok(one);
    const topic = topicsOf(FLEET).blob(one.spec.digest);
    const before = await store.publication(topic);
    await signSecretsAnew(store, { root, hubSigner: HUB });
    assert.deepEqual(await store.publication(topic), before, 'good ones are left alone');
    const by = signer('another hub');
    const document = rootDocument();
    root = trustedRoot({
      ...document,
      keys: { ...document.keys, [idOf(by)]: by.publicKey },
      roles: { ...document.roles, hub: { threshold: 1, keys: [idOf(by)] } },
    });
    await signSecretsAnew(store, { root, hubSigner: by });
    const listed = assignedSecrets(await sealed(), [assigned(bundleDocument())]);
    const payload = (await store.publication(topic))?.payload;
    assert.ok(payload && listed[0]);
    const reader = { node: 'edge-1', sealingKeys: [sealingKey('edge-1').key] };
    assert.ok(openSecret(payload, { root, assigned: listed[0], ...reader }).ok);
    assert.deepEqual(await status(), { sealed: 1, lacking: 0, lackingNodes: [] });
  });

  test('under a root that gives secrets to people, what the hub signed is missing until they sign', async () => {
    await seal();
    const document = rootDocument();
    const former = root;
    root = trustedRoot({
      ...document,
      keys: { ...document.keys, [idOf(KEEPER)]: KEEPER.publicKey },
      roles: { ...document.roles, secrets: { threshold: 1, keys: [idOf(KEEPER)] } },
    });
    await signSecretsAnew(store, { root, hubSigner: HUB });
    assert.deepEqual(await status(), { sealed: 0, lacking: 1, lackingNodes: ['edge-1'] });
    const listed = assignedSecrets(await sealed(), [assigned(bundleDocument())]);
    assert.equal(listed.length, 1, 'who has it goes on with it');
    const byKeeper = await sealedSecret({ signer: KEEPER });
    await seal({ sealed: [{ envelope: byKeeper.envelope.toString() }] });
    assert.deepEqual(await status(), { sealed: 1, lacking: 0, lackingNodes: [] });
    await signSecretsAnew(store, { root: former, hubSigner: HUB });
    assert.deepEqual(await status(), { sealed: 1, lacking: 0, lackingNodes: [] }, 'and back');
  });

  test('one that is deleted goes with what was sealed; made anew it goes on counting', async () => {
    await seal();
    await writer().remove(ADMIN, { namespace: 'default', name: 'shop.db', dryRun: true });
    assert.equal((await served()).length, 1);
    await writer().remove(ADMIN, { namespace: 'default', name: 'shop.db', dryRun: false });
    assert.deepEqual([await served(), await sealed()], [[], []]);
    assert.match(await refused(seal()), /^Conflict/);
    assert.equal(
      await refused(seal({ version: 2, sealed: [await item('edge-1', 2)] })),
      'accepted',
    );
    const of = { namespace: 'default', name: 'shop.no', dryRun: false };
    assert.match(await refused(writer().remove(ADMIN, of)), /^NotFound/);
  });
});

test('the Secrets of a bundle go with it', async () => {
  await seal();
  const bundles = bundleWriter({
    ...{ store, root: () => root, releaseSigner: RELEASE, clock: REAL_CLOCK },
  });
  await bundles.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: true });
  assert.equal((await served()).length, 1);
  await bundles.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: false });
  assert.deepEqual([await served(), await sealed()], [[], []]);
});

describe('who lacks what', () => {
  test('a node that joins later, one with a former version, one with a new key', async () => {
    await seal();
    assert.deepEqual(await status(), { sealed: 1, lacking: 0, lackingNodes: [] });
    await enrol('edge-2');
    assert.deepEqual(await status(), { sealed: 1, lacking: 1, lackingNodes: ['edge-2'] });
    await seal({ sealed: [await item('edge-2')] });
    assert.deepEqual(await status(), { sealed: 2, lacking: 0, lackingNodes: [] });
    await seal({ version: 2, sealed: [await item('edge-2', 2)] });
    assert.deepEqual(await status(), { sealed: 1, lacking: 1, lackingNodes: ['edge-1'] });
    const rotated = sealingKey('edge-2 rotated');
    await enrol('edge-2', rotated);
    assert.deepEqual(await status(), { sealed: 0, lacking: 2, lackingNodes: ['edge-1', 'edge-2'] });
    const again = await item('edge-2', 2, rotated);
    assert.equal('recipient' in again && again.recipient, keyId(rotated.publicKey));
    await seal({ version: 2, sealed: [again] });
    assert.deepEqual(await status(), { sealed: 1, lacking: 1, lackingNodes: ['edge-1'] });
  });

  test('nobody, for a bundle that is not there', async () => {
    await seal({ bundle: CONTEXT.bundle });
    await store.commit(ADMIN, [
      { type: 'delete', kind: 'Bundle', namespace: 'default', name: 'shop' },
    ]);
    assert.deepEqual(await status(), { sealed: 0, lacking: 0, lackingNodes: [] });
  });
});

test('what a node can read: nothing for one without any, and no comfort for a name that nobody has', async () => {
  assert.deepEqual(await writer().readableBy('edge-1'), []);
  await seal();
  assert.equal((await writer().readableBy('edge-1')).length, 1);
  assert.equal(await refused(writer().readableBy('egde-1')), 'NotFound: nodes "egde-1" not found');
});
