/** The hub's TLS authority is replaced in phases: each call goes on from where things stand, whatever was cut off before. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { parse } from 'yaml';
import { seal } from '../../../protocol/envelope.js';
import { rawPublicKey } from '../../../protocol/keys.js';
import { nodeCertificate } from '../../../hub/enrolment/answer.js';
import { nextRootOf, type RootChanges } from '../../../hub/root/edit.js';
import { LiveHub } from '../../../hub/root/live-hub.js';
import { Roots } from '../../../hub/root/roots.js';
import { startController, type Controller } from '../../../hub/rollout/controller.js';
import { hubPaths } from '../../../hub/setup/config.js';
import { generatePrivateKey } from '../../../hub/setup/keys.js';
import { loadHub } from '../../../hub/setup/load.js';
import { settleTls } from '../../../hub/setup/next-tls.js';
import { issuedByAny, pinOf } from '../../../hub/setup/pki.js';
import { RequestError } from '../../../hub/ports.js';
import type { Actor } from '../../../hub/store/store.js';
import { signer } from '../../support/fleet.js';
import { hubFixture, type HubFixture } from '../../support/hub-fixture.js';
import { enrolMember, memberRecord } from '../../support/member.js';

const ADMIN: Actor = { kind: 'user', name: 'ada' };
const NODE = 'edge-1';
const BEGIN = { role: 'tls', prepare: false } as const;
const FINISH = { ...BEGIN, finish: true } as const;

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof RequestError && error.reason === 'Conflict' && message.test(error.message);

describe('key rotate tls', () => {
  let hub: HubFixture;
  let live: LiveHub;
  let controller: Controller;
  let roots: Roots;
  let keysChanged = 0;
  let brokerFaults: Partial<Record<'next' | 'current', string>> = {};

  /** As after a start: all is read from the disk. */
  const start = async () => {
    const { store, clock, log } = hub;
    live = new LiveHub(loadHub(hub.dataDir));
    await live.catchUp(store);
    settleTls(live.now());
    roots = new Roots({
      ...{ store, live, controller, clock, log, random: randomBytes },
      onKeysChanged: () => void keysChanged++,
      brokerFault: which => Promise.resolve(brokerFaults[which] ?? null),
    });
  };
  const tlsKey = () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  };
  const renewed = async () => {
    const { store, clock } = hub;
    const parts = { hub: live.now(), clock, random: randomBytes };
    const before = await store.identity(NODE);
    assert.ok(before);
    const key = tlsKey();
    const certificate = await nodeCertificate(parts, { node: NODE, tlsKey: key });
    const record = { ...before, tlsKey: key, certificate };
    await store.commit(ADMIN, [{ type: 'identity', expect: before, record }]);
  };
  const publish = (changes: Partial<RootChanges>, by = live.now().rootSigner) => {
    const from = live.root().document;
    const issued = new Date(Date.parse(from.issued) + 1).toISOString();
    const document = nextRootOf(from, { issued, expires: from.expires, ...changes });
    assert.ok(by);
    return roots.publish(ADMIN, seal('root', document, [by]), { dryRun: false });
  };
  const issuerOf = (certificate: string) => {
    const { authorities, nextTls } = live.now();
    const all = [authorities, nextTls?.authority.certificate ?? ''].join('');
    const pems = all.split(/(?=-----BEGIN)/).filter(pem => pem !== '');
    const found = pems.find(pem => issuedByAny(new X509Certificate(certificate), pem));
    return found === undefined ? null : pinOf(found);
  };
  const kubeconfig = () => {
    const text = readFileSync(hubPaths(hub.dataDir).kubeconfig, 'utf8');
    const config = parse(text) as {
      clusters: [{ cluster: Record<string, string> }];
      users: [{ user: Record<string, string> }];
    };
    const decoded = (base64 = '') => Buffer.from(base64, 'base64').toString();
    return {
      authorities: decoded(config.clusters[0].cluster['certificate-authority-data']),
      certificate: decoded(config.users[0].user['client-certificate-data']),
    };
  };

  before(async () => {
    hub = await hubFixture();
    const { store, clock, log } = hub;
    live = new LiveHub(hub.hub);
    const { hubSigner } = live.view();
    controller = startController({ store, root: () => live.root(), hubSigner, clock, log });
    await start();
    const identityKey = rawPublicKey(generatePrivateKey('ed25519'));
    const parts = { hub: live.now(), clock, random: randomBytes };
    const key = tlsKey();
    const certificate = await nodeCertificate(parts, { node: NODE, tlsKey: key });
    const record = memberRecord(NODE, { identityKey, tlsKey: key, certificate });
    await enrolMember({ store, controller }, record);
  });
  beforeEach(() => {
    keysChanged = 0;
    brokerFaults = {};
  });
  after(async () => {
    await controller.close();
    await hub.close();
  });

  test('nothing can be finished that was not begun', async () => {
    await assert.rejects(roots.rotate(ADMIN, FINISH), refused(/is not being changed/));
  });

  test('a broker that would not take the new certificates is waited for, and nothing is published', async () => {
    brokerFaults = { next: 'unknown ca' };
    await assert.rejects(roots.rotate(ADMIN, BEGIN), refused(/unknown ca.*broker\/ca\.crt/));
    const { spec, status } = await roots.current();
    assert.deepEqual([spec.version, spec.tls.length, status.tls?.phase], [1, 1, 'prepared']);
    await assert.rejects(roots.rotate(ADMIN, FINISH), refused(/root 1 does not pin the next/));
    const pin = status.tls?.nextPin ?? '';
    await assert.rejects(publish({ addTlsPins: [pin] }), refused(/unknown ca/));
    await start();
    assert.equal((await roots.current()).status.tls?.nextPin, pin, 'the same after a start');
  });

  test('a root pins both; nodes get certificates of the next, the servers show the former', async () => {
    const former = live.now().authority.certificate;
    const { roots: versions, tls } = await roots.rotate(ADMIN, BEGIN);
    assert.deepEqual([versions, tls?.phase, tls?.nodes.behind], [[2], 'announced', [NODE]]);
    assert.deepEqual(live.root().document.tls, [tls?.formerPin, tls?.nextPin]);
    assert.equal(keysChanged, 1);
    assert.equal(issuerOf(live.now().server.certificate), pinOf(former));
    assert.equal(kubeconfig().authorities, live.now().authorities);
    assert.equal(issuerOf(kubeconfig().certificate), tls?.nextPin);
    const again = await roots.rotate(ADMIN, BEGIN);
    assert.deepEqual([again.roots, again.tls], [[], tls], 'called again it says where it stands');
  });

  test('it is not finished while a node is behind', async () => {
    await assert.rejects(roots.rotate(ADMIN, FINISH), refused(/1 of 1 nodes .*edge-1.*--force/));
    await renewed();
    assert.deepEqual((await roots.current()).status.tls?.nodes.behind, []);
  });

  test('nor by a root that drops the former pin before the servers show the next', async () => {
    const { formerPin = '' } = (await roots.current()).status.tls ?? {};
    await assert.rejects(publish({ removeTlsPins: [formerPin] }), refused(/rotate tls --finish/));
  });

  test('cut off at any file, the installation is ended by the next start', async () => {
    const { nextTls } = hubPaths(hub.dataDir);
    const files = readdirSync(nextTls, { recursive: true, withFileTypes: true }).filter(entry =>
      entry.isFile(),
    );
    for (let moved = 0; moved <= files.length; moved++) {
      const copy = join(hub.directory, `cut-${moved}`);
      cpSync(hub.dataDir, copy, { recursive: true });
      const paths = hubPaths(copy);
      cpSync(paths.certificates.authority, paths.certificates.formerAuthority);
      writeFileSync(paths.nextTlsMark, '');
      for (const { name, parentPath } of files.slice(0, moved)) {
        const below = join(parentPath.slice(nextTls.length), name);
        renameSync(join(paths.nextTls, below), join(copy, below));
      }
      const loaded = loadHub(copy);
      assert.equal(loaded.authority.certificate, live.now().nextTls?.authority.certificate);
      assert.equal(loaded.formerAuthority, live.now().authority.certificate);
      assert.equal(existsSync(paths.nextTls), false);
    }
  });

  test('the servers show the next; a broker that does not yet keeps the former pinned', async () => {
    brokerFaults = { current: 'self-signed certificate' };
    await assert.rejects(roots.rotate(ADMIN, FINISH), refused(/broker\/server\.crt/));
    const { status, spec } = await roots.current();
    assert.deepEqual([status.tls?.phase, spec.tls.length, keysChanged], ['switched', 2, 1]);
    assert.equal(issuerOf(live.now().server.certificate), status.tls?.nextPin);
    await start();
    assert.equal((await roots.current()).status.tls?.phase, 'switched');
  });

  test('the last root pins the next alone, and nothing of the former is left', async () => {
    const { nextPin } = (await roots.current()).status.tls ?? {};
    const { roots: versions, tls } = await roots.rotate(ADMIN, FINISH);
    assert.deepEqual([versions, tls], [[3], null]);
    assert.deepEqual(live.root().document.tls, [nextPin]);
    const paths = hubPaths(hub.dataDir);
    assert.equal(existsSync(paths.certificates.formerAuthority), false);
    assert.equal(existsSync(paths.nextTls), false);
    assert.deepEqual(
      [kubeconfig().authorities, live.now().authorities],
      [live.now().authority.certificate, live.now().authority.certificate],
    );
    await start();
    assert.equal((await roots.current()).status.tls, null);
  });

  test('where the root keys are elsewhere the roots are made there; forced it goes on without a node', async () => {
    const people = signer('alice');
    const own = live.root().document.roles.root.keys[0] ?? '';
    const replaceKeys = [{ old: own, by: people.publicKey }];
    const from = live.root().document;
    const issued = new Date(Date.parse(from.issued) + 1).toISOString();
    const document = nextRootOf(from, { issued, expires: from.expires, replaceKeys });
    const by = live.now().rootSigner;
    assert.ok(by);
    await roots.publish(ADMIN, seal('root', document, [by, people]), { dryRun: false });

    const { roots: none, tls } = await roots.rotate(ADMIN, BEGIN);
    assert.deepEqual([none, tls?.phase], [[], 'prepared']);
    await publish({ addTlsPins: [tls?.nextPin ?? ''] }, people);
    assert.equal((await roots.current()).status.tls?.phase, 'announced');
    const forced = await roots.rotate(ADMIN, { ...FINISH, force: true });
    assert.deepEqual([forced.roots, forced.tls?.phase], [[], 'switched']);
    await publish({ removeTlsPins: [tls?.formerPin ?? ''] }, people);
    assert.equal((await roots.current()).status.tls, null);
    assert.deepEqual(live.root().document.tls, [tls?.nextPin]);
  });
});
