/**
 * A node joins an honest hub over real TLS: what it keeps, what never leaves it, the broker that lets it in, and a second try
 * after anything that went wrong.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { brokerTlsOptions } from '../../../agent/membership/hub-tls.js';
import { isJoined, loadIdentity } from '../../../agent/membership/identity.js';
import {
  readTokenFile,
  removeTokenFile,
  tokenFileMode,
} from '../../../agent/membership/token-file.js';
import { startBroker } from '../../../hub/broker/broker.js';
import { nodeStanding } from '../../../hub/enrolment/enrolment.js';
import { spkiOf } from '../../../hub/setup/pki.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import { sha256Hex } from '../../../protocol/canonical.js';
import { keyId, rawPublicKey } from '../../../protocol/keys.js';
import { topicsOf } from '../../../protocol/topics.js';
import { hubFixture } from '../../support/hub-fixture.js';
import {
  enrolmentHandler,
  hubTls,
  joinWorld,
  secretOf,
  tlsOf,
  withCode,
} from '../../support/join-world.js';

const world = joinWorld();

describe('an honest hub', () => {
  test('joined with umask 000: files 0600, the folder 0700, and the journal is asked first', async () => {
    const line = await world.joinLine({ site: 'north' });
    const dataDir = join(world.directory, 'agent');
    let wasJoined: boolean | null = null;
    const umask = process.umask(0);
    const result = await world
      .attempt(line, {
        accept: ({ root, assignment }) => {
          wasJoined = isJoined(dataDir);
          assert.equal(root.digest, world.fixture.init.fingerprint);
          assert.deepEqual(assignment?.document.bundles, []);
        },
      })
      .finally(() => process.umask(umask));
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
    assert.equal(identity?.root.digest, world.fixture.init.fingerprint);
    const written = readFileSync(join(dataDir, 'identity', 'join.json'), 'utf8');
    assert.equal(written.includes(secretOf(line)), false);
  });

  test('no private key leaves the node', async () => {
    const from = world.honest.seen.length;
    const dataDir = join(world.directory, 'agent');
    await world.attempt(await world.joinLine());
    const sent = world.honest.seen.slice(from).join('\n');
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
    const dataDir = join(world.directory, 'agent');
    await world.attempt(await world.joinLine());
    const identity = loadIdentity(dataDir);
    assert.ok(identity);
    const { hub, store, log } = world.fixture;
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
    const server = await world.serve(hubTls(other), enrolmentHandler(other.enrolment));
    const { root } = await world.attempt(line, { hubUrl: server.url });
    assert.equal(root.document.version, 2);
    await other.close();
  });

  test('the token file is read and removed, and one that cannot be is no error', async () => {
    const read = (path: string) => readTokenFile(path, process.stdin);
    writeFileSync(world.tokenFile, 'x\n', { mode: 0o600 });
    assert.equal(tokenFileMode(world.tokenFile), null);
    assert.equal(await read(world.tokenFile), 'x\n');
    chmodSync(world.tokenFile, 0o640);
    assert.equal(tokenFileMode(world.tokenFile), '0640');
    assert.equal(tokenFileMode('/dev/null'), null);
    assert.equal(tokenFileMode('-'), null);
    assert.equal(removeTokenFile(world.tokenFile), true);
    assert.equal(removeTokenFile(world.tokenFile), false);
    const missing = withCode('BadLine', /--token-file .*ENOENT.*flotilla token create/);
    await assert.rejects(read(world.tokenFile), missing);
    await assert.rejects(read(world.directory), withCode('BadLine', /EISDIR/));
    writeFileSync(world.tokenFile, 'x'.repeat(20_000));
    await assert.rejects(read(world.tokenFile), withCode('BadLine', /over 16384 bytes/));
  });

  test('the token is read from standard input to its end', () => {
    const module = new URL('../../../agent/membership/token-file.js', import.meta.url).href;
    const script = `import { readTokenFile } from '${module}';
      process.stdout.write(await readTokenFile('-', process.stdin));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      input: 'the line\n',
      encoding: 'utf8',
    });
    assert.equal(stdout, 'the line\n');
  });

  test('keys of the join are those that the certificate and the hub know', async () => {
    await world.attempt(await world.joinLine());
    const identity = loadIdentity(join(world.directory, 'agent'));
    assert.ok(identity);
    const record = await world.fixture.store.identity(identity.membership.node);
    assert.equal(record?.identityKey, identity.signer.publicKey);
    assert.equal(identity.nodeKey, keyId(record?.identityKey ?? ''));
    assert.equal(record?.sealingKey, rawPublicKey(identity.keys.sealing));
    const spki = createPublicKey(tlsOf(identity).cert).export({ type: 'spki', format: 'der' });
    assert.equal(record?.tlsKey, spki.toString('base64'));
  });
});

describe('a second try', () => {
  test('after a lost reply: the same keys, the same certificate', async () => {
    const line = await world.joinLine();
    const handler = enrolmentHandler(world.fixture.enrolment);
    let lost: string | null = null;
    const flaky = await world.serve(hubTls(world.fixture), async (method, path, body) => {
      const answer = await handler(method, path, body);
      if (path !== '/flotilla/v1/join' || lost !== null) return answer;
      lost = Buffer.from(answer.body ?? '').toString();
      return { status: 200, body: null };
    });
    const failed = withCode('Unreachable', /cannot be reached/);
    await assert.rejects(world.attempt(line, { hubUrl: flaky.url }), failed);
    const dataDir = join(world.directory, 'agent');
    assert.equal(isJoined(dataDir), false);
    await world.attempt(line, { hubUrl: flaky.url });
    const document = (text: string): { certificate: string } =>
      JSON.parse(
        Buffer.from((JSON.parse(text) as { payload: string }).payload, 'base64').toString(),
      ) as { certificate: string };
    assert.equal(loadIdentity(dataDir)?.tls.cert, document(lost ?? '').certificate);
  });

  test('after the journal could not be written', async () => {
    const line = await world.joinLine();
    const accept = () => Promise.reject(new Error('disk full'));
    await assert.rejects(world.attempt(line, { accept }), /disk full/);
    assert.equal(isJoined(join(world.directory, 'agent')), false);
    await world.attempt(line);
  });

  test('after a refusal, with a new token and the same keys', async () => {
    const bad = (await world.joinLine()).replace(/\.[0-9a-f]{32} /, `.${'0'.repeat(32)} `);
    const refused = withCode('Refused', /the token is not valid.*flotilla token create/);
    await assert.rejects(world.attempt(bad), refused);
    const key = () => readFileSync(join(world.directory, 'agent/identity/identity.key'), 'utf8');
    const first = key();
    await world.attempt(await world.joinLine());
    assert.equal(key(), first);
  });

  test('of a member is refused before anything is sent', async () => {
    await world.attempt(await world.joinLine());
    const from = world.honest.seen.length;
    const line = await world.joinLine();
    await assert.rejects(world.attempt(line), withCode('AlreadyJoined', /flotilla-agent run/));
    assert.equal(world.honest.seen.length, from);
  });

  test('with a damaged or open key says which file', async () => {
    const bad = (await world.joinLine()).replace(/\.[0-9a-f]{32} /, `.${'0'.repeat(32)} `);
    await assert.rejects(world.attempt(bad), withCode('Refused', /./));
    const path = join(world.directory, 'agent/identity/tls.key');
    writeFileSync(path, 'torn');
    await assert.rejects(world.attempt(await world.joinLine()), /tls\.key: not a private key/);
    rmSync(path);
    writeFileSync(path, 'torn', { mode: 0o644 });
    await assert.rejects(world.attempt(await world.joinLine()), /tls\.key has mode 0644/);
  });
});

function mqttClient(url: string, options: IClientOptions): Promise<MqttClient> {
  const client = connect(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });
  return new Promise((resolve, reject) => {
    client.on('connect', () => resolve(client));
    client.on('error', reject);
    client.on('close', () => reject(new Error('hung up')));
  });
}
