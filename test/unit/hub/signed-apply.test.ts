/** The way of a bundle that was signed elsewhere into the store, on the real one: order, refusals, more signatures. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RequestError, type RequestReason } from '../../../hub/ports.js';
import { bundleWriter, type ApplyParts } from '../../../hub/rollout/apply.js';
import type { BundleFile } from '../../../hub/signing/bundle-file.js';
import type { Actor, Store } from '../../../hub/store/store.js';
import { openEnvelope, packed } from '../../../protocol/envelope.js';
import { topicsOf } from '../../../protocol/topics.js';
import { bundleFile } from '../../support/bundle-files.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  FLEET,
  HUB,
  idOf,
  podManifest,
  RELEASE,
  releaseRole,
  ROOT,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';
import { eachOnFreshStore } from '../../support/fresh-store.js';

const ADMIN: Actor = { kind: 'user', name: 'admin' };
const [ANNA, BEN, CARL] = [signer('anna'), signer('ben'), signer('carl')];
const PEOPLE = [ANNA, BEN, CARL];
const NEXT = [podManifest('web', 'web:2')];

describe('apply of what was signed elsewhere', () => {
  let store: Store;
  const root = trustedRoot(
    rootDocument({
      keys: Object.fromEntries([ROOT, HUB, ...PEOPLE].map(s => [idOf(s), s.publicKey])),
      roles: { ...rootDocument().roles, release: [releaseRole(PEOPLE, { threshold: 2 })] },
    }),
    [ROOT],
  );
  const apply = (
    file: BundleFile,
    options: { nodeSelector?: string; dryRun?: boolean; from?: Partial<ApplyParts> } = {},
  ) =>
    bundleWriter({
      ...{ store, root: () => root, releaseSigner: null, clock: REAL_CLOCK },
      ...options.from,
    }).apply(ADMIN, {
      namespace: 'default',
      name: 'shop',
      labels: {},
      annotations: {},
      spec: { nodeSelector: options.nodeSelector ?? '', manifests: file.manifests },
      signed: file,
      expect: 'any',
      dryRun: options.dryRun ?? false,
    });
  const refusal = (reason: RequestReason, pattern: RegExp) => (error: unknown) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, pattern);
    return true;
  };
  const signersAtHub = async (revision: number) => {
    const record = await store.revision('default', 'shop', revision);
    assert.ok(record);
    const opened = openEnvelope(record.envelope, { kind: 'bundle', bytesMax: 1 << 20 });
    assert.ok(opened.ok);
    return opened.value.signatures.map(({ keyid }) => keyid).sort();
  };

  eachOnFreshStore(fresh => (store = fresh));

  test('its number, its digest and its very envelope are the hub’s, and are published', async () => {
    const file = bundleFile([ANNA, BEN], { revision: 7 });
    const { object, outcome } = await apply(file);
    assert.equal(outcome, 'created');
    assert.deepEqual([object.status.revision, object.status.digest], [7, file.digest]);
    const record = await store.revision('default', 'shop', 7);
    assert.equal(record?.createdBy, 'admin');
    assert.deepEqual(await signersAtHub(7), [ANNA, BEN].map(idOf).sort());
    const topics = topicsOf(FLEET);
    const onBroker = await store.publication(topics.blob(file.digest));
    assert.deepEqual(Buffer.from(onBroker?.payload ?? ''), packed('bundle', record.envelope));
    const [entry] = file.document.manifests;
    assert.ok(entry && (await store.publication(topics.blob(entry.digest)))?.payload);
  });

  test('the same again changes nothing; other nodes alone are a change', async () => {
    const file = bundleFile([ANNA, BEN]);
    const first = await apply(file);
    const second = await apply(file);
    assert.equal(second.outcome, 'unchanged');
    assert.equal(second.object.metadata.resourceVersion, first.object.metadata.resourceVersion);
    const third = await apply(file, { nodeSelector: 'site=a' });
    assert.deepEqual([third.outcome, third.object.status.revision], ['configured', 1]);
  });

  test('another signature for what is known is kept beside those that are there', async () => {
    await apply(bundleFile([ANNA, BEN]));
    const { object } = await apply(bundleFile([BEN, CARL]));
    assert.deepEqual(object.status.signedBy, PEOPLE.map(idOf).sort());
    assert.deepEqual(await signersAtHub(1), PEOPLE.map(idOf).sort());
  });

  test('a dry run checks everything and writes nothing', async () => {
    const { outcome } = await apply(bundleFile([ANNA, BEN]), { dryRun: true });
    assert.equal(outcome, 'created');
    assert.equal(await store.get('Bundle', 'default', 'shop'), null);
    const short = apply(bundleFile([ANNA]), { dryRun: true });
    await assert.rejects(short, refusal('Forbidden', /1 of 2 .*BadSignature/));
  });

  test('revisions only grow; numbers may be left out', async () => {
    await apply(bundleFile([ANNA, BEN], { revision: 3 }));
    const five = bundleFile([ANNA, BEN], { revision: 5, pods: NEXT });
    assert.equal((await apply(five)).object.status.revision, 5);
    const four = bundleFile([ANNA, BEN], { revision: 4 });
    await assert.rejects(apply(four), refusal('Conflict', /4 is older than 5.*as revision 6/));
    const three = bundleFile([ANNA, BEN], { revision: 3 });
    await assert.rejects(apply(three), refusal('Conflict', /3 is older than 5/));
  });

  test('another content for a known number is an equivocation, of the newest or of any', async () => {
    await apply(bundleFile([ANNA, BEN], { revision: 1 }));
    await apply(bundleFile([ANNA, BEN], { revision: 2, pods: NEXT }));
    for (const revision of [1, 2]) {
      const other = bundleFile([ANNA, BEN], { revision, pods: [podManifest('evil')] });
      await assert.rejects(apply(other), refusal('Conflict', /Equivocation.*as revision 3/));
    }
    const record = await store.revision('default', 'shop', 2);
    assert.equal(record?.digest, bundleFile([], { revision: 2, pods: NEXT }).digest);
  });

  test('a bundle that was deleted comes back at its number, and counts on', async () => {
    const file = bundleFile([ANNA, BEN], { revision: 2 });
    await apply(file);
    const writer = bundleWriter({
      ...{ store, root: () => root, releaseSigner: null, clock: REAL_CLOCK },
    });
    await writer.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: false });
    const again = await apply(file);
    assert.deepEqual([again.outcome, again.object.status.revision], ['created', 2]);
    const one = bundleFile([ANNA, BEN], { revision: 1 });
    await assert.rejects(apply(one), refusal('Conflict', /older than 2/));
  });

  test('a hub that holds a release key goes on from what was signed elsewhere', async () => {
    const own = trustedRoot();
    const from = { root: () => own, releaseSigner: RELEASE };
    await apply(bundleFile([RELEASE], { revision: 4 }), { from });
    const writer = bundleWriter({ store, clock: REAL_CLOCK, ...from });
    const ask = (image: string) =>
      writer.apply(ADMIN, {
        ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
        spec: { nodeSelector: '', manifests: [podManifest('web', image)] },
        ...{ expect: 'any', dryRun: false },
      });
    assert.equal((await ask('web:1')).outcome, 'unchanged');
    assert.equal((await ask('web:2')).object.status.revision, 5);
  });

  test('a hub without release keys moves a bundle to other nodes, and does nothing else to it', async () => {
    await apply(bundleFile([ANNA, BEN]));
    const writer = bundleWriter({
      ...{ store, root: () => root, releaseSigner: null, clock: REAL_CLOCK },
    });
    const ask = (image: string, nodeSelector: string) =>
      writer.apply(ADMIN, {
        ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
        spec: { nodeSelector, manifests: [podManifest('web', image)] },
        ...{ expect: 'any', dryRun: false },
      });
    assert.equal((await ask('web:1', 'site=a')).outcome, 'configured');
    await assert.rejects(ask('web:2', 'site=a'), refusal('Forbidden', /needs 2 signatures/));
  });
});
