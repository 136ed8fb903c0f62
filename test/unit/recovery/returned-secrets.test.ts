/** Sealed Secrets after a restore: versions never fall, envelopes come back, and what nobody was heard of is leapt over. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { packed } from '../../../protocol/envelope.js';
import type { SealedSecretObject, SecretObject } from '../../../hub/objects.js';
import { RequestError } from '../../../hub/ports.js';
import { gatedSecrets } from '../../../hub/recovery/gate.js';
import { endMutations, lessonMutations } from '../../../hub/recovery/learned.js';
import { PLAUSIBLE_MAX } from '../../../hub/recovery/lessons.js';
import {
  fetchSecrets,
  returnedSecret,
  secretMutations,
} from '../../../hub/recovery/returned-secrets.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { secretWriter } from '../../../hub/secrets/secret-writer.js';
import { knownVersion, VERSIONS_LEFT_OUT } from '../../../hub/secrets/versions.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import type { AssignedSecret } from '../../../protocol/documents/assignment.js';
import { topicsOf } from '../../../protocol/topics.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  FLEET,
  HUB,
  podManifest,
  RELEASE,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { enrolled, memberRecord } from '../../support/member.js';
import { sealedSecret, sealingKey } from '../../support/sealed.js';

const ADMIN: Actor = { kind: 'user', name: 'ada' };
const NOW = '2026-01-01T00:00:00.000Z';
const dir = mkdtempSync(join(tmpdir(), 'fl-returned-'));
const stores: Store[] = [];
after(async () => {
  for (const one of stores) await one.close();
  rmSync(dir, { recursive: true });
});

let store: Store;
const root = trustedRoot();
const log = { debug() {}, info() {}, warn() {}, error() {} };
const writer = () => secretWriter({ store, root: () => root, hubSigner: HUB });
const db = { namespace: 'default', bundle: 'shop', secret: 'db' };

/** A hub whose backup knows version 1 of the Secret `db`, sealed for edge-1. */
beforeEach(async () => {
  store = await openSqliteStore({ path: join(dir, `${stores.length}.db`), clock: REAL_CLOCK });
  stores.push(store);
  for (const node of ['edge-1', 'edge-2']) {
    const keys = { identityKey: signer(node).publicKey, sealingKey: sealingKey(node).publicKey };
    await store.commit(ADMIN, enrolled(memberRecord(node, keys), 'any'));
  }
  const bundles = bundleWriter({
    ...{ store, root: () => root, releaseSigner: RELEASE, clock: REAL_CLOCK },
  });
  await bundles.apply(ADMIN, {
    ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {}, expect: 'any' },
    ...{ spec: { nodeSelector: '', manifests: [podManifest('web')] }, dryRun: false },
  });
  await seal(1);
  const record = { restoredAt: NOW, backupAt: NOW, epoch: 1, learning: true };
  await store.commit(ADMIN, [
    { type: 'recovery', record },
    ...['edge-1', 'edge-2'].map(node => ({ type: 'unheard', node }) as const),
  ]);
});

async function seal(version: number): Promise<unknown> {
  const { document } = await sealedSecret({ context: { version } });
  const { node, recipient, sealed } = document;
  return writer().seal(ADMIN, {
    ...db,
    ...{ version, type: 'Opaque', immutable: false, keys: ['password'] },
    ...{ fingerprint: 'a'.repeat(64), sealed: [{ node, recipient, sealed }] },
  });
}

type Sealed = Awaited<ReturnType<typeof sealedSecret>>;

/** All that a node teaches, of these envelopes and versions. */
async function heard(
  node: string,
  has: { kept: readonly Sealed[]; assigned?: readonly AssignedSecret[] },
): Promise<string[]> {
  const asked: string[] = [];
  const kept = has.kept.map(one => one.assigned);
  const assigned = has.assigned ?? kept;
  const questions = {
    ask: async ({ digest }: { digest?: string }) => {
      const found = has.kept.find(one => one.assigned.digest === digest);
      asked.push(`${found?.document.name ?? '?'} ${found?.document.version ?? '?'}`);
      return found?.envelope ?? null;
    },
  };
  const of = { node, assigned, kept };
  const secrets = await fetchSecrets(of, { store, root: () => root, questions, log });
  const mutations = await secretMutations(store, {
    ...{ node, fleet: FLEET, secrets, adopted: [] },
    standing: { secrets: kept },
    said: { document: { secrets: assigned } },
  });
  await store.commit(ADMIN, [...mutations, { type: 'heard', node }]);
  return asked;
}

const secret = async () => (await store.get('Secret', 'default', 'shop.db')) as SecretObject | null;
const sealedFor = async (node: string) =>
  ((await store.get('SealedSecret', 'default', `shop.db.${node}`)) as SealedSecretObject | null)
    ?.spec ?? null;
const next = async (name = 'db') => {
  const of = { namespace: 'default', bundle: 'shop', nodeSelector: null };
  const { versions, versionsAbove } = await writer().sealing(of);
  return (versions[name] ?? versionsAbove) + 1;
};
const refusal = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof RequestError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};
const version = (number: number, change: Parameters<typeof sealedSecret>[0] = {}) =>
  sealedSecret({ ...change, context: { version: number, ...change.context } });

describe('sealed Secrets that a restored hub learns', () => {
  test('the version that a node kept is the hub’s, its envelope published, and the next is above', async () => {
    const third = await version(3);
    assert.deepEqual(await heard('edge-1', { kept: [third] }), ['db 3']);
    assert.equal((await secret())?.spec.version, 3);
    assert.equal((await secret())?.spec.fingerprint, null, 'of its values nobody knows');
    assert.deepEqual((await secret())?.spec.keys, ['password']);
    const { digest } = third.assigned;
    assert.equal((await sealedFor('edge-1'))?.digest, digest);
    const published = await store.publication(topicsOf(FLEET).blob(digest));
    assert.deepEqual(Buffer.from(published?.payload ?? ''), packed('secret', third.envelope));
    assert.equal(await next(), 4);
    assert.match(await refusal(seal(2)), /^Conflict/);
    assert.equal(await refusal(seal(4)), 'accepted');
  });

  test('the hub asks for nothing that it has itself', async () => {
    assert.deepEqual(await heard('edge-1', { kept: [await version(1)] }), []);
    assert.equal((await secret())?.spec.fingerprint, 'a'.repeat(64));
    assert.equal(await next(), 2);
  });

  test('nodes that have different versions keep what they have', async () => {
    const edge2 = { to: sealingKey('edge-2') };
    await heard('edge-1', { kept: [await version(3)] });
    await heard('edge-2', { kept: [await version(2, { ...edge2, context: { node: 'edge-2' } })] });
    assert.equal((await secret())?.spec.version, 3);
    assert.equal((await sealedFor('edge-1'))?.version, 3);
    assert.equal((await sealedFor('edge-2'))?.version, 2);
  });

  test('what was assigned and did not come raises the number alone', async () => {
    const [third, fourth] = [await version(3), await version(4)];
    await heard('edge-1', { kept: [third], assigned: [fourth.assigned] });
    assert.equal((await sealedFor('edge-1'))?.version, 3);
    assert.equal((await secret())?.spec.version, 3);
    assert.equal(await next(), 5);
    assert.match(
      await refusal(seal(3)),
      /^Conflict/,
      'none is added to a version that is not the newest',
    );
  });

  test('one that was deleted stays deleted, with its number', async () => {
    await writer().remove(ADMIN, { namespace: 'default', name: 'shop.db', dryRun: false });
    await store.commit(ADMIN, await endMutations(store, { root: rootDocument(), now: NOW }));
    await heard('edge-1', { kept: [await version(3)] });
    assert.equal(await secret(), null);
    assert.equal(await sealedFor('edge-1'), null);
    assert.ok((await next()) > VERSIONS_LEFT_OUT);
  });

  test('of a bundle that comes back too the Secret comes, of unknown type', async () => {
    await store.commit(ADMIN, [
      { type: 'delete', kind: 'Bundle', namespace: 'default', name: 'shop' },
      { type: 'delete', kind: 'Secret', namespace: 'default', name: 'shop.db' },
      { type: 'delete', kind: 'SecretVersion', namespace: 'default', name: 'shop.db' },
      { type: 'delete', kind: 'SealedSecret', namespace: 'default', name: 'shop.db.edge-1' },
    ]);
    const third = await version(3);
    const secrets = [{ ...third, assigned: third.assigned }];
    const teaching = {
      ...{ node: 'edge-1', fleet: FLEET, secrets },
      standing: { secrets: [third.assigned] },
      said: { document: { secrets: [third.assigned] } },
    };
    const without = await secretMutations(store, { ...teaching, adopted: [] });
    assert.deepEqual(
      without.map(one => one.type === 'put' && one.object.kind),
      ['SecretVersion', 'SecretTrace'],
      'nobody has a use for it; that the node can open it is remembered',
    );
    const object = {
      kind: 'Bundle',
      metadata: { namespace: 'default', name: 'shop' },
      spec: {},
      status: {},
    } as never;
    const adopted = [{ type: 'put', object, expect: 'absent' } as const];
    await store.commit(ADMIN, await secretMutations(store, { ...teaching, adopted }));
    assert.equal((await secret())?.spec.type, '<unknown>');
    assert.equal((await secret())?.spec.version, 3);
    assert.equal((await sealedFor('edge-1'))?.digest, third.assigned.digest);
  });

  test('what no assignment lists any more raises the number alone', async () => {
    assert.deepEqual(await heard('edge-1', { kept: [await version(7)], assigned: [] }), []);
    assert.equal((await secret())?.spec.version, 1);
    assert.equal(await next(), 8);
  });

  test('a node cannot use the numbers up', async () => {
    await heard('edge-1', { kept: [await version(Number.MAX_SAFE_INTEGER)] });
    assert.equal(await next(), 2);
    await heard('edge-2', { kept: [await version(PLAUSIBLE_MAX)], assigned: [] });
    assert.equal(await next(), PLAUSIBLE_MAX + 1);
  });

  test('an envelope counts for its node, its name and with the signature of who seals', async () => {
    const good = await version(3);
    const of = { node: 'edge-1', root };
    assert.ok(returnedSecret(good.envelope, good.assigned, of));
    assert.equal(returnedSecret(good.envelope, good.assigned, { ...of, node: 'edge-2' }), null);
    assert.equal(returnedSecret(good.envelope, { ...good.assigned, version: 4 }, of), null);
    assert.equal(returnedSecret(good.envelope, { ...good.assigned, bundle: 'x' }, of), null);
    const foreign = await version(3, { signer: signer('edge-1') });
    assert.equal(returnedSecret(foreign.envelope, foreign.assigned, of), null);
    assert.equal(returnedSecret(Buffer.from('{}'), good.assigned, of), null);
  });
});

describe('sealed Secrets where nodes were not heard', () => {
  test('nothing is sealed or deleted before the operator ends learning', async () => {
    const gated = gatedSecrets(writer(), store);
    const of = { namespace: 'default', name: 'shop.db', dryRun: false };
    assert.match(await refusal(gated.remove(ADMIN, of)), /^ServiceUnavailable: .*edge-1, edge-2/);
    const nothing = { ...db, version: 2, type: 'Opaque', immutable: false, keys: [] };
    const sealing = gated.seal(ADMIN, { ...nothing, fingerprint: null, sealed: [] });
    assert.match(await refusal(sealing), /^ServiceUnavailable/);
  });

  test('known numbers and unknown ones begin anew far above; a late node is under them', async () => {
    await heard('edge-1', { kept: [await version(3)] });
    await store.commit(ADMIN, await endMutations(store, { root: rootDocument(), now: NOW }));
    assert.equal(await next(), 3 + VERSIONS_LEFT_OUT + 1);
    assert.equal(await next('new'), VERSIONS_LEFT_OUT + 1);
    assert.equal(await refusal(seal(4)).then(text => text.split(':')[0]), 'Conflict');
    assert.equal(await refusal(seal(3 + VERSIONS_LEFT_OUT + 1)), 'accepted');
    const late = await version(9, { to: sealingKey('edge-2'), context: { node: 'edge-2' } });
    assert.deepEqual(await heard('edge-2', { kept: [late] }), ['db 9']);
    assert.equal((await secret())?.spec.version, 3 + VERSIONS_LEFT_OUT + 1);
    assert.equal((await sealedFor('edge-2'))?.version, 9);
    assert.equal(await next('new'), 1, 'everybody was heard');
    assert.equal(await knownVersion(store, 'default', 'shop.new'), 0);
  });
});

describe('a sealing key that a node made after the backup', () => {
  const lesson = (node: string, key: string | null) => ({
    ...{ node, fleet: FLEET, said: null, returned: new Set<string>(), secrets: [], now: NOW },
    standing: {
      ...{ epoch: 1, rootVersion: 1, generation: 0, assignment: null, revisions: [], secrets: [] },
      sealingKey: key,
    },
  });
  const keyAfter = async (node: string, key: string | null) => {
    await store.commit(ADMIN, await lessonMutations(store, lesson(node, key)));
    return (await store.identity(node))?.sealingKey;
  };
  const own = sealingKey('edge-1').publicKey;

  test('counts from then on', async () => {
    const changed = sealingKey('edge-1 changed').publicKey;
    assert.equal(await keyAfter('edge-1', changed), changed);
  });

  test('does not when it is none, no sound one, or another node’s', async () => {
    assert.equal(await keyAfter('edge-1', null), own);
    assert.equal(await keyAfter('edge-1', '0'.repeat(64)), own);
    assert.equal(await keyAfter('edge-1', sealingKey('edge-2').publicKey), own);
  });
});
