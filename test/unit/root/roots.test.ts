/** The way of a root through the hub: refused as a node refuses it, taken whole or not at all, twice without harm; keys that lie here. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { openEnvelope, packed, seal } from '../../../protocol/envelope.js';
import { keyId, rawPublicKey, type Signer } from '../../../protocol/keys.js';
import { topicsOf } from '../../../protocol/topics.js';
import { nextRootOf, type RootChanges } from '../../../hub/root/edit.js';
import { LiveHub } from '../../../hub/root/live-hub.js';
import { Roots } from '../../../hub/root/roots.js';
import { assignmentOf } from '../../../hub/rollout/director.js';
import { startController, type Controller } from '../../../hub/rollout/controller.js';
import { generatePrivateKey } from '../../../hub/setup/keys.js';
import { loadHub } from '../../../hub/setup/load.js';
import { RequestError } from '../../../hub/ports.js';
import type { Actor } from '../../../hub/store/store.js';
import { signer } from '../../support/fleet.js';
import { hubFixture, type HubFixture } from '../../support/hub-fixture.js';
import { enrolMember, memberRecord } from '../../support/member.js';

const ADMIN: Actor = { kind: 'user', name: 'ada' };
const NODE = 'edge-1';

describe('a root at the hub', () => {
  let hub: HubFixture;
  let live: LiveHub;
  let controller: Controller;
  let roots: Roots;
  let keysChanged = 0;

  before(async () => {
    hub = await hubFixture();
    live = new LiveHub(hub.hub);
    const { store, clock, log } = hub;
    const { hubSigner } = live.view();
    controller = startController({ store, root: () => live.root(), hubSigner, clock, log });
    const onKeysChanged = () => void keysChanged++;
    roots = new Roots({
      ...{ store, live, controller, clock, log, onKeysChanged, random: randomBytes },
      brokerFault: () => Promise.resolve(null),
    });
    const identityKey = rawPublicKey(generatePrivateKey('ed25519'));
    await enrolMember({ store, controller }, memberRecord(NODE, { identityKey }));
  });
  after(async () => {
    await controller.close();
    await hub.close();
  });

  const rootSigner = (): Signer => {
    const { rootSigner: found } = live.now();
    assert.ok(found);
    return found;
  };
  const next = (changes: Partial<RootChanges> = {}, from: RootDocument = live.root().document) =>
    nextRootOf(from, {
      issued: new Date(Date.parse(from.issued) + 1).toISOString(),
      expires: from.expires,
      ...changes,
    });
  const publish = (document: RootDocument, ...signers: readonly Signer[]) =>
    roots.publish(ADMIN, seal('root', document, signers.length > 0 ? signers : [rootSigner()]), {
      dryRun: false,
    });
  const refused = (reason: string, message: RegExp) => (error: unknown) =>
    error instanceof RequestError && error.reason === reason && message.test(error.message);

  const REFUSED: [string, () => Promise<unknown>, string, RegExp][] = [
    [
      'S12: signed by the hub',
      () => publish(next(), live.now().hubSigner),
      'Invalid',
      /^BadSignature/,
    ],
    [
      'S12: signed by a stranger',
      () => publish(next(), signer('stranger')),
      'Invalid',
      /^BadSignature/,
    ],
    ['S13: one left out', () => publish({ ...next(), version: 3 }), 'Invalid', /^RootRequired/],
    ['S18: a lower epoch', () => publish({ ...next(), epoch: 0 }), 'Invalid', /^Rollback/],
    [
      'of another fleet',
      () => publish({ ...next(), fleet: '0'.repeat(32) }),
      'Invalid',
      /^WrongFleet/,
    ],
    [
      'under which this hub could not sign',
      () =>
        publish(
          next({
            replaceKeys: [
              { old: keyId(live.now().hubSigner.publicKey), by: signer('x').publicKey },
            ],
          }),
        ),
      'Conflict',
      /could not go on under root 2.*another hub key/,
    ],
    [
      'that does not pin its authority',
      () => publish({ ...next(), tls: ['ab'.repeat(32)] }),
      'Conflict',
      /not pinned by root 2/,
    ],
  ];
  for (const [sentence, attempt, reason, message] of REFUSED) {
    test(`is refused: ${sentence}`, async () => {
      await assert.rejects(attempt, refused(reason, message));
      assert.equal(live.root().document.version, 1);
      assert.equal((await hub.store.root())?.version, 1);
    });
  }

  test('a dry run says what would be, and writes nothing', async () => {
    const bytes = seal('root', next({ floors: { 'a/b': 2 } }), [rootSigner()]);
    const { spec } = await roots.publish(ADMIN, bytes, { dryRun: true });
    assert.equal(spec.version, 2);
    assert.equal((await hub.store.root())?.version, 1);
  });

  test('is stored, published under both topics, and in its file; the same again changes nothing', async () => {
    const document = next({ floors: { 'a/b': 2 } });
    await publish(document);
    const topics = topicsOf(document.fleet);
    const newest = await hub.store.root();
    for (const topic of [topics.root(), topics.root(2)]) {
      const publication = await hub.store.publication(topic);
      assert.ok(publication?.payload && newest);
      assert.deepEqual(Buffer.from(publication.payload), packed('root', newest.envelope));
    }
    assert.equal(loadHub(hub.dataDir).root.digest, newest?.digest);
    const number = await hub.store.lastPublication();
    await publish(document, signer('x'), live.now().rootSigner as Signer);
    assert.equal(await hub.store.lastPublication(), number);
    assert.equal((await hub.store.get('Event', 'default', 'root.2'))?.kind, 'Event');
  });

  test('a crash between the store and the file is made good at the start, each step checked', async () => {
    const file = join(hub.dataDir, 'root.json');
    const former = readFileSync(file);
    await publish(next({ floors: { 'a/b': 3 } }));
    await publish(next({ floors: { 'a/b': 4 } }));
    writeFileSync(file, former);
    const started = new LiveHub(loadHub(hub.dataDir));
    assert.equal(started.root().document.version, 2);
    await started.catchUp(hub.store);
    assert.equal(started.root().digest, live.root().digest);
    assert.equal(loadHub(hub.dataDir).root.digest, live.root().digest);
  });

  test('the hub key rotates in two roots; the new one signs, the old file goes, the link is told', async () => {
    const before = live.now().hubSigner.publicKey;
    const {
      key,
      roots: versions,
      dropped,
    } = await roots.rotate(ADMIN, { role: 'hub', prepare: false });
    assert.equal(versions.length, 2);
    const { hubSigner } = live.now();
    assert.equal(hubSigner.publicKey, key?.publicKey);
    assert.notEqual(hubSigner.publicKey, before);
    assert.deepEqual(live.root().document.roles.hub.keys, [key?.id]);
    assert.equal(keysChanged, 1, 'the second root changes no key that is in use');
    const held = readdirSync(join(hub.dataDir, 'keys')).filter(name => name.startsWith('hub'));
    assert.deepEqual([held.length, dropped], [1, []]);
    const listed = await hub.store.root(versions[0]);
    assert.ok(listed, 'the root that lists both is kept for nodes that were away');
  });

  test('root and release keys rotate in one root each; nothing of the old ones is left', async () => {
    const { releaseSigner } = live.now();
    for (const role of ['release', 'root'] as const) {
      const { roots: versions, dropped } = await roots.rotate(ADMIN, { role, prepare: false });
      assert.deepEqual([versions.length, dropped], [1, [`keys/${role}.key`]]);
    }
    const { document } = live.root();
    assert.equal(document.development, true);
    assert.equal(Object.hasOwn(document.keys, keyId(releaseSigner?.publicKey ?? '')), false);
    assert.equal(loadHub(hub.dataDir).root.digest, live.root().digest, 'it starts again');
  });

  test('a new epoch begins every assignment at generation 1, under the new root', async () => {
    const before = await hub.store.assignment(NODE);
    assert.ok(before && before.generation > 1, 'each root before signed it anew');
    await publish(next({ raiseEpoch: true }));
    const record = await hub.store.assignment(NODE);
    assert.ok(record);
    const { epoch, generation, rootVersion } = assignmentOf(record);
    const { version } = live.root().document;
    assert.deepEqual([epoch, generation, rootVersion], [before.epoch + 1, 1, version]);
    const opened = openEnvelope(record.envelope, { kind: 'assignment', bytesMax: 1 << 20 });
    assert.ok(opened.ok);
    assert.equal(opened.value.signatures[0]?.keyid, keyId(live.now().hubSigner.publicKey));
  });

  test('says whose keys lie here, and warns of those that are of no use', async () => {
    const { document } = live.root();
    const people = signer('alice');
    const release = document.roles.release.flatMap(({ keys }) => keys)[0] ?? '';
    const own = document.roles.root.keys[0] ?? '';
    const replaceKeys = [
      { old: own, by: people.publicKey },
      { old: release, by: signer('rita').publicKey },
    ];
    await publish(next({ replaceKeys }), rootSigner(), people);
    const { spec, status } = await roots.current();
    assert.equal(spec.development, false);
    assert.deepEqual([status.signsRoots, status.held.map(({ role }) => role)], [false, ['hub']]);
    assert.match(status.warnings.join('\n'), /private release and root keys .*hub drop-keys/);
    await assert.rejects(
      () => roots.rotate(ADMIN, { role: 'hub', prepare: false }),
      refused('Forbidden', /signed where they are/),
    );
    const one = await roots.rotate(ADMIN, { role: 'hub', prepare: true });
    const two = await roots.rotate(ADMIN, { role: 'hub', prepare: true });
    assert.deepEqual(one.key, two.key, 'asking again makes no second key');
  });
});
