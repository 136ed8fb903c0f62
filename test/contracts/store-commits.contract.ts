/** Store contract: what a commit is, the audit log, what outlives a restart. */
import assert from 'node:assert/strict';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { Mutation, Store } from '../../hub/store/store.js';
import {
  ANN,
  bytes,
  draft,
  HUB,
  put,
  putOne,
  removeBundle as remove,
  type Sentence,
  START,
} from './store-case.js';

async function version(store: Store): Promise<string> {
  return (await store.list('Bundle')).resourceVersion;
}

export function commitContract(sentence: Sentence): void {
  aboutCommits(sentence);
  aboutAudit(sentence);
  aboutRestarts(sentence);
}

function aboutCommits(sentence: Sentence): void {
  sentence('each object of a commit gets its own number, in order', async ({ store }) => {
    const mutations = ['a', 'b', 'c'].map(name => put(draft('Pod', name)));
    const { resourceVersion, objects } = await store.commit(HUB, mutations);
    assert.deepEqual(
      objects.map(o => [o.metadata.name, o.metadata.resourceVersion]),
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    );
    assert.equal(resourceVersion, '3');
  });
  sentence('a commit that fails at its last mutation leaves nothing', async ({ store }) => {
    await putOne(store, draft('Bundle', 'web'));
    const failing = store.commit(ANN, [
      put(draft('Bundle', 'web', { spec: { a: 2 } })),
      put(draft('Bundle', 'new')),
      { type: 'publish', topic: 't', payload: bytes('x') },
      { type: 'blob', record: { digest: 'd', content: bytes('x') } },
      put(draft('Bundle', 'web'), 'absent'),
    ]);
    await assert.rejects(failing, { code: 'AlreadyExists' });
    assert.deepEqual((await store.get('Bundle', 'default', 'web'))?.spec, { a: 1 });
    assert.equal(await store.get('Bundle', 'default', 'new'), null);
    assert.equal(await store.blob('d'), null);
    assert.equal(await store.publication('t'), null);
    assert.equal(await store.lastPublication(), 0);
    assert.equal(await version(store), '1');
    assert.deepEqual(await store.audit(0, 10), []);
  });
  sentence('of commits made at once, one that fails takes no other with it', async ({ store }) => {
    await putOne(store, draft('Pod', 'taken'));
    const results = await Promise.allSettled([
      store.commit(HUB, [put(draft('Pod', 'a'))]),
      store.commit(HUB, [put(draft('Pod', 'lost')), put(draft('Pod', 'taken'), 'absent')]),
      store.commit(HUB, [put(draft('Pod', 'b'))]),
    ]);
    assert.deepEqual(
      results.map(r => (r.status === 'fulfilled' ? r.value.resourceVersion : 'refused')),
      ['2', 'refused', '3'],
    );
    const names = (await store.list('Pod')).items.map(o => o.metadata.name);
    assert.deepEqual(names, ['a', 'b', 'taken']);
  });
  sentence('of commits made at once that expect the same version, one wins', async ({ store }) => {
    const { resourceVersion } = (await putOne(store, draft('Node', 'n'))).metadata;
    const results = await Promise.allSettled(
      [2, 3, 4].map(a =>
        store.commit(HUB, [put(draft('Node', 'n', { spec: { a } }), { resourceVersion })]),
      ),
    );
    assert.deepEqual(results.map(r => r.status).sort(), ['fulfilled', 'rejected', 'rejected']);
  });
  sentence('2,000 commits made at once all succeed with numbers of their own', async given => {
    const commits = Array.from({ length: 2000 }, (_, i) =>
      given.store.commit(HUB, [put(draft('Node', `n${i}`))]),
    );
    const seen = (await Promise.all(commits)).map(c => c.objects[0]?.metadata.resourceVersion);
    assert.equal(new Set(seen).size, 2000);
    assert.equal((await given.store.list('Node')).items.length, 2000);
  });
  sentence('mutations of one commit see those before them', async ({ store }) => {
    const { objects } = await store.commit(HUB, [
      put(draft('Bundle', 'web'), 'absent'),
      put(draft('Bundle', 'web', { spec: { a: 2 } }), { resourceVersion: '1' }),
      remove('web'),
      put(draft('Bundle', 'web'), 'absent'),
    ]);
    assert.deepEqual(
      objects.map(o => o.metadata.resourceVersion),
      ['1', '2', '4'],
    );
  });
  sentence('an empty commit succeeds and changes nothing', async ({ store }) => {
    assert.deepEqual(await store.commit(HUB, []), { resourceVersion: '0', objects: [] });
  });
  sentence('after close every call is Unavailable, and closing again is safe', async given => {
    const { store } = given;
    const last = store.commit(HUB, [put(draft('Pod', 'a'))]);
    await store.close();
    await last;
    await store.close();
    await assert.rejects(store.commit(HUB, []), { code: 'Unavailable' });
    await assert.rejects(store.get('Pod', 'default', 'a'), { code: 'Unavailable' });
    const again = await given.reopen();
    assert.notEqual(await again.get('Pod', 'default', 'a'), null);
  });
}

function aboutAudit(sentence: Sentence): void {
  const hash = (spec: unknown) => sha256Hex(canonicalJson(spec));
  sentence('each change by a user is a line with the hashes of its spec', async ({ store }) => {
    await store.commit(ANN, [put(draft('Bundle', 'web'))]);
    await store.commit(ANN, [put(draft('Bundle', 'web', { spec: { b: 2, a: 1 } }))]);
    await store.commit({ kind: 'user', name: 'bob' }, [remove('web')]);
    const on = { at: START, kind: 'Bundle', namespace: 'default', name: 'web' };
    const [one, two] = [hash({ a: 1 }), hash({ a: 1, b: 2 })];
    const bob = { kind: 'user', name: 'bob' };
    assert.deepEqual(await store.audit(0, 10), [
      { number: 1, ...on, actor: ANN, verb: 'create', before: null, after: one },
      { number: 2, ...on, actor: ANN, verb: 'update', before: one, after: two },
      { number: 3, ...on, actor: bob, verb: 'delete', before: two, after: null },
    ]);
  });
  sentence('what was said with a change is in its line', async ({ store }) => {
    await store.commit(ANN, [{ ...put(draft('Bundle', 'web')), wish: 'revision 1: new logo' }]);
    await store.commit(ANN, [{ ...put(draft('Bundle', 'web')), wish: 'changes nothing' }]);
    const said = (await store.audit(0, 10)).map(({ verb, detail }) => [verb, detail]);
    assert.deepEqual(said, [['create', 'revision 1: new logo']]);
  });
  sentence('nodes, the hub, and puts that change nothing leave no line', async ({ store }) => {
    await store.commit(HUB, [put(draft('Bundle', 'web'))]);
    await store.commit({ kind: 'node', name: 'n' }, [put(draft('Node', 'n'))]);
    await store.commit(ANN, [put(draft('Bundle', 'web'))]);
    await store.pruneEvents(0);
    assert.deepEqual(await store.audit(0, 10), []);
  });
  sentence('a decision of the hub is a line, with who decided and in which words', async given => {
    const detail = 'revision 2: paused (TooManyFailures): 1 failed';
    const of = { kind: 'Rollout', namespace: 'default', name: 'web' } as const;
    assert.equal(await given.store.lastAudit(), 0);
    await given.store.commit(HUB, [{ type: 'decision', ...of, detail }]);
    const store = await given.reopen();
    assert.deepEqual(await store.audit(0, 10), [
      {
        ...{ number: 1, at: START, ...of, actor: HUB, verb: 'decide', before: null, after: null },
        detail,
      },
    ]);
    assert.equal(await store.lastAudit(), 1);
  });
  sentence('a root and an assignment of a user are lines by their digests', async ({ store }) => {
    const envelope = bytes('e');
    const assigned = (generation: number): Mutation => {
      const record = { node: 'n', epoch: 1, generation, digest: `d${generation}`, envelope };
      return { type: 'assignment', record };
    };
    const root = (version: number): Mutation => {
      return { type: 'root', record: { version, digest: `r${version}`, envelope } };
    };
    await store.commit(HUB, [root(1), assigned(1)]);
    await store.commit(ANN, [assigned(2)]);
    await store.commit(ANN, [root(2), assigned(3)]);
    const lines = await store.audit(0, 10);
    assert.deepEqual(
      lines.map(({ verb, kind, name, before, after }) => [verb, kind, name, before, after]),
      [
        ['update', 'Assignment', 'n', 'd1', 'd2'],
        ['create', 'Root', '2', 'r1', 'r2'],
      ],
    );
  });
  sentence('a user who replaces an object leaves a delete and a create', async ({ store }) => {
    await store.commit(ANN, [put(draft('Pod', 'a', { metadata: { uid: 'one' } }))]);
    await store.commit(ANN, [put(draft('Pod', 'a', { metadata: { uid: 'two' } }))]);
    const verbs = (await store.audit(0, 10)).map(line => line.verb);
    assert.deepEqual(verbs, ['create', 'delete', 'create']);
  });
  sentence('the audit log is read in pages', async ({ store }) => {
    for (const name of ['a', 'b', 'c', 'd']) await store.commit(ANN, [put(draft('Pod', name))]);
    const page = await store.audit(1, 2);
    assert.deepEqual(
      page.map(line => [line.number, line.name]),
      [
        [2, 'b'],
        [3, 'c'],
      ],
    );
  });
}

function aboutRestarts(sentence: Sentence): void {
  sentence('the id is 32 hex digits and stays', async ({ store, reopen }) => {
    const id = await store.id();
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.equal(await (await reopen()).id(), id);
  });
  sentence('the resourceVersion goes on after a restart, also past a delete', async given => {
    await putOne(given.store, draft('Bundle', 'web'));
    await given.store.commit(HUB, [remove('web')]);
    const again = await given.reopen();
    assert.equal(await version(again), '2');
    assert.equal((await putOne(again, draft('Bundle', 'new'))).metadata.resourceVersion, '3');
  });
  sentence('objects and the audit log are the same after a restart', async ({ store, reopen }) => {
    await store.commit(ANN, [put(draft('Bundle', 'web', { metadata: { labels: { a: 'b' } } }))]);
    const before = [await store.list('Bundle'), await store.audit(0, 10)];
    const again = await reopen();
    assert.deepEqual([await again.list('Bundle'), await again.audit(0, 10)], before);
    await again.commit(ANN, [remove('web')]);
    assert.equal((await again.audit(1, 10))[0]?.number, 2);
  });
}
