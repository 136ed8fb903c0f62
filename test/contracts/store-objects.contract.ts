/** Store contract: objects, what a put and a delete do to them, lists. */
import assert from 'node:assert/strict';
import type { Store } from '../../hub/store/store.js';
import {
  draft,
  HUB,
  put,
  putOne,
  removeBundle as remove,
  type Sentence,
  START,
} from './store-case.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function version(store: Store): Promise<string> {
  return (await store.list('Bundle')).resourceVersion;
}

export function objectContract(sentence: Sentence): void {
  aboutPuts(sentence);
  aboutUnchangedPuts(sentence);
  aboutExpectations(sentence);
  aboutDeletes(sentence);
  aboutLists(sentence);
}

function aboutPuts(sentence: Sentence): void {
  sentence('a created object has uid, generation 1, the time and the first number', async given => {
    const made = await putOne(given.store, draft('Bundle', 'web', { status: { ok: true } }));
    assert.match(made.metadata.uid, UUID);
    assert.deepEqual(made, {
      kind: 'Bundle',
      metadata: {
        namespace: 'default',
        name: 'web',
        uid: made.metadata.uid,
        generation: 1,
        resourceVersion: '1',
        creationTimestamp: START,
        labels: {},
        annotations: {},
      },
      spec: { a: 1 },
      status: { ok: true },
    });
    assert.deepEqual(await given.store.get('Bundle', 'default', 'web'), made);
  });
  sentence('uid and creation time of a draft are taken over', async ({ store }) => {
    const metadata = { uid: 'from-the-node', creationTimestamp: '2020-02-02T02:02:02Z' };
    const made = await putOne(store, draft('Pod', 'a', { metadata }));
    assert.equal(made.metadata.uid, 'from-the-node');
    assert.equal(made.metadata.creationTimestamp, '2020-02-02T02:02:02Z');
  });
  sentence('a change of spec raises the generation', async ({ store }) => {
    await putOne(store, draft('Bundle', 'web'));
    const next = await putOne(store, draft('Bundle', 'web', { spec: { a: 2 } }));
    assert.equal(next.metadata.generation, 2);
    assert.equal(next.metadata.resourceVersion, '2');
  });
  sentence('a change of status, label or annotation keeps the generation', async ({ store }) => {
    await putOne(store, draft('Node', 'n'));
    const status = await putOne(store, draft('Node', 'n', { status: { up: 1 } }));
    const metadata = { labels: { a: 'b' } };
    const labels = await putOne(store, draft('Node', 'n', { status: { up: 1 }, metadata }));
    const both = { ...metadata, annotations: { c: 'd' } };
    const notes = await putOne(store, draft('Node', 'n', { status: { up: 1 }, metadata: both }));
    assert.deepEqual(
      [status, labels, notes].map(o => [o.metadata.generation, o.metadata.resourceVersion]),
      [
        [1, '2'],
        [1, '3'],
        [1, '4'],
      ],
    );
    assert.deepEqual(notes.metadata.labels, { a: 'b' });
    assert.deepEqual(await store.get('Node', '', 'n'), notes);
  });
  sentence('a put replaces labels, annotations, spec and status whole', async ({ store }) => {
    const metadata = { labels: { a: '1', b: '2' }, annotations: { c: '3' } };
    await putOne(store, draft('Node', 'n', { spec: { x: 1, y: 2 }, status: { z: 3 }, metadata }));
    const next = await putOne(store, draft('Node', 'n', { spec: { y: 2 } }));
    assert.deepEqual(
      [next.metadata.labels, next.metadata.annotations, next.spec, next.status],
      [{}, {}, { y: 2 }, null],
    );
  });
  sentence('uid and creation time stay over changes', async ({ store, clock }) => {
    const first = await putOne(store, draft('Bundle', 'web'));
    clock.set('2027-01-01T00:00:00Z');
    const next = await putOne(store, draft('Bundle', 'web', { spec: { a: 2 } }));
    assert.equal(next.metadata.uid, first.metadata.uid);
    assert.equal(next.metadata.creationTimestamp, START);
  });
  sentence('a draft with another uid makes a new object of generation 1', async ({ store }) => {
    await putOne(store, draft('Pod', 'a', { metadata: { uid: 'one' } }));
    await putOne(store, draft('Pod', 'a', { spec: { a: 2 }, metadata: { uid: 'one' } }));
    const next = await putOne(store, draft('Pod', 'a', { metadata: { uid: 'two' } }));
    assert.equal(next.metadata.uid, 'two');
    assert.equal(next.metadata.generation, 1);
    assert.equal(next.metadata.resourceVersion, '4');
    assert.deepEqual((await store.list('Pod')).items, [next]);
  });
  sentence('text of every kind comes back as it went in', async ({ store }) => {
    const spec = { 'ключ "\\': '\u0000\u2028 𝒳 \ud800', list: [1.5, -7, true, null, '', [], {}] };
    await putOne(store, draft('Bundle', 'web', { spec }));
    assert.deepEqual((await store.get('Bundle', 'default', 'web'))?.spec, spec);
  });
  sentence('an object that was read does not change with the store', async ({ store }) => {
    await putOne(store, draft('Bundle', 'web'));
    const before = await store.get('Bundle', 'default', 'web');
    await putOne(store, draft('Bundle', 'web', { spec: { a: 2 } }));
    assert.deepEqual(before?.spec, { a: 1 });
  });
}

function aboutUnchangedPuts(sentence: Sentence): void {
  sentence('a put that changes nothing keeps the resourceVersion', async ({ store }) => {
    const first = await putOne(store, draft('Bundle', 'web', { spec: { a: 1, b: { c: [1, 2] } } }));
    const again = await putOne(store, draft('Bundle', 'web', { spec: { a: 1, b: { c: [1, 2] } } }));
    assert.deepEqual(again, first);
    assert.equal(await version(store), '1');
  });
  sentence('another order of keys is no change', async ({ store }) => {
    const first = await putOne(
      store,
      draft('Bundle', 'web', { spec: { a: 1, b: { c: 1, d: 2 } } }),
    );
    const again = await putOne(
      store,
      draft('Bundle', 'web', { spec: { b: { d: 2, c: 1 }, a: 1 } }),
    );
    assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
  });
  sentence('a field that is undefined is the same as none', async ({ store }) => {
    const first = await putOne(store, draft('Bundle', 'web', { spec: { a: 1 } }));
    const again = await putOne(store, draft('Bundle', 'web', { spec: { a: 1, b: undefined } }));
    assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
  });
  sentence('another order in a list is a change', async ({ store }) => {
    await putOne(store, draft('Bundle', 'web', { spec: { a: [1, 2] } }));
    const next = await putOne(store, draft('Bundle', 'web', { spec: { a: [2, 1] } }));
    assert.equal(next.metadata.generation, 2);
  });
}

function aboutExpectations(sentence: Sentence): void {
  sentence('expect absent: a taken name is AlreadyExists, even unchanged', async ({ store }) => {
    await store.commit(HUB, [put(draft('Bundle', 'web'), 'absent')]);
    await assert.rejects(store.commit(HUB, [put(draft('Bundle', 'web'), 'absent')]), {
      name: 'StoreError',
      code: 'AlreadyExists',
    });
  });
  sentence('expect absent: another kind or namespace of that name is no obstacle', async given => {
    const elsewhere = draft('Bundle', 'web', { metadata: { namespace: 'other' } });
    await given.store.commit(HUB, [put(draft('Bundle', 'web'), 'absent')]);
    await given.store.commit(HUB, [put(draft('Pod', 'web'), 'absent')]);
    await given.store.commit(HUB, [put(elsewhere, 'absent')]);
    assert.equal((await given.store.list('Bundle')).items.length, 2);
  });
  sentence('expect a resourceVersion: the current one passes', async ({ store }) => {
    const { resourceVersion } = (await putOne(store, draft('Bundle', 'web'))).metadata;
    const next = draft('Bundle', 'web', { spec: { a: 2 } });
    const { objects } = await store.commit(HUB, [put(next, { resourceVersion })]);
    assert.deepEqual(objects[0]?.spec, { a: 2 });
  });
  sentence('expect a resourceVersion: an older one is Conflict', async ({ store }) => {
    const { resourceVersion } = (await putOne(store, draft('Bundle', 'web'))).metadata;
    await putOne(store, draft('Bundle', 'web', { spec: { a: 2 } }));
    const late = put(draft('Bundle', 'web', { spec: { a: 3 } }), { resourceVersion });
    await assert.rejects(store.commit(HUB, [late]), { code: 'Conflict' });
    assert.deepEqual((await store.get('Bundle', 'default', 'web'))?.spec, { a: 2 });
  });
  sentence('expect a resourceVersion: of no object is NotFound', async ({ store }) => {
    const late = put(draft('Bundle', 'web'), { resourceVersion: '1' });
    await assert.rejects(store.commit(HUB, [late]), { code: 'NotFound' });
  });
}

function aboutDeletes(sentence: Sentence): void {
  sentence('a deleted object is gone and its deletion has a number', async ({ store }) => {
    await putOne(store, draft('Bundle', 'web'));
    const { resourceVersion, objects } = await store.commit(HUB, [remove('web')]);
    assert.equal(resourceVersion, '2');
    assert.deepEqual(objects, []);
    assert.equal(await store.get('Bundle', 'default', 'web'), null);
  });
  sentence('a delete of no object is NotFound', async ({ store }) => {
    await assert.rejects(store.commit(HUB, [remove('web')]), { code: 'NotFound' });
  });
  sentence('a delete that expects an older resourceVersion is Conflict', async ({ store }) => {
    await putOne(store, draft('Bundle', 'web'));
    await putOne(store, draft('Bundle', 'web', { spec: { a: 2 } }));
    const late = remove('web', { resourceVersion: '1' });
    await assert.rejects(store.commit(HUB, [late]), { code: 'Conflict' });
    await store.commit(HUB, [remove('web', { resourceVersion: '2' })]);
    assert.equal(await store.get('Bundle', 'default', 'web'), null);
  });
  sentence('an object made anew has another uid and starts at generation 1', async ({ store }) => {
    const first = await putOne(store, draft('Bundle', 'web'));
    await putOne(store, draft('Bundle', 'web', { spec: { a: 2 } }));
    await store.commit(HUB, [remove('web')]);
    const next = await putOne(store, draft('Bundle', 'web'));
    assert.notEqual(next.metadata.uid, first.metadata.uid);
    assert.equal(next.metadata.generation, 1);
    assert.equal(next.metadata.resourceVersion, '4');
  });
  sentence('pruning keeps the events that changed last', async ({ store }) => {
    for (const name of ['a', 'b', 'c', 'd']) await putOne(store, draft('Event', name));
    await putOne(store, draft('Pod', 'p'));
    await putOne(store, draft('Event', 'a', { spec: { count: 2 } }));
    assert.equal(await store.pruneEvents(2), 2);
    const left = (await store.list('Event')).items.map(o => o.metadata.name);
    assert.deepEqual(left, ['a', 'd']);
    assert.equal(await store.pruneEvents(2), 0);
    assert.equal((await store.list('Pod')).items.length, 1);
  });
}

function aboutLists(sentence: Sentence): void {
  sentence('a list is ordered by namespace, then name, by code point', async ({ store }) => {
    const keys = ['b/a', 'a/b', 'a/B', 'a/a-1', 'a/a', 'a-b/a', 'a/a.1'];
    for (const key of keys) {
      const [namespace = '', name = ''] = key.split('/');
      await putOne(store, draft('Pod', name, { metadata: { namespace } }));
    }
    const { items, resourceVersion } = await store.list('Pod');
    assert.deepEqual(
      items.map(({ metadata: m }) => `${m.namespace}/${m.name}`),
      ['a/B', 'a/a', 'a/a-1', 'a/a.1', 'a/b', 'a-b/a', 'b/a'],
    );
    assert.equal(resourceVersion, '7');
  });
  sentence('a list has one kind, and one namespace if asked', async ({ store }) => {
    await putOne(store, draft('Pod', 'p'));
    await putOne(store, draft('Bundle', 'p'));
    await putOne(store, draft('Pod', 'q', { metadata: { namespace: 'other' } }));
    const { items } = await store.list('Pod', { namespace: 'other' });
    assert.deepEqual(
      items.map(o => [o.kind, o.metadata.name]),
      [['Pod', 'q']],
    );
    assert.deepEqual((await store.list('Pod', { namespace: 'none' })).items, []);
  });
  sentence('an empty store lists nothing at resourceVersion 0', async ({ store }) => {
    assert.deepEqual(await store.list('Node'), { resourceVersion: '0', items: [] });
    assert.equal(await store.get('Node', '', 'n'), null);
  });
}
