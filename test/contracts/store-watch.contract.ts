/** Store contract: what a watch tells, from where, and when it ends. */
import assert from 'node:assert/strict';
import type { Change, Mutation, ObjectKind, Store } from '../../hub/store/store.js';
import { draft, HUB, put, putOne, type Sentence } from './store-case.js';

/** The farthest that a receiver may fall behind. */
const BEHIND_MAX = 10_000;

interface Watch {
  next(): Promise<Change>;
  /** Resolves when the watch has ended without an error. */
  end(): Promise<void>;
  abort(): void;
}

function watch(store: Store, kind: ObjectKind, from: string): Watch {
  const aborter = new AbortController();
  const changes = store.watch(kind, from, aborter.signal)[Symbol.asyncIterator]();
  return {
    async next() {
      const result = await changes.next();
      if (result.done) throw new Error('the watch has ended');
      return result.value;
    },
    async end() {
      const result = await changes.next();
      assert.ok(result.done, `expected the end, got ${JSON.stringify(result.value)}`);
    },
    abort: () => aborter.abort(),
  };
}

/** `ADDED web@3` */
function told({ type, object: { metadata } }: Change): string {
  return `${type} ${metadata.name}@${metadata.resourceVersion}`;
}

async function take(from: Watch, count: number): Promise<string[]> {
  const seen: string[] = [];
  while (seen.length < count) seen.push(told(await from.next()));
  return seen;
}

const remove = (kind: ObjectKind, name: string): Mutation => ({
  type: 'delete',
  kind,
  namespace: kind === 'Node' ? '' : 'default',
  name,
});

/** Many changes of one kind, some hundred to a commit. */
async function flood(store: Store, kind: ObjectKind, changes: number): Promise<void> {
  const commits: Promise<unknown>[] = [];
  for (let i = 0; i < changes; i += 500) {
    const count = Math.min(500, changes - i);
    const mutations = Array.from({ length: count }, (_, j) =>
      put(draft(kind, 'flood', { spec: { n: i + j } })),
    );
    commits.push(store.commit(HUB, mutations));
  }
  await Promise.all(commits);
}

export function watchContract(sentence: Sentence): void {
  aboutChanges(sentence);
  aboutHistory(sentence);
  aboutEnds(sentence);
}

function aboutChanges(sentence: Sentence): void {
  sentence('a watch tells what happened since, then what happens, in order', async ({ store }) => {
    await putOne(store, draft('Pod', 'a'));
    const { resourceVersion } = await store.list('Pod');
    await putOne(store, draft('Pod', 'b'));
    await putOne(store, draft('Pod', 'a', { spec: { a: 2 } }));
    const watching = watch(store, 'Pod', resourceVersion);
    assert.deepEqual(await take(watching, 2), ['ADDED b@2', 'MODIFIED a@3']);
    const live = take(watching, 2);
    await store.commit(HUB, [remove('Pod', 'a'), put(draft('Pod', 'c'))]);
    assert.deepEqual(await live, ['DELETED a@4', 'ADDED c@5']);
    watching.abort();
  });
  sentence('a watch tells of its own kind only', async ({ store }) => {
    const watching = watch(store, 'Node', '0');
    await putOne(store, draft('Pod', 'a'));
    await putOne(store, draft('Node', 'n'));
    assert.deepEqual(await take(watching, 1), ['ADDED n@2']);
    watching.abort();
  });
  sentence('a change carries the object after it and before it', async ({ store }) => {
    const watching = watch(store, 'Node', '0');
    const first = await putOne(store, draft('Node', 'n', { metadata: { labels: { a: '1' } } }));
    const second = await putOne(store, draft('Node', 'n', { metadata: { labels: { a: '2' } } }));
    await store.commit(HUB, [remove('Node', 'n')]);
    const deleted = { ...second, metadata: { ...second.metadata, resourceVersion: '3' } };
    assert.deepEqual(await watching.next(), { type: 'ADDED', object: first, previous: null });
    assert.deepEqual(await watching.next(), { type: 'MODIFIED', object: second, previous: first });
    assert.deepEqual(await watching.next(), { type: 'DELETED', object: deleted, previous: second });
    watching.abort();
  });
  sentence('another uid is told as DELETED, then ADDED', async ({ store }) => {
    await putOne(store, draft('Pod', 'a', { metadata: { uid: 'one' } }));
    const watching = watch(store, 'Pod', '1');
    await putOne(store, draft('Pod', 'a', { metadata: { uid: 'two' } }));
    const [gone, made] = [await watching.next(), await watching.next()];
    assert.deepEqual([told(gone), told(made)], ['DELETED a@2', 'ADDED a@3']);
    assert.deepEqual([gone.object.metadata.uid, made.object.metadata.uid], ['one', 'two']);
    assert.equal(made.previous, null);
    watching.abort();
  });
  sentence('what failed or changed nothing is not told', async ({ store }) => {
    await putOne(store, draft('Pod', 'a'));
    const watching = watch(store, 'Pod', '1');
    await putOne(store, draft('Pod', 'a'));
    const failing = store.commit(HUB, [put(draft('Pod', 'x')), remove('Pod', 'none')]);
    await assert.rejects(failing, { code: 'NotFound' });
    await putOne(store, draft('Pod', 'b'));
    assert.deepEqual(await take(watching, 1), ['ADDED b@2']);
    watching.abort();
  });
  sentence('pruned events are told as DELETED, oldest first', async ({ store }) => {
    for (const name of ['b', 'a', 'c']) await putOne(store, draft('Event', name));
    const watching = watch(store, 'Event', '3');
    await store.pruneEvents(1);
    assert.deepEqual(await take(watching, 2), ['DELETED b@4', 'DELETED a@5']);
    watching.abort();
  });
  sentence('a change is told only once it can be read', async ({ store }) => {
    const watching = watch(store, 'Pod', '0');
    const read = watching.next().then(() => store.get('Pod', 'default', 'a'));
    void store.commit(HUB, [put(draft('Pod', 'a'))]);
    assert.equal((await read)?.metadata.name, 'a');
    watching.abort();
  });
  sentence('of list and watch together nothing is missed or told twice', async ({ store }) => {
    const writing = Promise.all(
      Array.from({ length: 300 }, (_, i) => store.commit(HUB, [put(draft('Pod', `p${i}`))])),
    );
    const { items, resourceVersion } = await store.list('Pod');
    const watching = watch(store, 'Pod', resourceVersion);
    const seen = items.map(o => o.metadata.name);
    while (seen.length < 300) seen.push((await watching.next()).object.metadata.name);
    await writing;
    assert.equal(new Set(seen).size, 300);
    watching.abort();
  });
}

function aboutHistory(sentence: Sentence): void {
  sentence('after a restart the current resourceVersion can be watched', async given => {
    await putOne(given.store, draft('Pod', 'a'));
    const again = await given.reopen();
    const watching = watch(again, 'Pod', '1');
    await putOne(again, draft('Pod', 'b'));
    assert.deepEqual(await take(watching, 1), ['ADDED b@2']);
    watching.abort();
  });
  sentence('after a restart an older resourceVersion is Expired', async ({ store, reopen }) => {
    await putOne(store, draft('Pod', 'a'));
    await putOne(store, draft('Pod', 'b'));
    const watching = watch(await reopen(), 'Pod', '1');
    await assert.rejects(watching.next(), { name: 'StoreError', code: 'Expired' });
  });
  for (const from of ['1', '999', '', 'x', '-1', '0.5']) {
    sentence(`resourceVersion "${from}", which was never given out, is Expired`, async given => {
      await assert.rejects(watch(given.store, 'Pod', from).next(), { code: 'Expired' });
    });
  }
  sentence('more than 10,000 changes back is Expired, up to that is told', async ({ store }) => {
    await flood(store, 'Node', BEHIND_MAX + 5);
    await assert.rejects(watch(store, 'Node', '4').next(), { code: 'Expired' });
    const watching = watch(store, 'Node', '5');
    assert.equal(told(await watching.next()), 'MODIFIED flood@6');
    watching.abort();
  });
  sentence('a receiver more than 10,000 changes behind gets Expired', async ({ store }) => {
    await putOne(store, draft('Node', 'a'));
    const watching = watch(store, 'Node', '0');
    assert.equal(told(await watching.next()), 'ADDED a@1');
    await flood(store, 'Node', BEHIND_MAX + 1);
    await assert.rejects(watching.next(), { code: 'Expired' });
  });
  sentence('of large objects fewer changes are told than 10,000', async ({ store }) => {
    for (let n = 1; n <= 18; n++) {
      const spec = { n, filling: 'x'.repeat(1024 * 1024) };
      await putOne(store, draft('Node', 'large', { spec }));
    }
    await assert.rejects(watch(store, 'Node', '2').next(), { code: 'Expired' });
    const watching = watch(store, 'Node', '3');
    const { object, previous } = await watching.next();
    const numbers = [object, previous].map(one => (one?.spec as { n: number }).n);
    assert.deepEqual(numbers, [4, 3]);
    watching.abort();
  });
  sentence('one change larger than the whole history is told', async ({ store }) => {
    await putOne(store, draft('Node', 'a'));
    const spec = 'x'.repeat(17 * 1024 * 1024);
    await putOne(store, draft('Node', 'huge', { spec }));
    const watching = watch(store, 'Node', '1');
    assert.deepEqual(await take(watching, 1), ['ADDED huge@2']);
    watching.abort();
  });
  sentence('each change tells the object as it was before', async ({ store }) => {
    const at = (labels: Record<string, string>, status: unknown) =>
      putOne(store, draft('Node', 'a', { metadata: { labels }, spec: { same: true }, status }));
    await at({}, 1);
    await at({ site: 'x' }, 1);
    await at({ site: 'x' }, 2);
    const watching = watch(store, 'Node', '0');
    const seen: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      const { object, previous } = await watching.next();
      seen.push([previous, object].map(one => one && [one.metadata.labels, one.status]));
    }
    const [first, second, third] = [
      [{}, 1],
      [{ site: 'x' }, 1],
      [{ site: 'x' }, 2],
    ];
    assert.deepEqual(seen, [
      [null, first],
      [first, second],
      [second, third],
    ]);
    watching.abort();
  });
  sentence('a flood of one kind does not expire the watches of another', async ({ store }) => {
    await putOne(store, draft('Bundle', 'a'));
    const watching = watch(store, 'Bundle', '0');
    await flood(store, 'Node', BEHIND_MAX + 1);
    await putOne(store, draft('Bundle', 'b'));
    assert.deepEqual(await take(watching, 2), ['ADDED a@1', `ADDED b@${BEHIND_MAX + 3}`]);
    watching.abort();
  });
}

function aboutEnds(sentence: Sentence): void {
  sentence('a watch that waits ends when its signal aborts', async ({ store }) => {
    const watching = watch(store, 'Pod', '0');
    const end = watching.end();
    watching.abort();
    await end;
  });
  sentence('an aborted watch tells no more, though there is more to tell', async ({ store }) => {
    await store.commit(HUB, [put(draft('Pod', 'a')), put(draft('Pod', 'b'))]);
    const watching = watch(store, 'Pod', '0');
    assert.equal(told(await watching.next()), 'ADDED a@1');
    watching.abort();
    await watching.end();
  });
  sentence('a signal that was aborted before gives an empty watch', async ({ store }) => {
    await putOne(store, draft('Pod', 'a'));
    const watching = watch(store, 'Pod', '0');
    watching.abort();
    await watching.end();
  });
  sentence('one watch that ends does not disturb another', async ({ store }) => {
    const [one, other] = [watch(store, 'Pod', '0'), watch(store, 'Pod', '0')];
    const [end, next] = [one.end(), take(other, 1)];
    one.abort();
    await end;
    await putOne(store, draft('Pod', 'a'));
    assert.deepEqual(await next, ['ADDED a@1']);
    other.abort();
  });
  sentence('a loop may leave a watch with break', async ({ store }) => {
    await store.commit(HUB, [put(draft('Pod', 'a')), put(draft('Pod', 'b'))]);
    const seen: string[] = [];
    for await (const change of store.watch('Pod', '0', new AbortController().signal)) {
      seen.push(told(change));
      break;
    }
    assert.deepEqual(seen, ['ADDED a@1']);
  });
  sentence('closing the store ends its watches', async ({ store }) => {
    const watching = watch(store, 'Pod', '0');
    const end = watching.end();
    await store.close();
    await end;
  });
}
