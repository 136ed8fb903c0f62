/**
 * A node joins a hub over real TLS: the honest way to the broker and back, and every kind of server
 * that is not the hub. The servers here write down all that they are sent.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import {
  brokerTlsOptions,
  openBrokerSocket,
  type BrokerTls,
} from '../../agent/membership/hub-tls.js';
import { isJoined, loadIdentity, type StoredIdentity } from '../../agent/membership/identity.js';
import { JoinError, type JoinErrorCode } from '../../agent/membership/join-http.js';
import { joinHub, type JoinRequest } from '../../agent/membership/join.js';
import {
  readTokenFile,
  removeTokenFile,
  tokenFileMode,
} from '../../agent/membership/token-file.js';
import { startBroker } from '../../hub/broker/broker.js';
import { nodeStanding } from '../../hub/enrolment/enrolment.js';
import {
  createAuthority,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
} from '../../hub/setup/pki.js';
import { REQUEST_REASONS, RequestError, type Enrolment } from '../../hub/ports.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import { sha256Hex } from '../../protocol/canonical.js';
import { keyId, rawPublicKey } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import { hubFixture, type HubFixture } from '../support/hub-fixture.js';

interface Recorded {
  readonly port: number;
  readonly url: string;
  /** Each request in full: method, path, headers, body. */
  readonly seen: string[];
  readonly server: Server;
}

type Answer = { readonly status: number; readonly body: Uint8Array | string | null };
type Handler = (method: string, path: string, body: Buffer) => Promise<Answer> | Answer;

const servers: Server[] = [];

async function serve(tls: ServerOptions, handler: Handler): Promise<Recorded> {
  const seen: string[] = [];
  const server = createServer(tls, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const { method = '', url = '' } = request;
      seen.push(`${method} ${url} ${request.rawHeaders.join(' ')} ${body.toString()}`);
      void Promise.resolve(handler(method, url, body)).then(answer => {
        if (answer.body === null) request.socket.destroy();
        else response.writeHead(answer.status).end(answer.body);
      });
    });
  });
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, url: `https://127.0.0.1:${port}`, seen, server };
}

/** The five paths, as the hub's HTTPS server serves them. */
function enrolmentHandler(enrolment: Enrolment): Handler {
  return async (method, path, body) => {
    try {
      const [, digest] = /^\/flotilla\/v1\/root\/([0-9a-f]{64})$/.exec(path) ?? [];
      const [, version] = /^\/flotilla\/v1\/roots\/(\d+)$/.exec(path) ?? [];
      const root = digest
        ? await enrolment.rootByDigest(digest)
        : version
          ? await enrolment.rootByVersion(Number(version))
          : null;
      if (root) return { status: 200, body: root };
      switch (`${method} ${path}`) {
        case 'GET /flotilla/v1/authorities':
          return { status: 200, body: enrolment.authorities() };
        case 'POST /flotilla/v1/nonce':
          return { status: 200, body: JSON.stringify({ nonce: enrolment.nonce() }) };
        case 'POST /flotilla/v1/join':
          return { status: 200, body: await enrolment.join(body, '127.0.0.1') };
        default:
          return { status: 404, body: '{}' };
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const { message, reason } = error;
      const status = { kind: 'Status', status: 'Failure', message, reason };
      return { status: REQUEST_REASONS[reason], body: JSON.stringify(status) };
    }
  };
}

let fixture: HubFixture;
let honest: Recorded;
let directory: string;
let tokenFile: string;

function hubTls({ hub }: HubFixture): ServerOptions {
  return { key: hub.server.key, cert: hub.server.certificate, minVersion: 'TLSv1.3' };
}

async function joinLine(labels: Record<string, string> = {}): Promise<string> {
  const admin = { kind: 'user', name: 'admin' } as const;
  const made = await fixture.enrolment.createToken(admin, { labels, ttlS: 3600 });
  return made.joinLine;
}

function secretOf(line: string): string {
  const secret = line.split(' ')[1]?.split('.')[1];
  assert.ok(secret);
  return secret;
}

function attempt(line: string, options: Partial<JoinRequest> = {}) {
  const { clock } = fixture;
  const dataDir = join(directory, 'agent');
  const hubUrl = honest.url;
  const nodeName = `edge-${directory.slice(-6).toLowerCase()}`;
  return joinHub({ line, hubUrl, nodeName, dataDir, clock, random: randomBytes, ...options });
}

function withCode(code: JoinErrorCode, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof JoinError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

before(async () => {
  fixture = await hubFixture();
  honest = await serve(hubTls(fixture), enrolmentHandler(fixture.enrolment));
});
after(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await fixture.close();
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-join-'));
  tokenFile = join(directory, 'token');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('an honest hub', () => {
  test('joined with umask 000: files 0600, the folder 0700, and the journal is asked first', async () => {
    const line = await joinLine({ site: 'north' });
    const dataDir = join(directory, 'agent');
    let wasJoined: boolean | null = null;
    const umask = process.umask(0);
    const result = await attempt(line, {
      accept: ({ root, assignment }) => {
        wasJoined = isJoined(dataDir);
        assert.equal(root.digest, fixture.init.fingerprint);
        assert.deepEqual(assignment?.document.bundles, []);
      },
    }).finally(() => process.umask(umask));
    assert.equal(wasJoined, false);
    assert.equal(isJoined(dataDir), true);
    const names = ['ca.crt', 'identity.key', 'join.json', 'sealing.key', 'tls.crt', 'tls.key'];
    assert.deepEqual(readdirSync(join(dataDir, 'identity')).sort(), names);
    for (const name of names) {
      assert.equal(statSync(join(dataDir, 'identity', name)).mode & 0o7777, 0o600, name);
    }
    assert.equal(statSync(join(dataDir, 'identity')).mode & 0o7777, 0o700);
    const identity = loadIdentity(dataDir);
    assert.deepEqual(identity?.membership, result.membership);
    assert.equal(identity?.membership.labels['site'], 'north');
    assert.equal(identity?.root.digest, fixture.init.fingerprint);
    const written = readFileSync(join(dataDir, 'identity', 'join.json'), 'utf8');
    assert.equal(written.includes(secretOf(line)), false);
  });

  test('no private key leaves the node', async () => {
    const from = honest.seen.length;
    const dataDir = join(directory, 'agent');
    await attempt(await joinLine());
    const sent = honest.seen.slice(from).join('\n');
    const { keys } = loadIdentity(dataDir) ?? {};
    assert.ok(keys);
    for (const key of [keys.identity, keys.sealing, keys.tls]) {
      const { d } = key.export({ format: 'jwk' });
      assert.ok(d);
      const raw = Buffer.from(d, 'base64url');
      const decoded = sent.replace(/"payload":"([^"]+)"/g, (_, text: string) =>
        Buffer.from(text, 'base64').toString('latin1'),
      );
      for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
        assert.equal(decoded.includes(raw.toString(form)), false);
      }
    }
    assert.ok(sent.includes('POST /flotilla/v1/join'));
  });

  test('with what it got, the node is let in by the broker until the hub forgets it', async () => {
    const dataDir = join(directory, 'agent');
    await attempt(await joinLine());
    const identity = loadIdentity(dataDir);
    assert.ok(identity);
    const { hub, store, log } = fixture;
    const broker = await startBroker({
      listen: { host: '127.0.0.1', port: 0 },
      tls: {
        key: hub.server.key,
        cert: hub.server.certificate,
        ca: hub.authority.certificate,
      },
      fleet: hub.root.document.fleet,
      hubTlsKey: spkiOf(hub.mqtt.certificate).toString('base64'),
      isAllowed: nodeStanding(store),
      log,
    });
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const node = await mqttClient(url, {
      ...brokerTlsOptions(tlsOf(identity), new URL(url)),
      clientId: identity.membership.node,
    });
    const topics = topicsOf(identity.membership.fleet);
    const [grant] = await node.subscribeAsync(topics.node(identity.membership.node, 'assignment'), {
      qos: 1,
    });
    assert.equal(grant?.qos, 1);
    const own = await mqttClient(url, {
      ca: hub.authority.certificate,
      key: hub.mqtt.key,
      cert: hub.mqtt.certificate,
      servername: 'flotilla-hub',
      clientId: 'flotilla-hub',
    });
    const message = new Promise(resolve => node.once('message', (_, payload) => resolve(payload)));
    const topic = topics.node(identity.membership.node, 'assignment');
    await own.publishAsync(topic, 'hello', { qos: 1, retain: true });
    assert.equal(String(await message), 'hello');

    const closed = new Promise<void>(resolve => node.once('close', () => resolve()));
    await store.commit({ kind: 'user', name: 'admin' }, [
      { type: 'dropIdentity', node: identity.membership.node },
    ]);
    broker.disconnectNode(identity.membership.node);
    await closed;
    await assert.rejects(
      mqttClient(url, {
        ...brokerTlsOptions(tlsOf(identity), new URL(url)),
        clientId: identity.membership.node,
      }),
      /Not authorized/,
    );
    own.end(true);
    await broker.close();
  });

  test('an older line still works: the node walks to the newest root', async () => {
    const other = await hubFixture();
    const { store, hub } = other;
    const admin = { kind: 'user', name: 'admin' } as const;
    const { joinLine: line } = await other.enrolment.createToken(admin, { labels: {}, ttlS: 60 });
    assert.ok(hub.rootSigner);
    const next: RootDocument = { ...hub.root.document, version: 2 };
    const envelope = seal('root', next, [hub.rootSigner]);
    const payload = (JSON.parse(envelope.toString()) as { payload: string }).payload;
    const digest = sha256Hex(Buffer.from(payload, 'base64'));
    await store.commit(admin, [{ type: 'root', record: { version: 2, digest, envelope } }]);
    const server = await serve(hubTls(other), enrolmentHandler(other.enrolment));
    const { root } = await attempt(line, { hubUrl: server.url });
    assert.equal(root.document.version, 2);
    await other.close();
  });

  test('the token file is read and removed, and one that cannot be is no error', async () => {
    const read = (path: string) => readTokenFile(path, process.stdin);
    writeFileSync(tokenFile, 'x\n', { mode: 0o600 });
    assert.equal(tokenFileMode(tokenFile), null);
    assert.equal(await read(tokenFile), 'x\n');
    chmodSync(tokenFile, 0o640);
    assert.equal(tokenFileMode(tokenFile), '0640');
    assert.equal(tokenFileMode('/dev/null'), null);
    assert.equal(tokenFileMode('-'), null);
    assert.equal(removeTokenFile(tokenFile), true);
    assert.equal(removeTokenFile(tokenFile), false);
    const missing = withCode('BadLine', /--token-file .*ENOENT.*flotilla token create/);
    await assert.rejects(read(tokenFile), missing);
    await assert.rejects(read(directory), withCode('BadLine', /EISDIR/));
    writeFileSync(tokenFile, 'x'.repeat(20_000));
    await assert.rejects(read(tokenFile), withCode('BadLine', /over 16384 bytes/));
  });

  test('the token is read from standard input to its end', () => {
    const module = new URL('../../agent/membership/token-file.js', import.meta.url).href;
    const script = `import { readTokenFile } from '${module}';
      process.stdout.write(await readTokenFile('-', process.stdin));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      input: 'the line\n',
      encoding: 'utf8',
    });
    assert.equal(stdout, 'the line\n');
  });
});

describe('a second try', () => {
  test('after a lost reply: the same keys, the same certificate', async () => {
    const line = await joinLine();
    const handler = enrolmentHandler(fixture.enrolment);
    let lost: string | null = null;
    const flaky = await serve(hubTls(fixture), async (method, path, body) => {
      const answer = await handler(method, path, body);
      if (path !== '/flotilla/v1/join' || lost !== null) return answer;
      lost = Buffer.from(answer.body ?? '').toString();
      return { status: 200, body: null };
    });
    const failed = withCode('Unreachable', /cannot be reached/);
    await assert.rejects(attempt(line, { hubUrl: flaky.url }), failed);
    const dataDir = join(directory, 'agent');
    assert.equal(isJoined(dataDir), false);
    await attempt(line, { hubUrl: flaky.url });
    const document = (text: string): { certificate: string } =>
      JSON.parse(
        Buffer.from((JSON.parse(text) as { payload: string }).payload, 'base64').toString(),
      ) as { certificate: string };
    assert.equal(loadIdentity(dataDir)?.tls.cert, document(lost ?? '').certificate);
  });

  test('after the journal could not be written', async () => {
    const line = await joinLine();
    const accept = () => Promise.reject(new Error('disk full'));
    await assert.rejects(attempt(line, { accept }), /disk full/);
    assert.equal(isJoined(join(directory, 'agent')), false);
    await attempt(line);
  });

  test('after a refusal, with a new token and the same keys', async () => {
    const bad = (await joinLine()).replace(/\.[0-9a-f]{32} /, `.${'0'.repeat(32)} `);
    const refused = withCode('Refused', /the token is not valid.*flotilla token create/);
    await assert.rejects(attempt(bad), refused);
    const key = () => readFileSync(join(directory, 'agent/identity/identity.key'), 'utf8');
    const first = key();
    await attempt(await joinLine());
    assert.equal(key(), first);
  });

  test('of a member is refused before anything is sent', async () => {
    await attempt(await joinLine());
    const from = honest.seen.length;
    const line = await joinLine();
    await assert.rejects(attempt(line), withCode('AlreadyJoined', /flotilla-agent run/));
    assert.equal(honest.seen.length, from);
  });

  test('with a damaged or open key says which file', async () => {
    const bad = (await joinLine()).replace(/\.[0-9a-f]{32} /, `.${'0'.repeat(32)} `);
    await assert.rejects(attempt(bad), withCode('Refused', /./));
    const path = join(directory, 'agent/identity/tls.key');
    writeFileSync(path, 'torn');
    await assert.rejects(attempt(await joinLine()), /tls\.key: not a private key/);
    rmSync(path);
    writeFileSync(path, 'torn', { mode: 0o644 });
    await assert.rejects(attempt(await joinLine()), /tls\.key has mode 0644/);
  });
});

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
    const failure = await attempt(line, { hubUrl: url }).then(
      () => assert.fail('joined'),
      (error: unknown) => error,
    );
    const sent = server.seen.join('\n');
    const everyForm = [secretOf(line), line.split(' ')[1] ?? '', 'POST '];
    for (const form of everyForm) assert.equal(sent.includes(form), false, form);
    assert.equal(isJoined(join(directory, 'agent')), false);
    return failure;
  }

  test('another hub, with a root of its own (S86)', async () => {
    const other = await hubFixture();
    const line = await joinLine();
    const server = await serve(hubTls(other), enrolmentHandler(other.enrolment));
    const absent = await assertNothingSecret(server, line);
    assert.ok(withCode('WrongRoot', /somebody is in the middle.*Nothing secret/)(absent));
    const own = await other.enrolment.rootByVersion(1);
    const lying = await serve(hubTls(other), () => ({ status: 200, body: own }));
    const differs = await assertNothingSecret(lying, line);
    assert.ok(withCode('WrongRoot', /its hash is not the one/)(differs));
    await other.close();
  });

  test('one in the middle with the true root and authorities, and its own certificate (S78)', async () => {
    const tls = await foreignTls();
    const server = await serve(tls, enrolmentHandler(fixture.enrolment));
    const failure = await assertNothingSecret(server, await joinLine());
    assert.ok(withCode('WrongPin', /somebody is in the middle/)(failure));
    assert.ok(server.seen.length > 0);
  });

  test('one in the middle with the true root and its own authorities (S70)', async () => {
    const { authority, ...tls } = await foreignTls();
    const honestly = enrolmentHandler(fixture.enrolment);
    const server = await serve(tls, (method, path, body) =>
      path === '/flotilla/v1/authorities'
        ? { status: 200, body: authority }
        : honestly(method, path, body),
    );
    const failure = await assertNothingSecret(server, await joinLine());
    assert.ok(withCode('WrongPin', /none of the authorities/)(failure));
  });

  test('a node of the fleet that poses as the hub with its client certificate', async () => {
    await attempt(await joinLine());
    const member = loadIdentity(join(directory, 'agent'));
    assert.ok(member);
    rmSync(join(directory, 'agent'), { recursive: true });
    const tls: ServerOptions = {
      key: member.tls.key,
      cert: tlsOf(member).cert,
      minVersion: 'TLSv1.3',
    };
    const server = await serve(tls, enrolmentHandler(fixture.enrolment));
    const failure = await assertNothingSecret(server, await joinLine());
    assert.ok(withCode('WrongPin', /somebody is in the middle/)(failure));
  });

  test('a second root that does not follow from the first', async () => {
    const { hub, enrolment } = fixture;
    const thief = await hubFixture();
    assert.ok(thief.hub.rootSigner);
    const forged = seal('root', { ...hub.root.document, version: 2 }, [thief.hub.rootSigner]);
    const honestly = enrolmentHandler(enrolment);
    const server = await serve(hubTls(thief), (method, path, body) =>
      path === '/flotilla/v1/roots/2'
        ? { status: 200, body: forged }
        : honestly(method, path, body),
    );
    const failure = await assertNothingSecret(server, await joinLine());
    assert.ok(withCode('WrongRoot', /does not follow/)(failure));
    await thief.close();
  });

  test('TLS 1.2 (S70), a root without end, nobody at all', async () => {
    const old = await serve(
      { ...hubTls(fixture), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
      enrolmentHandler(fixture.enrolment),
    );
    const refused = await assertNothingSecret(old, await joinLine());
    assert.ok(withCode('Unreachable', /cannot be reached/)(refused));
    const endless = await serve(hubTls(fixture), () => ({
      status: 200,
      body: Buffer.alloc(1 << 20),
    }));
    const large = await assertNothingSecret(endless, await joinLine());
    assert.ok(withCode('BadAnswer', /too large/)(large));
    old.server.close();
    const nobody = await assertNothingSecret(old, await joinLine(), 'https://127.0.0.1:1');
    assert.ok(withCode('Unreachable', /cannot be reached: .*ECONNREFUSED/)(nobody));
  });
});

describe('an answer that is not to this request', () => {
  test('an older answer to the same node, and one to another', async () => {
    const honestly = enrolmentHandler(fixture.enrolment);
    let kept: Uint8Array | string | null = null;
    const replaying = await serve(hubTls(fixture), async (method, path, body) => {
      const answer = await honestly(method, path, body);
      if (path !== '/flotilla/v1/join') return answer;
      kept ??= answer.body;
      return { status: 200, body: kept };
    });
    const accept = () => Promise.reject(new Error('not now'));
    const line = await joinLine();
    await assert.rejects(attempt(line, { hubUrl: replaying.url, accept }), /not now/);
    const stale = withCode('BadAnswer', /is not to this request/);
    await assert.rejects(attempt(line, { hubUrl: replaying.url }), stale);
    const elsewhere = attempt(await joinLine(), {
      hubUrl: replaying.url,
      nodeName: 'edge-other',
      dataDir: join(directory, 'other'),
    });
    await assert.rejects(elsewhere, withCode('BadAnswer', /for another node/));
  });
});

describe('the socket to the broker', () => {
  /** What happens to a client that writes at once: the text that the server reads, or the error. */
  async function write(tls: TlsOptions): Promise<string> {
    if (!isJoined(join(directory, 'agent'))) await attempt(await joinLine());
    const member = loadIdentity(join(directory, 'agent'));
    assert.ok(member);
    let read = '';
    const server = createTlsServer(tls, socket => {
      socket.on('error', () => undefined);
      socket.on('data', (data: Buffer) => {
        read += data.toString();
        socket.end();
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const socket = openBrokerSocket(tlsOf(member))(new URL(`mqtts://127.0.0.1:${port}`));
    const outcome = new Promise<string>(resolve => {
      socket.on('error', error => resolve(`${(error as NodeJS.ErrnoException).code}`));
      socket.on('close', () => resolve('closed'));
    });
    socket.resume();
    socket.write('CONNECT');
    const ended = await outcome;
    await new Promise(resolve => server.close(resolve));
    return `${ended} ${read}`;
  }

  test('speaks to the hub', async () => {
    assert.equal(await write(hubTls(fixture)), 'closed CONNECT');
  });

  test('says nothing to another authority, a member of the fleet, TLS 1.2 (S70)', async () => {
    const other = await hubFixture();
    const foreign = await write(hubTls(other));
    assert.match(
      foreign,
      /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|CERT_\w+) $/,
    );
    await other.close();
    const member = loadIdentity(join(directory, 'agent'));
    assert.ok(member);
    const { key, cert } = tlsOf(member);
    assert.match(await write({ key, cert }), /^INVALID_PURPOSE $/);
    const old = await write({ ...hubTls(fixture), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    assert.match(old, /^(EPROTO|ERR_SSL_\w+) $/);
  });
});

describe('refused before a connection is made', () => {
  test('a line or a name that is none', async () => {
    const line = await joinLine();
    await assert.rejects(attempt('hello'), withCode('BadLine', /1 fields instead of three/));
    const plain = attempt(line, { hubUrl: 'http://127.0.0.1' });
    await assert.rejects(plain, withCode('BadLine', /--hub http/));
    for (const nodeName of ['Edge-1', 'a.b', '', 'flotilla-hub']) {
      await assert.rejects(attempt(line, { nodeName }), withCode('BadNodeName', /--node-name/));
    }
    assert.deepEqual(readdirSync(directory), []);
  });

  test('keys of the join are those that the certificate and the hub know', async () => {
    await attempt(await joinLine());
    const identity = loadIdentity(join(directory, 'agent'));
    assert.ok(identity);
    const record = await fixture.store.identity(identity.membership.node);
    assert.equal(record?.identityKey, identity.signer.publicKey);
    assert.equal(identity.nodeKey, keyId(record?.identityKey ?? ''));
    assert.equal(record?.sealingKey, rawPublicKey(identity.keys.sealing));
    const spki = createPublicKey(tlsOf(identity).cert).export({ type: 'spki', format: 'der' });
    assert.equal(record?.tlsKey, spki.toString('base64'));
  });
});

function tlsOf({ tls }: StoredIdentity): BrokerTls {
  const { cert } = tls;
  assert.ok(cert !== null);
  return { ...tls, cert };
}

function mqttClient(url: string, options: IClientOptions): Promise<MqttClient> {
  const client = connect(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });
  return new Promise((resolve, reject) => {
    client.on('connect', () => resolve(client));
    client.on('error', reject);
    client.on('close', () => reject(new Error('hung up')));
  });
}
