/**
 * Enrolment against a real store: what a token lets in, once; what is refused with which reason;
 * what stays of a refused join (nothing). Rows name the attacks of the security page.
 */
import assert from 'node:assert/strict';
import {
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createEnrolment, nodeStanding } from '../../../hub/enrolment/enrolment.js';
import { peerOf, spkiOf } from '../../../hub/setup/pki.js';
import { RequestError, type Enrolment, type RequestReason } from '../../../hub/ports.js';
import type { Actor } from '../../../hub/store/store.js';
import type { JoinDocument, JoinedDocument } from '../../../protocol/documents/enrolment.js';
import { seal } from '../../../protocol/envelope.js';
import { formatToken, parseJoinLine } from '../../../protocol/join-line.js';
import { keyId, rawPublicKey, signerOf } from '../../../protocol/keys.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { openHubDocument } from '../../../protocol/verify-messages.js';
import { hubFixture, type HubFixture } from '../../support/hub-fixture.js';

const ADMIN: Actor = { kind: 'user', name: 'admin' };
let fixture: HubFixture;
let addresses = 0;

before(async () => {
  fixture = await hubFixture();
});
after(() => fixture.close());

interface Device {
  readonly identity: KeyObject;
  readonly tls: KeyObject;
  readonly sealing: KeyObject;
}

function device(): Device {
  return {
    identity: generateKeyPairSync('ed25519').privateKey,
    tls: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    sealing: generateKeyPairSync('x25519').privateKey,
  };
}

async function token(labels: Record<string, string> = {}, ttlS = 3600): Promise<string> {
  const { joinLine } = await fixture.enrolment.createToken(ADMIN, { labels, ttlS });
  const read = parseJoinLine(joinLine);
  assert.ok(read.ok);
  return formatToken(read.value.token);
}

/** What an honest device would post. */
function joinOf(node: string, device: Device, used: string): JoinDocument {
  return {
    fleet: fixture.init.fleet,
    node,
    token: used,
    nonce: fixture.enrolment.nonce(),
    nodeNonce: randomBytes(16).toString('hex'),
    identityKey: rawPublicKey(device.identity),
    tlsKey: spkiOf(device.tls).toString('base64'),
    sealingKey: rawPublicKey(device.sealing),
  };
}

interface Sent {
  readonly signer?: KeyObject;
  readonly address?: string;
  readonly enrolment?: Enrolment;
}

function post(document: JoinDocument, by: Device, sent: Sent = {}): Promise<Uint8Array> {
  const envelope = seal('join', document, [signerOf(sent.signer ?? by.identity)]);
  const address = sent.address ?? `192.0.2.${++addresses}`;
  return (sent.enrolment ?? fixture.enrolment).join(envelope, address);
}

function open(answer: Uint8Array, node: string): JoinedDocument {
  const opened = openHubDocument('joined', answer, { root: fixture.hub.root, node });
  assert.ok(opened.ok, opened.ok ? '' : opened.refusal.detail);
  return opened.value.document;
}

function refusal(reason: RequestReason, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(
      `${error.reason}: ${error.message}`.startsWith(`${reason}: `),
      true,
      String(error),
    );
    assert.match(error.message, message);
    return true;
  };
}

describe('a token', () => {
  test('is stored as a hash only, and its line names the newest root', async () => {
    const { object, joinLine } = await fixture.enrolment.createToken(ADMIN, {
      labels: { site: 'north' },
      ttlS: 60,
    });
    const read = parseJoinLine(joinLine);
    assert.ok(read.ok);
    assert.equal(read.value.fingerprint, fixture.init.fingerprint);
    assert.equal(read.value.hubUrl, fixture.hub.config.advertise.hub);
    assert.equal(object.metadata.name, read.value.token.id);
    const stored = JSON.stringify(await fixture.store.get('Token', '', object.metadata.name));
    assert.equal(stored.includes(read.value.token.secret), false);
  });

  const invalid: [string, Record<string, string>, number, string][] = [
    ['a TTL below a minute', {}, 59, 'spec.ttlSeconds'],
    ['a TTL of years', {}, 1e9, 'spec.ttlSeconds'],
    ['a broken TTL', {}, 60.5, 'spec.ttlSeconds'],
    ['a label key that is none', { 'a b': 'x' }, 60, 'spec.labels[a b]'],
    ['a label value that is none', { a: 'x/y' }, 60, 'spec.labels[a]'],
    [
      'the host name as label',
      { 'kubernetes.io/hostname': 'x' },
      60,
      'spec.labels[kubernetes.io/hostname]',
    ],
  ];
  for (const [sentence, labels, ttlS, field] of invalid) {
    test(`is refused with ${sentence}`, async () => {
      await assert.rejects(fixture.enrolment.createToken(ADMIN, { labels, ttlS }), error => {
        assert.ok(error instanceof RequestError);
        assert.equal(error.reason, 'Invalid');
        assert.deepEqual(
          error.causes.map(cause => cause.field),
          [field],
        );
        return true;
      });
    });
  }
});

describe('an honest join', () => {
  test('gives a certificate, the labels of the token and an assignment with the nonce', async () => {
    const me = device();
    const document = joinOf('edge-1', me, await token({ site: 'north' }));
    const joined = open(await post(document, me), 'edge-1');
    const nodeKey = keyId(document.identityKey);
    assert.equal(joined.nonce, document.nodeNonce);
    assert.equal(joined.nodeKey, nodeKey);
    assert.deepEqual(joined.token, { used: 1, uses: 1 });
    assert.deepEqual(joined.labels, {
      site: 'north',
      'kubernetes.io/hostname': 'edge-1',
      'kubernetes.io/os': 'linux',
    });
    const assignment = openAssignment(Buffer.from(joined.assignment ?? ''), {
      ...{ root: fixture.hub.root, node: 'edge-1', nodeKey, accepted: null },
      ...{ nonce: document.nodeNonce, freshOnly: true, now: 0 },
    });
    assert.ok(assignment.ok);

    const certificate = new X509Certificate(joined.certificate ?? '');
    const authority = new X509Certificate(joined.authorities);
    assert.ok(certificate.checkIssued(authority) && certificate.verify(authority.publicKey));
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
    assert.equal(certificate.subjectAltName, undefined);
    assert.equal(Date.parse(certificate.validFrom), 0);
    const days = (Date.parse(certificate.validTo) - fixture.clock.now()) / 86_400_000;
    assert.ok(days > 364 && days < 367, `${days} days`);
    const { tlsKey } = document;
    const expected = { commonName: 'edge-1', organisation: 'flotilla:nodes', tlsKey };
    assert.deepEqual(peerOf(certificate), expected);

    const node = await fixture.store.get('Node', '', 'edge-1');
    assert.deepEqual(node?.metadata.labels, joined.labels);
    const isGood = nodeStanding(fixture.store);
    assert.equal(await isGood('edge-1', tlsKey), true);
    assert.equal(await isGood('edge-1', spkiOf(device().tls).toString('base64')), false);
    assert.equal(await isGood('edge-2', tlsKey), false);
  });

  test('asked again by the same key within ten minutes gives the same certificate (S79)', async () => {
    const me = device();
    const used = await token();
    const first = open(await post(joinOf('edge-again', me, used), me), 'edge-again');
    fixture.clock.forward(9 * 60_000);
    const retry = joinOf('edge-again', me, used);
    const second = open(await post(retry, me), 'edge-again');
    assert.equal(second.certificate, first.certificate);
    assert.equal(second.nonce, retry.nodeNonce);
    assert.deepEqual(second.token, first.token);
    fixture.clock.forward(2 * 60_000);
    await assert.rejects(
      post(joinOf('edge-again', me, used), me),
      refusal('Conflict', /the token is used: it let in 1 of 1 devices/),
    );
  });

  test('of a device that has joined before, with a new token, renews it and keeps what it reported', async () => {
    const me = device();
    await post(joinOf('edge-renew', me, await token({ a: '1' })), me);
    const before = await fixture.store.get('Node', '', 'edge-renew');
    await post(joinOf('edge-renew', me, await token({ b: '2' })), me);
    const now = await fixture.store.get('Node', '', 'edge-renew');
    assert.equal(now?.metadata.uid, before?.metadata.uid);
    assert.equal(now?.metadata.labels['a'], '1');
    assert.equal(now?.metadata.labels['b'], '2');
  });
});

describe('a token lets one in', () => {
  test('used again with another key: 409 and an alarm (S79)', async () => {
    const used = await token();
    const [me, thief] = [device(), device()];
    await post(joinOf('edge-first', me, used), me);
    const alarms = () => fixture.log.lines.filter(line => /error .*used again/.test(line)).length;
    const before = alarms();
    for (const name of ['edge-thief', 'edge-first']) {
      await assert.rejects(post(joinOf(name, thief, used), thief), refusal('Conflict', /is used/));
    }
    assert.equal(alarms(), before + 2);
    assert.equal(await fixture.store.get('Node', '', 'edge-thief'), null);
  });

  test('two devices race: exactly one wins (S80)', async () => {
    const used = await token();
    const racers = [device(), device()];
    const results = await Promise.allSettled(
      racers.map((racer, i) => post(joinOf(`racer-${i}`, racer, used), racer)),
    );
    assert.deepEqual(results.map(result => result.status).sort(), ['fulfilled', 'rejected']);
    const nodes = await Promise.all([0, 1].map(i => fixture.store.identity(`racer-${i}`)));
    assert.equal(nodes.filter(identity => identity !== null).length, 1);
  });

  test('two devices race at two hubs on one store: the transaction decides (S80)', async () => {
    const used = await token();
    const racers = [device(), device()];
    const hubs = racers.map(() => createEnrolment(fixture.options));
    const results = await Promise.allSettled(
      racers.map((racer, i) => {
        const enrolment = hubs[i] ?? fixture.enrolment;
        const document = { ...joinOf(`twin-${i}`, racer, used), nonce: enrolment.nonce() };
        return post(document, racer, { enrolment });
      }),
    );
    assert.deepEqual(results.map(result => result.status).sort(), ['fulfilled', 'rejected']);
    const lost = results.find(result => result.status === 'rejected');
    assert.ok(refusal('Conflict', /the token is used: it let in 1 of 1 devices/)(lost?.reason));
  });

  test('unknown, expired, mistyped: one and the same sentence (S81)', async () => {
    const me = device();
    const expired = await token({}, 60);
    const good = await token();
    fixture.clock.forward(61_000);
    const wrongSecret = `${good.slice(0, -1)}${good.endsWith('0') ? '1' : '0'}`;
    const messages = new Set<string>();
    for (const bad of [expired, wrongSecret, `0000000000.${'0'.repeat(32)}`, 'no token at all']) {
      await assert.rejects(post(joinOf('edge-guess', me, bad), me), error => {
        assert.ok(error instanceof RequestError);
        messages.add(`${error.reason} ${error.message}`);
        return true;
      });
    }
    assert.equal(messages.size, 1);
    assert.match([...messages][0] ?? '', /^Unauthorized the token is not valid/);
    await post(joinOf('edge-guess', me, good), me);
  });

  test('ten failures in a minute shut an address out until the minute is over (S81)', async () => {
    const me = device();
    const good = await token();
    const guess = () => post(joinOf('edge-slow', me, 'guess'), me, { address: '198.51.100.1' });
    for (let i = 0; i < 10; i++) await assert.rejects(guess(), refusal('Unauthorized', /token/));
    await assert.rejects(guess(), refusal('TooManyRequests', /wait/));
    const late = () => post(joinOf('edge-slow', me, good), me, { address: '198.51.100.1' });
    await assert.rejects(late(), refusal('TooManyRequests', /wait/));
    fixture.clock.forward(60_000);
    await late();
  });
});

describe('refused, and the token is still good', () => {
  type Change = () => Partial<JoinDocument>;
  const hubKey = () => spkiOf(fixture.hub.server.certificate).toString('base64');
  const rows: [string, RequestReason, RegExp, Change][] = [
    ['a foreign nonce (S83)', 'BadRequest', /nonce/, () => ({ nonce: '0'.repeat(32) })],
    ['an old nonce (S83)', 'BadRequest', /nonce/, () => (fixture.clock.forward(601_000), {})],
    ['another fleet', 'Forbidden', /fleet/, () => ({ fleet: '0'.repeat(32) })],
    ...['+', '#', 'a/b', '$SYS', 'Edge-1', 'еdge-1', 'a'.repeat(300), ''].map(
      (node): [string, RequestReason, RegExp, Change] => [
        `the name "${node.slice(0, 8)}" (S67)`,
        'BadRequest',
        /node/,
        () => ({ node }),
      ],
    ),
    ['a name of the hub', 'Invalid', /reserved/, () => ({ node: 'flotilla-hub' })],
    [
      'an identity key of small order (S82)',
      'Forbidden',
      /not signed/,
      () => ({ identityKey: `01${'0'.repeat(62)}` }),
    ],
    [
      'a sealing key of small order (S82)',
      'Invalid',
      /sealingKey/,
      () => ({ sealingKey: '0'.repeat(64) }),
    ],
    ['an RSA key for TLS (S82)', 'Invalid', /tlsKey/, () => ({ tlsKey: otherKey('rsa') })],
    ['a P-384 key for TLS (S82)', 'Invalid', /tlsKey/, () => ({ tlsKey: otherKey('P-384') })],
    ['a TLS key that is none', 'Invalid', /tlsKey/, () => ({ tlsKey: 'AAAA' })],
    ["the hub's TLS key (S82)", 'Conflict', /in use/, () => ({ tlsKey: hubKey() })],
    [
      "the hub's sealing key (S82)",
      'Conflict',
      /in use/,
      () => ({ sealingKey: rawPublicKey(fixture.hub.sealingKey) }),
    ],
  ];
  function otherKey(kind: 'rsa' | 'P-384'): string {
    const { privateKey } =
      kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: kind });
    return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  }
  for (const [sentence, reason, message, change] of rows) {
    test(sentence, async () => {
      const me = device();
      const good = await token();
      const document = joinOf('edge-bad', me, good);
      await assert.rejects(post({ ...document, ...change() }, me), refusal(reason, message));
      assert.equal(await fixture.store.get('Node', '', 'edge-bad'), null);
      await post(joinOf(`edge-good-${good.slice(0, 10)}`, me, good), me);
    });
  }

  test('another signer: no proof of possession (S83)', async () => {
    const me = device();
    const document = joinOf('edge-bad', me, await token());
    const signer = device().identity;
    await assert.rejects(post(document, me, { signer }), refusal('Forbidden', /not signed/));
  });

  test('the TLS or sealing key of another node (S82)', async () => {
    const [first, second] = [device(), device()];
    await post(joinOf('owner', first, await token()), first);
    const good = await token();
    for (const stolen of [{ tls: first.tls }, { sealing: first.sealing }]) {
      const mixed = { ...second, ...stolen };
      await assert.rejects(
        post(joinOf('borrower', mixed, good), mixed),
        refusal('Conflict', /in use/),
      );
    }
    await assert.rejects(post(joinOf('alias', first, good), first), refusal('Conflict', /in use/));
    await post(joinOf('borrower', second, good), second);
  });

  test('a name that is taken, with what to do', async () => {
    const [first, second] = [device(), device()];
    await post(joinOf('taken', first, await token()), first);
    const good = await token();
    await assert.rejects(
      post(joinOf('taken', second, good), second),
      refusal('AlreadyExists', /flotilla node revoke taken/),
    );
    await post(joinOf('free', second, good), second);
  });

  test('a replayed envelope, a large one, one of another type', async () => {
    const me = device();
    const document = joinOf('edge-replay', me, await token());
    const envelope = seal('join', document, [signerOf(me.identity)]);
    await fixture.enrolment.join(envelope, '203.0.113.1');
    await assert.rejects(
      fixture.enrolment.join(envelope, '203.0.113.1'),
      refusal('BadRequest', /nonce/),
    );
    await assert.rejects(
      fixture.enrolment.join(Buffer.alloc(9000, 0x20), '203.0.113.2'),
      refusal('RequestEntityTooLarge', /bytes/),
    );
    const other = seal('request', document, [signerOf(me.identity)]);
    await assert.rejects(
      fixture.enrolment.join(other, '203.0.113.3'),
      refusal('BadRequest', /type/),
    );
    await assert.rejects(
      fixture.enrolment.join(Buffer.from('{}'), '203.0.113.4'),
      refusal('BadRequest', /./),
    );
  });
});

describe('what a stranger may fetch', () => {
  test('roots by hash and by number, and the authorities', async () => {
    const { enrolment, init, hub } = fixture;
    const byDigest = await enrolment.rootByDigest(init.fingerprint);
    assert.deepEqual(byDigest, await enrolment.rootByVersion(1));
    assert.equal(await enrolment.rootByVersion(2), null);
    assert.equal(await enrolment.rootByDigest('0'.repeat(64)), null);
    assert.equal(enrolment.authorities(), hub.authority.certificate);
  });

  test('nonces are never the same', () => {
    const many = Array.from({ length: 1000 }, () => fixture.enrolment.nonce());
    assert.equal(new Set(many).size, 1000);
  });
});
