/**
 * Being a member, against a real store: approval, revocation, successors, renewal and rotation by
 * identity key, tokens for several devices. Rows name the attacks of the security page.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { nodeStanding } from '../../../hub/enrolment/enrolment.js';
import { letsIn } from '../../../hub/enrolment/token-use.js';
import type { EventObject, NodeObject } from '../../../hub/objects.js';
import { RequestError, type RequestReason, type TokenRequest } from '../../../hub/ports.js';
import { spkiOf } from '../../../hub/setup/pki.js';
import type { Actor } from '../../../hub/store/store.js';
import type { JoinedDocument } from '../../../protocol/documents/enrolment.js';
import { seal } from '../../../protocol/envelope.js';
import { formatToken, parseJoinLine } from '../../../protocol/join-line.js';
import { keyId, rawPublicKey, signerOf } from '../../../protocol/keys.js';
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
  readonly node: string;
  readonly identity: KeyObject;
  readonly tls: KeyObject;
  readonly sealing: KeyObject;
}

const ed25519 = () => generateKeyPairSync('ed25519').privateKey;
const x25519 = () => generateKeyPairSync('x25519').privateKey;
const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const device = (node: string): Device => {
  return { node, identity: ed25519(), tls: p256(), sealing: x25519() };
};
const hex = () => randomBytes(16).toString('hex');
const address = () => `192.0.2.${++addresses % 250}.${addresses}`;

async function token(request: Partial<TokenRequest> = {}): Promise<string> {
  const whole = { labels: {}, ttlS: 3600, ...request };
  const { joinLine } = await fixture.enrolment.createToken(ADMIN, whole);
  const read = parseJoinLine(joinLine);
  assert.ok(read.ok);
  return formatToken(read.value.token);
}

function open(answer: Uint8Array, node: string): JoinedDocument {
  const opened = openHubDocument('joined', answer, { root: fixture.hub.root, node });
  assert.ok(opened.ok, opened.ok ? '' : opened.refusal.detail);
  return opened.value.document;
}

async function join(me: Device, used: string): Promise<JoinedDocument> {
  const document = {
    ...{ fleet: fixture.init.fleet, node: me.node, token: used },
    ...{ nonce: fixture.enrolment.nonce(), nodeNonce: hex() },
    identityKey: rawPublicKey(me.identity),
    tlsKey: spkiOf(me.tls).toString('base64'),
    sealingKey: rawPublicKey(me.sealing),
  };
  const envelope = seal('join', document, [signerOf(me.identity)]);
  return open(await fixture.enrolment.join(envelope, address()), me.node);
}

function renewal(me: Device, tls: KeyObject, signer: KeyObject = me.identity): Uint8Array {
  const document = {
    ...{ fleet: fixture.init.fleet, node: me.node },
    ...{ nonce: fixture.enrolment.nonce(), nodeNonce: hex() },
    tlsKey: spkiOf(tls).toString('base64'),
  };
  return seal('renew', document, [signerOf(signer)]);
}

async function renew(me: Device, tls: KeyObject, signer?: KeyObject): Promise<JoinedDocument> {
  return open(await fixture.enrolment.renew(renewal(me, tls, signer), address()), me.node);
}

async function rotate(
  me: Device,
  next: { readonly identity: KeyObject; readonly sealing: KeyObject },
  signers: readonly KeyObject[],
): Promise<JoinedDocument> {
  const document = {
    ...{ fleet: fixture.init.fleet, node: me.node },
    ...{ nonce: fixture.enrolment.nonce(), nodeNonce: hex() },
    previousKey: rawPublicKey(me.identity),
    identityKey: rawPublicKey(next.identity),
    sealingKey: rawPublicKey(next.sealing),
  };
  const envelope = seal('rotate', document, signers.map(signerOf));
  return open(await fixture.enrolment.rotate(envelope, address()), me.node);
}

function refusal(reason: RequestReason, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, message);
    return true;
  };
}

const nodeOf = async (name: string) =>
  (await fixture.store.get('Node', '', name)) as NodeObject | null;
const isLetIn = (me: Device, tls = me.tls) =>
  nodeStanding(fixture.store)(me.node, spkiOf(tls).toString('base64'));
const eventsOf = async (reason: string) =>
  ((await fixture.store.list('Event')).items as EventObject[]).filter(
    ({ spec }) => spec.reason === reason,
  );

describe('a token', () => {
  test('lets in as many devices as it says, each once', async () => {
    const used = await token({ uses: 2 });
    const devices = ['m-1', 'm-2', 'm-3'].map(device);
    const results = await Promise.allSettled(devices.map(one => join(one, used)));
    const won = results.filter(({ status }) => status === 'fulfilled');
    assert.equal(won.length, 2);
    const lost = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    assert.ok(refusal('Conflict', /the token is used/)(lost.reason));
    const events = await eventsOf('TokenReused');
    assert.equal(events.length, 1);
    assert.match(events[0]?.spec.message ?? '', /presented again with another key/);
  });

  test('for several devices ends with its time, for those that did not use it', async () => {
    const used = await token({ uses: 3, ttlS: 60 });
    const first = device('t-1');
    await join(first, used);
    fixture.clock.forward(61_000);
    await assert.rejects(join(device('t-2'), used), refusal('Unauthorized', /not valid/));
    assert.equal((await join(first, used)).state, 'active', 'a lost reply is said again');
  });

  const names: [string, string[], string, boolean][] = [
    ['any name', [], 'x', true],
    ['a name', ['edge-1'], 'edge-1', true],
    ['no other name', ['edge-1'], 'edge-10', false],
    ['a pattern', ['edge-*'], 'edge-10', true],
    ['a pattern with two ends', ['a*b*c'], 'a-b-c', true],
    ['parts in their order alone', ['a*bc*c'], 'a-c-bc', false],
    ['no overlap', ['ab*ba'], 'aba', false],
    ['one of several', ['x', 'y*'], 'yy', true],
  ];
  for (const [sentence, patterns, name, expected] of names) {
    test(`lets in ${sentence}`, () => assert.equal(letsIn(patterns, name), expected));
  }

  test('refuses a name that it was not made for, and is still good', async () => {
    const used = await token({ nodes: ['till-*'] });
    await assert.rejects(join(device('kiosk'), used), refusal('Forbidden', /named till-\*/));
    assert.equal((await join(device('till-1'), used)).state, 'active');
  });

  const invalid: [string, Partial<TokenRequest>, string][] = [
    ['no uses', { uses: 0 }, 'spec.uses'],
    ['too many uses', { uses: 1001 }, 'spec.uses'],
    ['half a use', { uses: 1.5 }, 'spec.uses'],
    ['a name that no node has', { nodes: ['ok', 'Edge/1'] }, 'spec.nodes[1]'],
  ];
  for (const [sentence, request, field] of invalid) {
    test(`is refused with ${sentence}`, async () => {
      await assert.rejects(token(request), (error: unknown) => {
        assert.ok(error instanceof RequestError);
        const fields = error.causes.map(cause => cause.field);
        assert.deepEqual([error.reason, ...fields], ['Invalid', field]);
        return true;
      });
    });
  }
});

describe('a device that waits for a person', () => {
  test('gets neither certificate nor assignment, and may ask again until it is let in', async () => {
    const me = device('waits');
    const used = await token({ approve: true, labels: { site: 'north' } });
    const joined = await join(me, used);
    const { state, certificate, renewAfter, assignment } = joined;
    assert.deepEqual(
      { state, certificate, renewAfter, assignment },
      {
        ...{ state: 'pending', certificate: null, renewAfter: null, assignment: null },
      },
    );
    assert.equal(joined.labels['site'], 'north');
    assert.equal(await isLetIn(me), false);
    assert.equal((await renew(me, me.tls)).state, 'pending');
    fixture.clock.forward(3_600_000);
    assert.equal((await join(me, used)).state, 'pending', 'its reply was lost');
    const conditions = (await nodeOf('waits'))?.status.conditions ?? [];
    assert.equal(conditions.find(({ type }) => type === 'Enrolled')?.reason, 'PendingApproval');

    const { standing } = fixture.enrolment;
    const key = keyId(rawPublicKey(me.identity));
    await assert.rejects(
      standing.approve(ADMIN, { name: 'waits', key: '0'.repeat(64) }),
      refusal('Conflict', new RegExp(`has the key sha256:${key}`)),
    );
    await standing.approve(ADMIN, { name: 'waits', key });
    await standing.approve(ADMIN, { name: 'waits', key: null });
    const tls = p256();
    const renewed = await renew(me, tls);
    assert.equal(renewed.state, 'active');
    assert.equal(await isLetIn(me, tls), true);
    assert.equal((await eventsOf('NodeApproved')).length, 1);
  });

  test('keeps its name from others', async () => {
    const used = await token({ approve: true });
    await join(device('held'), used);
    await assert.rejects(
      join(device('held'), await token()),
      refusal('AlreadyExists', /waits for approval .*flotilla node revoke held/),
    );
  });

  test('is not there: nothing to approve, nothing to revoke', async () => {
    const { standing } = fixture.enrolment;
    const nobody = { name: 'nobody', key: null };
    await assert.rejects(standing.approve(ADMIN, nobody), refusal('NotFound', /nobody/));
    await assert.rejects(standing.revoke(ADMIN, nobody), refusal('NotFound', /nobody/));
  });
});

describe('a device that is shut out (S72)', () => {
  test('is cut, refused everywhere, and its name goes to another with a new token alone (S35)', async () => {
    const [old, young] = [device('shop'), device('shop')];
    const used = await token({ uses: 2 });
    await join(old, used);
    const before = await fixture.store.assignment('shop');
    const readable = await fixture.enrolment.standing.revoke(ADMIN, { name: 'shop' });
    assert.deepEqual(readable, { bundles: [], secrets: [] });
    assert.deepEqual(fixture.cut, ['shop']);
    assert.equal(await isLetIn(old), false);
    await assert.rejects(renew(old, p256()), refusal('Forbidden', /is revoked/));
    await assert.rejects(join(old, used), refusal('Conflict', /the token is used/));
    await assert.rejects(join(old, await token()), refusal('Forbidden', /with this very key/));
    await fixture.enrolment.standing.revoke(ADMIN, { name: 'shop' });

    const joined = await join(young, await token({ labels: { site: 'new' } }));
    assert.equal(joined.nodeKey, keyId(rawPublicKey(young.identity)));
    const after = await fixture.store.assignment('shop');
    assert.ok((after?.generation ?? 0) > (before?.generation ?? 0), 'counters go on');
    await assert.rejects(
      renew(old, p256()),
      refusal('Forbidden', /not signed by the identity key/),
    );
    assert.equal(await isLetIn(old), false);
    assert.equal(await isLetIn(young), true);
    const condition = (await nodeOf('shop'))?.status.conditions?.find(c => c.type === 'Enrolled');
    assert.equal(condition?.status, 'True');
  });
});

describe('a device that comes back under a name that another had meanwhile', () => {
  const reporter = (journal: string, current: boolean) => ({
    type: 'reporter' as const,
    record: {
      ...{ node: 'back-1', journal, current, boot: 3, counter: 7, presenceBoot: 3, presenceN: 2 },
      ...{ online: current, through: 9 },
    },
  });

  test('is heard again: what former keys signed no longer stands in its way', async () => {
    const former = device('back-1');
    await join(former, await token());
    const actor = { kind: 'hub', name: 'test' } as const;
    const [older, newer] = ['a'.repeat(32), 'b'.repeat(32)];
    await fixture.store.commit(actor, [reporter(older, false), reporter(newer, true)]);
    await fixture.enrolment.standing.revoke(ADMIN, { name: 'back-1' });
    await join(device('back-1'), await token());
    const known = await fixture.store.reporters('back-1');
    assert.deepEqual(
      known.map(({ journal, current, online, through }) => [journal, current, online, through]),
      [[newer, true, false, 9]],
    );
  });

  test('and one that joins again with the same keys goes on as it was', async () => {
    const me = device('back-2');
    await join(me, await token());
    const actor = { kind: 'hub', name: 'test' } as const;
    const records = [reporter('c'.repeat(32), false), reporter('d'.repeat(32), true)].map(one => {
      return { ...one, record: { ...one.record, node: 'back-2' } };
    });
    await fixture.store.commit(actor, records);
    await join(me, await token());
    assert.equal((await fixture.store.reporters('back-2')).length, 2);
  });

  test('cleared of the suspicion to be cloned, whichever of the two is left is heard (S73)', async () => {
    const { store, cut, enrolment } = fixture;
    const me = device('twice');
    await join(me, await token());
    const actor = { kind: 'hub', name: 'test' } as const;
    const records = [reporter('e'.repeat(32), false), reporter('f'.repeat(32), true)].map(one => {
      return { ...one, record: { ...one.record, node: 'twice' } };
    });
    const [identity, object] = [await store.identity('twice'), await nodeOf('twice')];
    assert.ok(identity && object);
    const suspectedAt = '2026-08-01T12:00:00.500Z';
    const history = (at: string) =>
      ({ type: 'JournalIntact', status: 'False', lastTransitionTime: at }) as const;
    const starts = [{ boot: 3, n: 1, session: 's', lastN: 2, counter: 7, digest: 'd' }];
    const flotilla = { ...object.status.flotilla, starts, history: { row: 9, head: 'a' } };
    const suspected = async (at: string) => {
      const now = (await store.identity('twice')) ?? 'absent';
      await store.commit(actor, [
        ...records,
        { type: 'identity', expect: now, record: { ...identity, suspectedAt } },
        {
          type: 'put',
          expect: 'any',
          object: { ...object, status: { conditions: [history(at)], flotilla } },
        },
      ]);
    };
    const isFaulty = async () =>
      (await nodeOf('twice'))?.status.conditions?.some(({ type }) => type === 'JournalIntact');
    await suspected('2026-08-01T12:00:00Z');
    await enrolment.standing.approve(ADMIN, { name: 'twice', key: null });
    assert.equal(cut.at(-1), 'twice', 'it says anew who it is');
    assert.deepEqual(await store.reporters('twice'), [
      {
        ...{ node: 'twice', journal: 'f'.repeat(32), current: true, online: false, through: 9 },
        ...{ boot: 0, counter: 0, presenceBoot: 0, presenceN: 0 },
      },
    ]);
    const after = (await nodeOf('twice'))?.status.flotilla;
    assert.deepEqual([after?.starts, after?.history], [[], { row: 0, head: null }]);
    assert.equal(await isFaulty(), false, 'the histories of two were compared');
    await suspected('2026-08-01T11:00:00Z');
    await enrolment.standing.approve(ADMIN, { name: 'twice', key: null });
    assert.equal(await isFaulty(), true, 'it was rewritten before there were two');
  });
});

describe('a renewal (S84)', () => {
  test('gives a certificate for a new key, also when the old one has expired', async () => {
    const me = device('old-timer');
    const joined = await join(me, await token());
    fixture.clock.forward(500 * 86_400_000);
    const ended = Date.parse(new X509Certificate(joined.certificate ?? '').validTo);
    assert.ok(ended < fixture.clock.now());
    const tls = p256();
    const renewed = await renew(me, tls);
    const certificate = new X509Certificate(renewed.certificate ?? '');
    assert.ok(certificate.checkPrivateKey(tls));
    const left = Date.parse(certificate.validTo) - Date.parse(renewed.renewAfter ?? '');
    assert.equal(Math.round(left / 86_400_000), 122);
    assert.equal(await isLetIn(me), false, 'the former key');
    assert.equal(await isLetIn(me, tls), true);
    assert.deepEqual(renewed.labels, joined.labels);
  });

  test('is refused when replayed, when signed by another, for a name that nobody has', async () => {
    const me = device('renews');
    await join(me, await token());
    const envelope = renewal(me, p256());
    await fixture.enrolment.renew(envelope, address());
    const again = fixture.enrolment.renew(envelope, address());
    await assert.rejects(again, refusal('BadRequest', /nonce/));
    const notMember = /^not signed by the identity key of a node of this fleet$/;
    await assert.rejects(renew(me, p256(), ed25519()), refusal('Forbidden', notMember));
    await assert.rejects(renew(device('stranger'), p256()), refusal('Forbidden', notMember));
  });

  test('refuses the key of another node (S82)', async () => {
    const [me, other] = [device('r-me'), device('r-other')];
    await join(me, await token());
    await join(other, await token());
    await assert.rejects(renew(me, other.tls), refusal('Conflict', /in use by another/));
  });

  test('keeps the labels of the enrolment, whatever the Node is labelled', async () => {
    const me = device('labelled');
    await join(me, await token({ labels: { site: 'sea' } }));
    const object = await nodeOf('labelled');
    assert.ok(object);
    const { kind, metadata, spec, status } = object;
    const { name, annotations } = metadata;
    const labels = { ...metadata.labels, site: 'lake' };
    const relabelled = {
      kind,
      metadata: { namespace: '', name, annotations, labels },
      spec,
      status,
    };
    await fixture.store.commit(ADMIN, [{ type: 'put', object: relabelled, expect: 'any' }]);
    assert.equal((await renew(me, p256())).labels['site'], 'sea');
  });
});

describe('a rotation', () => {
  test('is signed by the former and the new key, and the same request gives the same answer', async () => {
    const me = device('rotates');
    await join(me, await token());
    const next = { identity: ed25519(), sealing: x25519() };
    const missing = [[next.identity], [me.identity], [ed25519(), next.identity]];
    for (const signers of missing) {
      await assert.rejects(rotate(me, next, signers), refusal('Forbidden', /not signed/));
    }
    const both = [me.identity, next.identity];
    const first = await rotate(me, next, both);
    assert.equal(first.nodeKey, keyId(rawPublicKey(next.identity)));
    assert.ok(first.assignment !== null);
    const second = await rotate(me, next, both);
    assert.equal(second.nodeKey, first.nodeKey);
    const record = await fixture.store.identity('rotates');
    assert.equal(record?.sealingKey, rawPublicKey(next.sealing));
    assert.equal((await eventsOf('IdentityRotated')).length, 1);
    await assert.rejects(renew(me, p256()), refusal('Forbidden', /not signed/));
    assert.equal((await renew({ ...me, ...next }, p256())).state, 'active');
    const foreign = { identity: ed25519(), sealing: x25519() };
    await assert.rejects(
      rotate(me, foreign, [me.identity, foreign.identity]),
      refusal('Forbidden', /not signed/),
    );
  });

  test('of the sealing key alone keeps the identity', async () => {
    const me = device('reseals');
    await join(me, await token());
    const next = { identity: me.identity, sealing: x25519() };
    const answer = await rotate(me, next, [me.identity]);
    assert.equal(answer.nodeKey, keyId(rawPublicKey(me.identity)));
    const record = await fixture.store.identity('reseals');
    assert.equal(record?.sealingKey, rawPublicKey(next.sealing));
  });

  test('is not for a node that seems to be cloned, nor is a neighbour shut out by its tries', async () => {
    const [me, neighbour] = [device('cloned'), device('neighbour')];
    await join(me, await token());
    await join(neighbour, await token());
    const record = await fixture.store.identity('cloned');
    assert.ok(record);
    const suspected = { ...record, suspectedAt: new Date(0).toISOString() };
    await fixture.store.commit(ADMIN, [{ type: 'identity', expect: record, record: suspected }]);
    const next = { identity: ed25519(), sealing: x25519() };
    await assert.rejects(
      rotate(me, next, [me.identity, next.identity]),
      refusal('Forbidden', /seems to be cloned/),
    );
    await fixture.enrolment.standing.revoke(ADMIN, { name: 'cloned' });
    const nat = '198.51.100.77';
    for (let i = 0; i < 20; i++) {
      const tried = fixture.enrolment.renew(renewal(me, p256()), nat);
      await assert.rejects(tried, refusal('Forbidden', /is revoked/));
    }
    await fixture.enrolment.renew(renewal(neighbour, p256()), nat);
  });

  test('refuses keys that are weak or somebody else’s', async () => {
    const [me, other] = [device('k-me'), device('k-other')];
    await join(me, await token());
    await join(other, await token());
    const stolen = { identity: other.identity, sealing: x25519() };
    await assert.rejects(
      rotate(me, stolen, [me.identity, other.identity]),
      refusal('Conflict', /in use/),
    );
  });
});
