/**
 * A node joins a server that is not its hub: whoever stands there learns nothing secret, and an answer counts only for the
 * request that it was made for.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isJoined, loadIdentity } from '../../../agent/membership/identity.js';
import {
  createAuthority,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
} from '../../../hub/setup/pki.js';
import { seal } from '../../../protocol/envelope.js';
import { hubFixture } from '../../support/hub-fixture.js';
import {
  enrolmentHandler,
  hubTls,
  joinWorld,
  secretOf,
  tlsOf,
  withCode,
  type Recorded,
} from '../../support/join-world.js';

const world = joinWorld();

describe('a server that is not the hub learns nothing', () => {
  /** A certificate for the right name and address, by an authority that no root pins. */
  async function foreignTls(): Promise<ServerOptions & { authority: string }> {
    const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const options = { fleet: '0'.repeat(32), random: randomBytes };
    const authority = await createAuthority(newKey(), options);
    const key = newKey();
    const certificate = await issueCertificate(
      authority,
      {
        commonName: 'flotilla-hub',
        organisation: ORGANISATION.hub,
        publicKey: spkiOf(key),
        use: { serverNames: ['flotilla-hub', '127.0.0.1'] },
        notAfter: NO_EXPIRY,
      },
      randomBytes,
    );
    return {
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate,
      minVersion: 'TLSv1.3',
      authority: authority.certificate,
    };
  }

  async function assertNothingSecret(server: Recorded, line: string, url = server.url) {
    const failure = await world.attempt(line, { hubUrl: url }).then(
      () => assert.fail('joined'),
      (error: unknown) => error,
    );
    const sent = server.seen.join('\n');
    const everyForm = [secretOf(line), line.split(' ')[1] ?? '', 'POST '];
    for (const form of everyForm) assert.equal(sent.includes(form), false, form);
    assert.equal(isJoined(join(world.directory, 'agent')), false);
    return failure;
  }

  test('another hub, with a root of its own (S86)', async () => {
    const other = await hubFixture();
    const line = await world.joinLine();
    const server = await world.serve(hubTls(other), enrolmentHandler(other.enrolment));
    const absent = await assertNothingSecret(server, line);
    assert.ok(withCode('WrongRoot', /somebody is in the middle.*Nothing secret/)(absent));
    const own = await other.enrolment.rootByVersion(1);
    const lying = await world.serve(hubTls(other), () => ({ status: 200, body: own }));
    const differs = await assertNothingSecret(lying, line);
    assert.ok(withCode('WrongRoot', /its hash is not the one/)(differs));
    await other.close();
  });

  test('one in the middle with the true root and authorities, and its own certificate (S78)', async () => {
    const tls = await foreignTls();
    const server = await world.serve(tls, enrolmentHandler(world.fixture.enrolment));
    const failure = await assertNothingSecret(server, await world.joinLine());
    assert.ok(withCode('WrongPin', /somebody is in the middle/)(failure));
    assert.ok(server.seen.length > 0);
  });

  test('one in the middle with the true root and its own authorities (S70)', async () => {
    const { authority, ...tls } = await foreignTls();
    const honestly = enrolmentHandler(world.fixture.enrolment);
    const server = await world.serve(tls, (method, path, body) =>
      path === '/flotilla/v1/authorities'
        ? { status: 200, body: authority }
        : honestly(method, path, body),
    );
    const failure = await assertNothingSecret(server, await world.joinLine());
    assert.ok(withCode('WrongPin', /none of the authorities/)(failure));
  });

  test('a node of the fleet that poses as the hub with its client certificate', async () => {
    await world.attempt(await world.joinLine());
    const member = loadIdentity(join(world.directory, 'agent'));
    assert.ok(member);
    rmSync(join(world.directory, 'agent'), { recursive: true });
    const tls: ServerOptions = {
      key: member.tls.key,
      cert: tlsOf(member).cert,
      minVersion: 'TLSv1.3',
    };
    const server = await world.serve(tls, enrolmentHandler(world.fixture.enrolment));
    const failure = await assertNothingSecret(server, await world.joinLine());
    assert.ok(withCode('WrongPin', /somebody is in the middle/)(failure));
  });

  test('a second root that does not follow from the first', async () => {
    const { hub, enrolment } = world.fixture;
    const thief = await hubFixture();
    assert.ok(thief.hub.rootSigner);
    const forged = seal('root', { ...hub.root.document, version: 2 }, [thief.hub.rootSigner]);
    const honestly = enrolmentHandler(enrolment);
    const server = await world.serve(hubTls(thief), (method, path, body) =>
      path === '/flotilla/v1/roots/2'
        ? { status: 200, body: forged }
        : honestly(method, path, body),
    );
    const failure = await assertNothingSecret(server, await world.joinLine());
    assert.ok(withCode('WrongRoot', /does not follow/)(failure));
    await thief.close();
  });

  test('TLS 1.2 (S70), a root without end, nobody at all', async () => {
    const old = await world.serve(
      { ...hubTls(world.fixture), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
      enrolmentHandler(world.fixture.enrolment),
    );
    const refused = await assertNothingSecret(old, await world.joinLine());
    assert.ok(withCode('Unreachable', /cannot be reached/)(refused));
    const endless = await world.serve(hubTls(world.fixture), () => ({
      status: 200,
      body: Buffer.alloc(1 << 20),
    }));
    const large = await assertNothingSecret(endless, await world.joinLine());
    assert.ok(withCode('BadAnswer', /too large/)(large));
    old.server.close();
    const nobody = await assertNothingSecret(old, await world.joinLine(), 'https://127.0.0.1:1');
    assert.ok(withCode('Unreachable', /cannot be reached: .*ECONNREFUSED/)(nobody));
    assert.deepEqual(readdirSync(world.directory), [], 'nothing is left behind');
  });
});

describe('an answer that is not to this request', () => {
  test('an older answer to the same node, and one to another', async () => {
    const honestly = enrolmentHandler(world.fixture.enrolment);
    let kept: Uint8Array | string | null = null;
    const replaying = await world.serve(hubTls(world.fixture), async (method, path, body) => {
      const answer = await honestly(method, path, body);
      if (path !== '/flotilla/v1/join') return answer;
      kept ??= answer.body;
      return { status: 200, body: kept };
    });
    const accept = () => Promise.reject(new Error('not now'));
    const line = await world.joinLine();
    await assert.rejects(world.attempt(line, { hubUrl: replaying.url, accept }), /not now/);
    const stale = withCode('BadAnswer', /is not to this request/);
    await assert.rejects(world.attempt(line, { hubUrl: replaying.url }), stale);
    const elsewhere = world.attempt(await world.joinLine(), {
      hubUrl: replaying.url,
      nodeName: 'edge-other',
      dataDir: join(world.directory, 'other'),
    });
    await assert.rejects(elsewhere, withCode('BadAnswer', /for another node/));
  });
});
