/** Store contract: what is known of each node, and what it was told and has lived through. */
import assert from 'node:assert/strict';
import type {
  AssignmentRecord,
  IdentityRecord,
  Mutation,
  ReporterRecord,
} from '../../hub/store/store.js';
import { assignment, commit, type Sentence, type StoreCase } from './store-case.js';

function identity(node: string, certificate = 'PEM'): IdentityRecord {
  return {
    node,
    identityKey: 'aa',
    tlsKey: 'bb',
    sealingKey: 'cc',
    certificate,
    state: 'active',
    joinedAt: '2026-01-02T03:04:05Z',
    token: 't1',
    labels: { site: 'harbour' },
    suspectedAt: null,
  };
}

function reporter(journal: string, more: Partial<ReporterRecord> = {}): ReporterRecord {
  return {
    node: 'n',
    journal,
    current: true,
    boot: 1,
    counter: 2,
    presenceBoot: 3,
    presenceN: 4,
    online: false,
    through: 5_000_000_000,
    ...more,
  };
}

export function nodeContract(sentence: Sentence): void {
  aboutNodes(sentence);
  aboutRecovery(sentence);
  sentence('what was lived through with a node is kept, bounded, until it goes', async store => {
    await experienceIsKept(store);
  });
}

function aboutNodes(sentence: Sentence): void {
  const assign = (record: AssignmentRecord): Mutation => ({ type: 'assignment', record });
  sentence('an assignment is replaced only by a greater (epoch, generation)', async ({ store }) => {
    await commit(store, assign(assignment(1, 5)));
    for (const [epoch, generation] of [
      [1, 5],
      [1, 4],
      [0, 9],
    ] as const) {
      const late = commit(store, assign(assignment(epoch, generation)));
      await assert.rejects(late, { code: 'Conflict' }, `${epoch}.${generation}`);
    }
    await commit(store, assign(assignment(1, 6)));
    await commit(store, assign(assignment(2, 1)));
    assert.deepEqual(await store.assignment('n'), assignment(2, 1));
  });
  sentence('assignments are listed by node, and a dropped one is gone', async ({ store }) => {
    await commit(store, assign(assignment(1, 1, 'b')), assign(assignment(1, 1, 'a')));
    const all = await store.assignments();
    assert.deepEqual(all, [assignment(1, 1, 'a'), assignment(1, 1, 'b')]);
    await commit(store, { type: 'dropAssignment', node: 'a' });
    await commit(store, { type: 'dropAssignment', node: 'a' });
    assert.equal(await store.assignment('a'), null);
  });
  sentence('an identity with expect absent does not take a name that is taken', async given => {
    const { store } = given;
    await commit(store, { type: 'identity', record: identity('n'), expect: 'absent' });
    const second = commit(store, { type: 'identity', record: identity('n'), expect: 'absent' });
    await assert.rejects(second, { code: 'AlreadyExists' });
    await commit(store, { type: 'identity', record: identity('n', 'new'), expect: 'any' });
    assert.deepEqual(await store.identity('n'), identity('n', 'new'));
  });
  sentence('identities are listed by node; a dropped name is free again', async ({ store }) => {
    for (const node of ['b', 'a']) {
      await commit(store, { type: 'identity', record: identity(node), expect: 'absent' });
    }
    assert.deepEqual(await store.identities(), [identity('a'), identity('b')]);
    await commit(store, { type: 'dropIdentity', node: 'a' }, { type: 'dropIdentity', node: 'a' });
    assert.equal(await store.identity('a'), null);
    await commit(store, { type: 'identity', record: identity('a'), expect: 'absent' });
  });
  sentence(
    'whoever has one of some keys is found, whichever of the three it is',
    async ({ store }) => {
      for (const node of ['b', 'a', 'c']) {
        const keys = { identityKey: `${node}1`, tlsKey: `${node}2`, sealingKey: `${node}3` };
        const record = { ...identity(node), ...keys };
        await commit(store, { type: 'identity', record, expect: 'absent' });
      }
      const holders = async (...keys: string[]) =>
        (await store.keyHolders(keys)).map(({ node }) => node);
      assert.deepEqual(await holders('a1'), ['a']);
      assert.deepEqual(await holders('c3', 'b2'), ['b', 'c']);
      assert.deepEqual(await holders('a', 'x'), []);
      assert.deepEqual(await holders(), []);
    },
  );
  sentence('a reporter is kept per node and journal, listed by journal', async ({ store }) => {
    const add = (record: ReporterRecord): Mutation => ({ type: 'reporter', record });
    await commit(store, add(reporter('j2')), add(reporter('j1')));
    await commit(store, add(reporter('j1', { current: false, online: true, counter: 9 })));
    await commit(store, add(reporter('j1', { node: 'other' })));
    assert.deepEqual(await store.reporters('n'), [
      reporter('j1', { current: false, online: true, counter: 9 }),
      reporter('j2'),
    ]);
    await commit(store, { type: 'dropReporters', node: 'n' });
    assert.deepEqual(await store.reporters('n'), []);
    assert.equal((await store.reporters('other')).length, 1);
  });
}

function aboutRecovery(sentence: Sentence): void {
  const record = {
    restoredAt: '2026-01-02T03:04:05Z',
    backupAt: '2026-01-01T00:00:00Z',
    epoch: 1,
    learning: true,
  };
  sentence('a store that was never restored says so; a later restore replaces it', async given => {
    const { store } = given;
    assert.equal(await store.recovery(), null);
    await commit(store, { type: 'recovery', record });
    await commit(store, { type: 'recovery', record: { ...record, learning: false } });
    assert.deepEqual(await store.recovery(), { ...record, learning: false });
  });
  sentence('nodes are unheard until they are heard, or leave the fleet', async ({ store }) => {
    for (const node of ['b', 'a', 'c', 'a']) await commit(store, { type: 'unheard', node });
    assert.deepEqual(await store.unheard(), ['a', 'b', 'c']);
    await commit(store, { type: 'heard', node: 'b' }, { type: 'dropIdentity', node: 'c' });
    await commit(store, { type: 'heard', node: 'b' });
    assert.deepEqual(await store.unheard(), ['a']);
  });
  sentence('the highest revision only rises', async ({ store }) => {
    const raise = (revision: number): Mutation => {
      return { type: 'highestRevision', namespace: 'default', bundle: 'web', revision };
    };
    assert.equal(await store.highestRevision('default', 'web'), 0);
    for (const revision of [3, 7, 5]) await commit(store, raise(revision));
    assert.equal(await store.highestRevision('default', 'web'), 7);
    assert.equal(await store.highestRevision('other', 'web'), 0);
  });
}

const AT = Date.parse('2026-01-02T03:04:05.000Z');

const came = (node: string, seconds: number, online: boolean): Mutation => {
  return { type: 'connection', node, change: { at: AT + seconds * 1000, online } };
};

const passage = (node: string, n: number, bundle = 'web'): Mutation => ({
  ...{ type: 'passage', namespace: 'default', bundle, node },
  record: { at: AT + n * 1000, isHealthy: n % 2 === 0, seconds: n === 3 ? null : n },
});

async function experienceIsKept({ store, reopen }: StoreCase): Promise<void> {
  await commit(
    store,
    came('a', 0, true),
    came('b', 0, true),
    came('a', 5, true),
    came('a', 9, false),
  );
  await commit(store, ...Array.from({ length: 10 }, (_, n) => passage('a', n)), passage('b', 3));
  await commit(store, passage('a', 1, 'bar'));
  const again = await reopen();
  const changes = await again.connections();
  assert.deepEqual(changes.get('a'), [
    { at: AT, online: true },
    { at: AT + 9000, online: false },
  ]);
  const kept = async () =>
    (await again.passages()).map(one => [one.bundle, one.node, one.passages.map(p => p.seconds)]);
  assert.deepEqual((await kept()).sort(), [
    ['bar', 'a', [1]],
    ['web', 'a', [2, null, 4, 5, 6, 7, 8, 9]],
    ['web', 'b', [null]],
  ]);
  await commit(again, { type: 'dropExperience', node: 'a' });
  assert.deepEqual([...(await again.connections()).keys()], ['b']);
  assert.deepEqual(await kept(), [['web', 'b', [null]]]);
  await commit(again, { type: 'dropPassages', namespace: 'default', bundle: 'web' });
  assert.deepEqual(await kept(), []);
}
