/**
 * What a device could open is not forgotten because the hub did: tombstones in a real store, what proves that a device has a Secret no
 * more, and what only a person can say.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { joinedNode } from '../../../hub/enrolment/node-object.js';
import { secretMutations } from '../../../hub/recovery/returned-secrets.js';
import type { NodeObject, SecretTraceObject } from '../../../hub/objects.js';
import { RequestError } from '../../../hub/ports.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { compose, signAssignment } from '../../../hub/rollout/director.js';
import { dropForgotten } from '../../../hub/secrets/forgotten.js';
import { secretWriter } from '../../../hub/secrets/secret-writer.js';
import { joined } from '../../../hub/secrets/traces.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, IdentityRecord, Store } from '../../../hub/store/store.js';
import type { BundleStatus } from '../../../protocol/documents/node.js';
import { keyId } from '../../../protocol/keys.js';
import { topicsOf } from '../../../protocol/topics.js';
import { openSecretDocument } from '../../../protocol/verify-secret.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { FLEET, HUB, podManifest, RELEASE, signer, trustedRoot } from '../../support/fleet.js';
import { sealedSecret, sealingKey } from '../../support/sealed.js';

const ADMIN: Actor = { kind: 'user', name: 'ada' };
const NODE = 'edge-1';
const DAY_1 = '2026-01-01T00:00:00.000Z';
const DAY_2 = '2026-01-02T00:00:00.000Z';
const dir = mkdtempSync(join(tmpdir(), 'fl-traces-'));
const stores: Store[] = [];
after(async () => {
  for (const one of stores) await one.close();
  rmSync(dir, { recursive: true });
});

let store: Store;
const root = trustedRoot();
const writer = () => secretWriter({ store, root: () => root, hubSigner: HUB });

interface Device {
  readonly key?: string;
  readonly joinedAt?: string;
  readonly state?: IdentityRecord['state'];
  readonly suspectedAt?: string | null;
}

async function device(change: Device = {}): Promise<void> {
  const { key = NODE, joinedAt = DAY_1, state = 'active', suspectedAt = null } = change;
  const identity: IdentityRecord = {
    ...{ node: NODE, identityKey: signer(key).publicKey, tlsKey: key, certificate: '' },
    ...{ sealingKey: sealingKey(key).publicKey, token: 't', labels: {} },
    ...{ joinedAt, state, suspectedAt },
  };
  const existing = (await store.get('Node', '', NODE)) as NodeObject | null;
  await store.commit(ADMIN, [
    { type: 'identity', expect: 'any', record: identity },
    { type: 'put', object: joinedNode({ identity, now: joinedAt, existing }), expect: 'any' },
  ]);
}

const uses = (secret: string | null, optional = false) => {
  const pod = podManifest('web');
  const volumes = secret === null ? [] : [{ name: 's', secret: { secretName: secret, optional } }];
  return { ...pod, spec: { ...(pod['spec'] as object), volumes } };
};

async function apply(manifest: object): Promise<string> {
  const bundles = bundleWriter({
    ...{ store, root: () => root, releaseSigner: RELEASE, clock: REAL_CLOCK },
  });
  const { object } = await bundles.apply(ADMIN, {
    ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {}, expect: 'any' },
    ...{ spec: { nodeSelector: '', manifests: [manifest] }, dryRun: false },
  });
  return object.status.digest;
}

async function seal(version: number, key = NODE, secret = 'db'): Promise<void> {
  const { document } = await sealedSecret({
    context: { version, name: secret },
    to: sealingKey(key),
  });
  const { node, recipient, sealed } = document;
  await writer().seal(ADMIN, {
    ...{ namespace: 'default', bundle: 'shop', secret, version, type: 'Opaque' },
    ...{ immutable: false, keys: ['password'], fingerprint: null },
    sealed: [{ node, recipient, sealed }],
  });
}

const remove = () =>
  writer().remove(ADMIN, { namespace: 'default', name: 'shop.db', dryRun: false });
const list = async () =>
  (await writer().readableBy(NODE)).map(
    ({ bundle, secret, versions, newest, device: whose }) =>
      `${bundle}.${secret} ${versions.map(({ from, to }) => `${from}-${to}`).join()} ${newest ?? 'deleted'} ${whose}`,
  );
const traces = async () => (await store.list('SecretTrace')).items as readonly SecretTraceObject[];

/** The hub's newest assignment, and a signed status that tells of it. */
async function says(said: {
  readonly generation: number;
  readonly listed?: boolean;
  readonly told?: number;
  readonly bundle?: Partial<BundleStatus> | null;
  readonly signedBy?: string;
}): Promise<void> {
  const { generation, listed = false, told = generation, bundle = null } = said;
  const { assigned } = await sealedSecret();
  const document = compose({
    ...{
      fleet: FLEET,
      epoch: 1,
      rootVersion: 1,
      node: NODE,
      nodeKey: keyId(signer(NODE).publicKey),
    },
    ...{ bundles: [], secrets: listed ? [assigned] : [], current: null, nonce: null },
    now: Date.parse(DAY_2),
  });
  assert.ok(document);
  const numbered = { ...document, generation };
  const { mutations } = signAssignment(numbered, HUB, topicsOf(FLEET));
  const object = (await store.get('Node', '', NODE)) as NodeObject;
  const { metadata, spec, status } = object;
  const flotilla = {
    ...status.flotilla,
    ...{ epoch: 1, generation: told, bundles: bundle === null ? [] : [bundle as BundleStatus] },
    said: { signedBy: keyId(signer(said.signedBy ?? NODE).publicKey) } as never,
  };
  await store.commit(ADMIN, [
    ...mutations,
    {
      type: 'put',
      object: { kind: 'Node', metadata, spec, status: { ...status, flotilla } },
      expect: 'any',
    },
  ]);
}

/** What of sealed Secrets lies at the broker. */
async function published(): Promise<number[]> {
  const topics = topicsOf(FLEET);
  const found = (await store.publications(0, 100)).filter(({ payload, topic }) => {
    const opened = payload && openSecretDocument(payload, root);
    return opened?.ok === true && topic.startsWith(topics.blob(''));
  });
  return found.map(({ payload }) => {
    const opened = openSecretDocument(payload ?? new Uint8Array(), root);
    return opened.ok ? opened.value.document.version : 0;
  });
}

async function look(): Promise<string[]> {
  const nodes = (await store.list('Node')).items as readonly NodeObject[];
  await dropForgotten(store, ADMIN, nodes);
  return list();
}

const shop = (change: Partial<BundleStatus>): Partial<BundleStatus> => {
  return { namespace: 'default', name: 'shop', state: 'healthy', ...change };
};

beforeEach(async () => {
  store = await openSqliteStore({ path: join(dir, `${stores.length}.db`), clock: REAL_CLOCK });
  stores.push(store);
  await device();
  await apply(uses('db'));
});

describe('what a device could open', () => {
  test('versions that others took the place of, and gaps', async () => {
    await seal(1);
    await seal(2);
    assert.deepEqual(await list(), ['shop.db 1-2 2 current']);
    assert.deepEqual(await published(), [2], 'nobody fetches the former one any more');
    assert.deepEqual(
      joined([
        { from: 5, to: 6 },
        { from: 1, to: 2 },
        { from: 3, to: 3 },
        { from: 6, to: 9 },
      ]),
      [
        { from: 1, to: 3 },
        { from: 5, to: 9 },
      ],
    );
  });

  test('a Secret that was deleted, alone or with its bundle', async () => {
    await seal(1);
    assert.deepEqual(await published(), [1]);
    await remove();
    assert.deepEqual(await list(), ['shop.db 1-1 deleted current']);
    assert.deepEqual(await published(), [], 'nor by a thief of the disk');
    await seal(2);
    assert.deepEqual(await list(), ['shop.db 1-2 2 current']);
    const bundles = bundleWriter({
      ...{ store, root: () => root, releaseSigner: RELEASE, clock: REAL_CLOCK },
    });
    await bundles.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: false });
    assert.deepEqual(await list(), ['shop.db 1-2 deleted current']);
  });

  test('of a device that was shut out, and of the next one of its name', async () => {
    await seal(1);
    await device({ state: 'revoked' });
    assert.deepEqual(await list(), ['shop.db 1-1 1 revoked']);
    await device({ key: 'next', joinedAt: DAY_2 });
    assert.deepEqual(await list(), ['shop.db 1-1 1 former'], 'nothing is sealed for the next yet');
    await seal(1, 'next');
    assert.deepEqual(await list(), ['shop.db 1-1 1 current', 'shop.db 1-1 1 former']);
    await seal(2, 'next');
    assert.deepEqual(await list(), ['shop.db 1-2 2 current', 'shop.db 1-1 2 former']);
  });

  test('a new sealing key of the same device adds nothing', async () => {
    await seal(1);
    await device({ key: 'rotated' });
    await seal(1, 'rotated');
    assert.deepEqual([await list(), await traces()], [['shop.db 1-1 1 current'], []]);
  });

  test('is told to a hub that was restored from a backup that does not know it', async () => {
    const { assigned } = await sealedSecret({ context: { version: 4 } });
    const lesson = {
      ...{ node: NODE, fleet: FLEET, secrets: [], adopted: [], said: null },
      standing: { secrets: [assigned] },
    };
    await store.commit(ADMIN, await secretMutations(store, lesson));
    assert.deepEqual(await list(), ['shop.db 4-4 deleted current']);
    await store.commit(ADMIN, await secretMutations(store, lesson));
    assert.deepEqual(await list(), ['shop.db 4-4 deleted current'], 'twice is safe');
  });
});

describe('that a device has a deleted Secret no more', () => {
  const kept = ['shop.db 1-1 deleted current'];
  beforeEach(async () => {
    await seal(1);
    await remove();
  });

  test('nobody knows before its signed status says so', async () => {
    assert.deepEqual(await look(), kept, 'no assignment, no status');
    await says({ generation: 7, listed: true });
    assert.deepEqual(await look(), kept, 'the newest assignment still lists it');
    await says({ generation: 8, told: 7 });
    assert.deepEqual(await look(), kept, 'it has not accepted the one that does not');
    await says({ generation: 9, signedBy: 'somebody' });
    assert.deepEqual(await look(), kept, 'said by another key');
    await says({ generation: 10 });
    assert.deepEqual(await look(), []);
  });

  test('a pod that runs may have it in its files', async () => {
    const active = (await store.get('Bundle', 'default', 'shop'))?.status as { digest: string };
    await says({ generation: 7, bundle: shop({ active: active.digest }) });
    assert.deepEqual(await look(), kept);
    const optional = await apply(uses('db', true));
    await says({ generation: 8, bundle: shop({ active: optional }) });
    assert.deepEqual(await look(), kept, 'optional, but there');
    const without = await apply(uses(null));
    await says({ generation: 9, bundle: shop({ active: without, state: 'activating' }) });
    assert.deepEqual(await look(), kept, 'the former pod may run on beside it');
    await says({ generation: 10, bundle: shop({ active: 'f'.repeat(64) }) });
    assert.deepEqual(await look(), kept, 'a revision that the hub does not know');
    await says({ generation: 11, bundle: shop({ active: without }) });
    assert.deepEqual(await look(), []);
  });

  test('a device that was shut out, seems to be cloned, or lost its name is not believed', async () => {
    await says({ generation: 7 });
    await device({ state: 'revoked' });
    assert.deepEqual(await look(), ['shop.db 1-1 deleted revoked']);
    await device({ suspectedAt: DAY_2 });
    assert.deepEqual(await look(), kept);
    await device({ key: 'next', joinedAt: DAY_2 });
    assert.deepEqual(await look(), ['shop.db 1-1 deleted former']);
  });
});

describe('what a person replaced', () => {
  const said = (names: string[] | null, namespace = 'default') =>
    writer().replaced(ADMIN, { node: NODE, namespace, names });

  test('leaves the list of a device that was shut out; what a member has stays', async () => {
    await seal(1);
    await seal(1, NODE, 'other');
    await seal(2);
    assert.equal((await said(null)).length, 1, 'the earlier version alone');
    assert.deepEqual(await list(), ['shop.db 2-2 2 current', 'shop.other 1-1 1 current']);
    await device({ state: 'revoked' });
    assert.equal((await said(['shop.db'])).length, 1);
    assert.deepEqual(await list(), ['shop.other 1-1 1 revoked']);
    assert.equal((await said(null)).length, 1);
    assert.deepEqual(await list(), []);
  });

  test('is refused for a name that is not on it', async () => {
    await seal(1);
    for (const [names, namespace] of [
      [['shop.bd'], 'default'],
      [['shop.db'], 'elsewhere'],
    ] as const) {
      await assert.rejects(
        said([...names], namespace),
        (error: unknown) => error instanceof RequestError && error.reason === 'NotFound',
      );
    }
    assert.deepEqual(await list(), ['shop.db 1-1 1 current']);
  });
});

test('a Secret that pods want and nobody ever sealed, with the field and the nodes', async () => {
  const unsealed = async () => writer().unsealed('default');
  const found = {
    ...{ namespace: 'default', bundle: 'shop', secret: 'db', isDeleted: false, nodes: [NODE] },
    field: 'pod web: spec.volumes[0].secret.secretName',
  };
  assert.deepEqual(await unsealed(), [found]);
  assert.deepEqual(await writer().unsealed(null), [found]);
  assert.deepEqual(await writer().unsealed('elsewhere'), []);
  const active = (await store.get('Bundle', 'default', 'shop'))?.status as { digest: string };
  await says({ generation: 7, bundle: shop({ active: active.digest }) });
  assert.deepEqual(await unsealed(), [], 'the node has its own');
  await says({ generation: 8, bundle: shop({ active: null, state: 'waiting' }) });
  assert.deepEqual(await unsealed(), [found]);
  await seal(1);
  await remove();
  await says({ generation: 9, bundle: shop({ active: active.digest }) });
  assert.deepEqual(await unsealed(), [{ ...found, isDeleted: true }], 'no pod starts again there');
  await seal(2);
  assert.deepEqual(await unsealed(), [], 'from here on the Secret says who lacks it');
  await apply(uses('late', true));
  assert.deepEqual(await unsealed(), [], 'optional');
});
