/**
 * The agent's side of renewal and rotation, over real TLS: replies that get lost, a process that is
 * cut off at each step, and a server that is not the hub. The keys in force always fit together.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { loadIdentity, type StoredIdentity } from '../../agent/membership/identity.js';
import { JoinError } from '../../agent/membership/join-http.js';
import { joinHub } from '../../agent/membership/join.js';
import { nextTlsKey } from '../../agent/membership/next-keys.js';
import { identityPaths, movePrivateFile } from '../../agent/membership/private-keys.js';
import {
  renewMembership,
  resumeRotation,
  rotateKeys,
  type MemberParts,
} from '../../agent/membership/refresh.js';
import { nodeStanding } from '../../hub/enrolment/enrolment.js';
import { REQUEST_REASONS, RequestError } from '../../hub/ports.js';
import { spkiOf } from '../../hub/setup/pki.js';
import { hubFixture, type HubFixture } from '../support/hub-fixture.js';

let fixture: HubFixture;
let server: Server;
let url: string;
/** Paths whose next reply is lost. */
const lost = new Set<string>();
const seen: string[] = [];
let directory: string;

async function answer(path: string, body: Buffer): Promise<{ status: number; body: Uint8Array }> {
  const { enrolment } = fixture;
  const ok = (text: Uint8Array | string) => ({ status: 200, body: Buffer.from(text) });
  try {
    if (path.startsWith('/flotilla/v1/root/'))
      return ok((await enrolment.rootByDigest(path.slice(18))) ?? '');
    if (path === '/flotilla/v1/authorities') return ok(enrolment.authorities());
    if (path === '/flotilla/v1/nonce') return ok(JSON.stringify({ nonce: enrolment.nonce() }));
    if (path === '/flotilla/v1/join') return ok(await enrolment.join(body, '192.0.2.1'));
    if (path === '/flotilla/v1/renew') return ok(await enrolment.renew(body, '192.0.2.1'));
    if (path === '/flotilla/v1/rotate') return ok(await enrolment.rotate(body, '192.0.2.1'));
    return { status: 404, body: Buffer.from('{}') };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const status = REQUEST_REASONS[error.reason];
    return { status, body: Buffer.from(JSON.stringify({ message: error.message })) };
  }
}

before(async () => {
  fixture = await hubFixture();
  const { key, certificate: cert } = fixture.hub.server;
  server = createServer({ key, cert, minVersion: 'TLSv1.3' }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      seen.push(path);
      void answer(path, Buffer.concat(chunks)).then(({ status, body }) => {
        if (lost.delete(path)) request.socket.destroy();
        else response.writeHead(status).end(body);
      });
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await fixture.close();
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-member-'));
  const nodeName = `m-${randomBytes(4).toString('hex')}`;
  const admin = { kind: 'user', name: 'admin' } as const;
  const { joinLine } = await fixture.enrolment.createToken(admin, { labels: {}, ttlS: 3600 });
  const { clock } = fixture;
  await joinHub({
    ...{ line: joinLine, hubUrl: url, nodeName, dataDir: directory, clock },
    random: randomBytes,
  });
});
afterEach(() => rmSync(directory, { recursive: true }));

function identity(): StoredIdentity {
  const found = loadIdentity(directory);
  assert.ok(found);
  return found;
}

function parts(): MemberParts {
  const own = identity();
  return {
    ...{ dataDir: directory, identity: own, root: own.root, random: randomBytes },
    acceptRoot: () => assert.fail('there is no newer root'),
  };
}

/** What the node would show to the broker is what the hub takes. */
async function assertMember(): Promise<void> {
  const { keys, node, nodeKey, signer } = identity();
  const isGood = nodeStanding(fixture.store);
  assert.ok(await isGood(node, spkiOf(keys.tls).toString('base64')));
  const record = await fixture.store.identity(node);
  assert.equal(record?.identityKey, signer.publicKey);
  assert.equal(nodeKey.length, 64);
  const left = readdirSync(join(directory, 'identity'));
  assert.deepEqual(
    left.filter(name => name.includes('next')),
    [],
  );
  for (const name of left) {
    assert.equal(statSync(join(directory, 'identity', name)).mode & 0o777, 0o600, name);
  }
}

const isLost = (error: unknown) => error instanceof JoinError && error.code === 'Unreachable';

describe('a renewal', () => {
  test('brings another certificate for another key', async () => {
    const { cert } = identity().tls;
    const renewed = await renewMembership(parts());
    assert.notEqual(renewed.tls.cert, cert);
    await assertMember();
  });

  test('whose reply is lost is asked again with the same key', async () => {
    lost.add('/flotilla/v1/renew');
    await assert.rejects(renewMembership(parts()), isLost);
    const key = spkiOf(nextTlsKey(directory)).toString('base64');
    await renewMembership(parts());
    assert.equal(spkiOf(identity().keys.tls).toString('base64'), key);
    await assertMember();
  });

  test('cut off between any two files is whole at the next start', async () => {
    const paths = identityPaths(directory);
    const { key: oldKey, cert: oldCert } = identity().tls;
    await renewMembership(parts());
    const { key, cert } = identity().tls;
    assert.ok(cert !== null && oldCert !== null);
    const put = (path: string, text: string) => writeFileSync(path, text, { mode: 0o600 });
    put(paths.tlsKey, oldKey);
    put(paths.certificate, oldCert);
    put(paths.next.tlsKey, key);
    put(paths.next.certificate, cert);
    assert.equal(identity().tls.cert, cert, 'both files are still to be moved');
    put(paths.certificate, oldCert);
    put(paths.next.certificate, cert);
    assert.equal(identity().tls.cert, cert, 'the key was moved, the certificate was not');
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    put(paths.next.tlsKey, other.export({ type: 'pkcs8', format: 'pem' }).toString());
    put(paths.next.certificate, oldCert);
    assert.equal(identity().tls.cert, cert, 'a certificate of neither key is dropped');
    rmSync(paths.next.tlsKey);
    await assertMember();
  });

  test('asks nobody but the hub: another server gets no signature', async () => {
    const other = await hubFixture();
    const { key, certificate: cert } = other.hub.server;
    const bodies: string[] = [];
    const imposter = createServer({ key, cert }, (request, response) => {
      bodies.push(`${request.method} ${request.url}`);
      const isPem = request.url === '/flotilla/v1/authorities';
      response.writeHead(isPem ? 200 : 404).end(isPem ? other.enrolment.authorities() : '{}');
    });
    await new Promise<void>(resolve => imposter.listen(0, '127.0.0.1', resolve));
    const { port } = imposter.address() as AddressInfo;
    const own = identity();
    const membership = { ...own.membership, hubUrl: `https://127.0.0.1:${port}` };
    await assert.rejects(
      renewMembership({ ...parts(), identity: { ...own, membership } }),
      (error: unknown) => error instanceof JoinError && error.code === 'WrongPin',
    );
    assert.deepEqual(
      bodies.filter(line => line.startsWith('POST')),
      [],
    );
    imposter.closeAllConnections();
    imposter.close();
    await other.close();
  });
});

describe('a rotation', () => {
  test('brings other keys, and keeps the former sealing key for what is sealed to it', async () => {
    const former = identity();
    const rotated = await rotateKeys(parts(), { identity: true });
    assert.notEqual(rotated.nodeKey, former.nodeKey);
    assert.equal(rotated.tls.cert, former.tls.cert);
    await assertMember();
  });

  test('of the sealing key alone keeps the identity', async () => {
    const former = identity();
    const rotated = await rotateKeys(parts(), { identity: false });
    assert.equal(rotated.nodeKey, former.nodeKey);
    assert.notDeepEqual(
      rotated.keys.sealing.export({ type: 'pkcs8', format: 'der' }),
      former.keys.sealing.export({ type: 'pkcs8', format: 'der' }),
    );
    await assertMember();
  });

  test('whose reply is lost is ended by the next try, before or after the hub took it', async () => {
    const former = identity().nodeKey;
    lost.add('/flotilla/v1/rotate');
    await assert.rejects(rotateKeys(parts(), { identity: true }), isLost);
    assert.equal(identity().nodeKey, former, 'not before the hub has said so');
    await resumeRotation(parts());
    assert.notEqual(identity().nodeKey, former);
    await assertMember();
  });

  test('cut off between the two files is ended by the next try', async () => {
    const paths = identityPaths(directory);
    lost.add('/flotilla/v1/rotate');
    await assert.rejects(rotateKeys(parts(), { identity: true }), isLost);
    movePrivateFile(paths.next.sealingKey, paths.sealingKey);
    await resumeRotation(parts());
    await assertMember();
    const record = await fixture.store.identity(identity().node);
    const sealing = identity().keys.sealing;
    assert.equal(record?.sealingKey, spkiOf(sealing).subarray(-32).toString('hex'));
  });

  test('that was not begun is not resumed', async () => {
    const asked = seen.length;
    const own = parts();
    assert.equal(await resumeRotation(own), own.identity);
    assert.equal(seen.length, asked);
  });
});
