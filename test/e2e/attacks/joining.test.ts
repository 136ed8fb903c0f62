/** Joins that no honest device would ask for, posted to a running hub: S67, S82, S83. The token stays good. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import type { JoinDocument } from '../../../protocol/documents/enrolment.js';
import { seal } from '../../../protocol/envelope.js';
import { rawPublicKey, signerOf } from '../../../protocol/keys.js';
import { freePort } from '../../support/ports.js';
import { Playground } from '../../support/programs.js';

interface Answer {
  readonly code: number;
  readonly body: string;
}

function tlsKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
}

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const p384 = () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ed25519 = () => generateKeyPairSync('ed25519').privateKey;

describe('attacks on joining', () => {
  const play = new Playground();
  let port = 0;
  let line = '';
  let fleet = '';

  // Failures are counted by address: from one alone the hub would soon answer no more.
  let asking = 0;
  const ask = (path: string, body: Buffer | null): Promise<Answer> =>
    new Promise((done, fail) => {
      const ca = readFileSync(play.path('hub/pki/ca.crt'));
      const localAddress = `127.0.0.${2 + (asking++ % 200)}`;
      const method = body === null ? 'GET' : 'POST';
      const asked = request(
        { host: '127.0.0.1', localAddress, port, path, method, ca },
        response => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.on('end', () => done({ code: response.statusCode ?? 0, body: text }));
        },
      );
      asked.on('error', fail);
      asked.end(body ?? undefined);
    });
  const nonce = async () => {
    const { body } = await ask('/flotilla/v1/nonce', Buffer.alloc(0));
    const { nonce: given } = JSON.parse(body) as { nonce?: string };
    assert.match(given ?? '', /^[0-9a-f]{32}$/, body);
    return given ?? '';
  };
  const join = async (
    change: Partial<JoinDocument>,
    forger: KeyObject | null = null,
  ): Promise<Answer> => {
    const identity = ed25519();
    const document: JoinDocument = {
      fleet,
      node: 'thief',
      token: /\b([0-9a-f]{10}\.[0-9a-f]{32})\b/.exec(line)?.[1] ?? '',
      nonce: change.nonce ?? (await nonce()),
      nodeNonce: '12'.repeat(16),
      identityKey: rawPublicKey(identity),
      tlsKey: tlsKeyOf(p256()),
      sealingKey: rawPublicKey(generateKeyPairSync('x25519').privateKey),
      ...change,
    };
    return ask('/flotilla/v1/join', seal('join', document, [signerOf(forger ?? identity)]));
  };

  before(async () => {
    port = await freePort();
    const listen = [
      '--listen',
      `127.0.0.1:${port}`,
      '--mqtt-listen',
      `127.0.0.1:${await freePort()}`,
    ];
    const said = await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    fleet = /fleet +([0-9a-f]{32})/.exec(said)?.[1] ?? '';
    play.startHub();
    await play.hubAnswers();
    line = await play.ok('token', 'create');
  });
  after(() => play.close());

  for (const node of [
    '+',
    '#',
    'a/b',
    '$SYS',
    'Edge-1',
    '\u0435dge-1',
    'a'.repeat(300),
    'flotilla-hub',
  ]) {
    test(`S67: the name ${JSON.stringify(node.slice(0, 12))} is refused`, async () => {
      const { code, body } = await join({ node });
      assert.ok(code === 400 || code === 422, `${code} ${body}`);
      assert.match(body, /node|name/);
      assert.doesNotMatch(body, /nonce/);
    });
  }

  test('S82: keys that are weak, of another kind, or the hub’s own are refused', async () => {
    const hubCertificate = new X509Certificate(readFileSync(play.path('hub/pki/server.crt')));
    const hubKey = hubCertificate.publicKey
      .export({ type: 'spki', format: 'der' })
      .toString('base64');
    const changes: readonly Partial<JoinDocument>[] = [
      { identityKey: `01${'0'.repeat(62)}` },
      { sealingKey: '0'.repeat(64) },
      { tlsKey: tlsKeyOf(rsa()) },
      { tlsKey: tlsKeyOf(p384()) },
      { tlsKey: hubKey },
    ];
    for (const change of changes) {
      const { code, body } = await join(change);
      assert.ok([400, 403, 409, 422].includes(code), `${code} ${body}`);
    }
  });

  test('S82: the hub makes the certificate from its own template, whatever was asked', async () => {
    const spare = await play.ok('token', 'create');
    const token = /\b([0-9a-f]{10}\.[0-9a-f]{32})\b/.exec(spare)?.[1] ?? '';
    const { code, body } = await join({ token, node: 'honest' });
    assert.ok(code === 200 || code === 201, `${code} ${body}`);
    const envelope = JSON.parse(body) as { payload: string };
    const payload = Buffer.from(envelope.payload, 'base64').toString('utf8');
    const { certificate } = JSON.parse(payload) as { certificate: string };
    const made = new X509Certificate(certificate);
    assert.equal(made.ca, false);
    assert.match(made.subject, /CN=honest/);
    assert.deepEqual(made.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'client authentication alone');
    assert.equal(made.subjectAltName, undefined);
  });

  test('S83: a missing proof of possession, an old and a foreign nonce are refused', async () => {
    assert.equal((await join({}, ed25519())).code, 403);
    assert.equal((await join({ nonce: '0'.repeat(32) })).code, 400);
    const once = await nonce();
    assert.notEqual((await join({ nonce: once, node: '+' })).code, 201);
    const again = await join({ nonce: once, node: 'Edge' });
    assert.ok(again.code >= 400, again.body);
  });

  test('after all that the token joins the honest device', async () => {
    const { code, body } = await join({ node: 'edge-1' });
    assert.ok(code === 200 || code === 201, `${code} ${body}`);
  });
});
