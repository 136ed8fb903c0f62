/** How a device stands with the fleet, against a real store: waiting for a person, shut out, back under a name that another had. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keyId, rawPublicKey } from '../../../protocol/keys.js';
import {
  ADMIN,
  fixture,
  enrolmentWorld,
  p256,
  device,
  token,
  join,
  renew,
  refusal,
  nodeOf,
  isLetIn,
  eventsOf,
} from '../../support/enrolment-world.js';

enrolmentWorld();

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
