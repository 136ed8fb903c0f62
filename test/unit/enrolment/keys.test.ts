/** Keys of a member, against a real store: renewal and rotation by identity key. Rows name the attacks of the security page. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { keyId, rawPublicKey } from '../../../protocol/keys.js';
import {
  ADMIN,
  fixture,
  enrolmentWorld,
  ed25519,
  x25519,
  p256,
  device,
  address,
  token,
  join,
  renewal,
  renew,
  rotate,
  refusal,
  nodeOf,
  isLetIn,
  eventsOf,
} from '../../support/enrolment-world.js';

enrolmentWorld();

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
