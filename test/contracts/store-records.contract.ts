/** Store contract: revisions, blobs, roots, publications and rollouts. */
import assert from 'node:assert/strict';
import type { Mutation, RevisionRecord, Store } from '../../hub/store/store.js';
import {
  PAST_ROLLOUTS_KEPT,
  type PastRollout,
  type RolloutNode,
} from '../../hub/store/rollout-records.js';
import { assignment, bytes, commit, draft, HUB, put, type Sentence } from './store-case.js';

function revision(number: number, digest: string, more: Partial<RevisionRecord> = {}) {
  const record: RevisionRecord = {
    namespace: 'default',
    bundle: 'web',
    revision: number,
    digest,
    size: 17,
    envelope: bytes(`envelope of ${digest}`),
    createdBy: 'ann',
    createdAt: '2026-01-02T03:04:05Z',
    ...more,
  };
  return record;
}

const publish = (topic: string, text: string | null): Mutation => ({
  type: 'publish',
  topic,
  payload: text === null ? null : bytes(text),
});

export function recordContract(sentence: Sentence): void {
  aboutRevisions(sentence);
  aboutBlobsAndRoots(sentence);
  aboutPublications(sentence);
  aboutListeners(sentence);
  aboutRollouts(sentence);
}

function aboutRevisions(sentence: Sentence): void {
  const add = (record: RevisionRecord): Mutation => ({ type: 'revision', record });
  sentence('revisions are found by number and digest and listed ascending', async ({ store }) => {
    const other = revision(1, 'd9', { bundle: 'db' });
    for (const record of [revision(2, 'd2'), revision(10, 'd10'), revision(1, 'd1'), other]) {
      await commit(store, add(record));
    }
    const all = await store.revisions('default', 'web');
    assert.deepEqual(all, [revision(1, 'd1'), revision(2, 'd2'), revision(10, 'd10')]);
    assert.deepEqual(await store.revision('default', 'web', 2), revision(2, 'd2'));
    assert.deepEqual(await store.revisionByDigest('d9'), other);
    assert.equal(await store.revision('other', 'web', 2), null);
    assert.equal(await store.revisionByDigest('d0'), null);
  });
  sentence('the same revision again does nothing, another digest is Conflict', async given => {
    const { store } = given;
    await commit(store, add(revision(1, 'd1')));
    await commit(store, add(revision(1, 'd1')));
    await assert.rejects(commit(store, add(revision(1, 'other'))), { code: 'Conflict' });
    assert.deepEqual(await store.revisions('default', 'web'), [revision(1, 'd1')]);
  });
  sentence(
    'the same revision with other signatures takes the newer envelope',
    async ({ store }) => {
      const { createdAt } = revision(1, 'd1');
      await commit(store, add(revision(1, 'd1')));
      const later = {
        envelope: Buffer.from('more signatures'),
        createdBy: 'b',
        createdAt: 'later',
      };
      await commit(store, add(revision(1, 'd1', later)));
      const record = await store.revision('default', 'web', 1);
      assert.deepEqual(Buffer.from(record?.envelope ?? []), later.envelope);
      assert.equal(record?.createdAt, createdAt);
    },
  );
  sentence('revisions outlive their bundle', async ({ store, reopen }) => {
    await commit(store, put(draft('Bundle', 'web')), add(revision(1, 'd1')));
    await commit(store, { type: 'delete', kind: 'Bundle', namespace: 'default', name: 'web' });
    assert.deepEqual(await store.revisions('default', 'web'), [revision(1, 'd1')]);
    const again = await reopen();
    assert.deepEqual(await again.revisions('default', 'web'), [revision(1, 'd1')]);
    await assert.rejects(commit(again, add(revision(1, 'd2'))), { code: 'Conflict' });
  });
}

function aboutBlobsAndRoots(sentence: Sentence): void {
  const blob = (digest: string, content: Uint8Array): Mutation => ({
    type: 'blob',
    record: { digest, content },
  });
  sentence('a blob keeps its bytes, all 256 of them and none', async ({ store }) => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    await commit(store, blob('d1', all), blob('d2', new Uint8Array(0)));
    assert.deepEqual(await store.blob('d1'), { digest: 'd1', content: all });
    assert.deepEqual(await store.blob('d2'), { digest: 'd2', content: new Uint8Array(0) });
    assert.equal(await store.blob('d3'), null);
  });
  sentence('a window into a larger buffer is stored as the window', async ({ store }) => {
    await commit(store, blob('d1', bytes('abcdef').subarray(2, 4)));
    assert.deepEqual((await store.blob('d1'))?.content, bytes('cd'));
  });
  sentence('the same blob again does nothing, other bytes are Conflict', async ({ store }) => {
    await commit(store, blob('d1', bytes('x')));
    await commit(store, blob('d1', bytes('x')));
    await assert.rejects(commit(store, blob('d1', bytes('y'))), { code: 'Conflict' });
    assert.deepEqual((await store.blob('d1'))?.content, bytes('x'));
  });
  sentence('a dropped blob is gone, and dropping it again does nothing', async ({ store }) => {
    await commit(store, blob('d1', bytes('x')));
    await commit(store, { type: 'dropBlob', digest: 'd1' });
    await commit(store, { type: 'dropBlob', digest: 'd1' });
    assert.equal(await store.blob('d1'), null);
  });
  sentence('roots are found by version and digest; none given is the newest', async given => {
    const { store } = given;
    const root = (version: number, digest: string) => ({
      version,
      digest,
      envelope: bytes(digest),
    });
    assert.equal(await store.root(), null);
    for (const record of [root(1, 'r1'), root(10, 'r10'), root(2, 'r2'), root(2, 'r2')]) {
      await commit(store, { type: 'root', record });
    }
    assert.deepEqual(await store.root(), root(10, 'r10'));
    assert.deepEqual(await store.root(2), root(2, 'r2'));
    assert.deepEqual(await store.rootByDigest('r1'), root(1, 'r1'));
    assert.equal(await store.root(3), null);
    const second = commit(store, { type: 'root', record: root(2, 'other') });
    await assert.rejects(second, { code: 'Conflict' });
  });
}

function aboutPublications(sentence: Sentence): void {
  sentence('a topic holds its newest publication, with a number that grows', async ({ store }) => {
    await commit(store, publish('a', '1'), publish('b', '1'));
    await commit(store, publish('a', '2'));
    assert.deepEqual(await store.publications(0, 10), [
      { number: 2, topic: 'b', payload: bytes('1') },
      { number: 3, topic: 'a', payload: bytes('2') },
    ]);
    assert.deepEqual((await store.publication('a'))?.number, 3);
    assert.equal(await store.publication('c'), null);
    assert.equal(await store.lastPublication(), 3);
    const left = await store.publications(1, 100);
    assert.equal(await store.countPublications(1), left.length);
    assert.equal(await store.countPublications(3), 0);
  });
  sentence('publishing what the topic holds already keeps the number', async ({ store }) => {
    await commit(store, publish('a', '1'), publish('b', null));
    await commit(store, publish('a', '1'), publish('b', null));
    assert.equal(await store.lastPublication(), 2);
    assert.equal((await store.publication('a'))?.number, 1);
  });
  sentence('an emptied topic is a publication; no bytes are not an empty topic', async given => {
    const { store } = given;
    await commit(store, publish('a', 'x'));
    await commit(store, publish('a', ''));
    assert.deepEqual(await store.publication('a'), { number: 2, topic: 'a', payload: bytes('') });
    await commit(store, publish('a', null));
    assert.deepEqual(await store.publication('a'), { number: 3, topic: 'a', payload: null });
  });
  sentence('publications are read in pages', async ({ store }) => {
    for (const topic of ['a', 'b', 'c', 'd']) await commit(store, publish(topic, topic));
    const page = await store.publications(1, 2);
    assert.deepEqual(
      page.map(p => [p.number, p.topic]),
      [
        [2, 'b'],
        [3, 'c'],
      ],
    );
  });
  sentence(
    'since when nothing needs a topic is kept over a restart, until something does',
    async given => {
      const since = (topic: string, at: string | null) =>
        ({ type: 'unneeded', topic, since: at }) as const;
      const [one, two] = ['2026-06-01T00:00:00.000Z', '2026-06-02T00:00:00.000Z'];
      await commit(given.store, since('a', one), since('b', one), since('c', null));
      await commit(given.store, since('a', two), since('b', null), publish('a', '1'));
      assert.deepEqual([...(await given.store.unneeded())], [['a', two]]);
      const again = await given.reopen();
      assert.deepEqual([...(await again.unneeded())], [['a', two]]);
    },
  );
  sentence('the numbers of publications go on after a restart', async ({ store, reopen }) => {
    await commit(store, publish('a', '1'), publish('a', '2'));
    const again = await reopen();
    assert.equal(await again.lastPublication(), 2);
    await commit(again, publish('a', '3'));
    assert.equal((await again.publication('a'))?.number, 3);
  });
}

function aboutListeners(sentence: Sentence): void {
  sentence('a listener hears what a commit touched, once it can be read', async ({ store }) => {
    const heard: string[] = [];
    const stop = store.onCommit(touched => heard.push(...touched));
    await commit(store, put(draft('Node', 'n')), publish('a', '1'));
    await until(() => heard.length === 2);
    assert.deepEqual(heard.sort(), ['Node', 'publish']);
    stop();
    await commit(store, put(draft('Pod', 'p')));
    await settle(store);
    assert.equal(heard.length, 2);
  });
  sentence('a listener hears nothing of what failed or changed nothing', async ({ store }) => {
    const heard: string[] = [];
    await commit(store, put(draft('Node', 'n')), publish('a', '1'));
    await settle(store);
    store.onCommit(touched => heard.push(...touched));
    await commit(store, put(draft('Node', 'n')), publish('a', '1'));
    await commit(store, { type: 'dropBlob', digest: 'none' });
    const failing = commit(store, put(draft('Pod', 'p')), put(draft('Node', 'n'), 'absent'));
    await assert.rejects(failing, { code: 'AlreadyExists' });
    await commit(store, put(draft('Token', 't')));
    await until(() => heard.length > 0);
    assert.deepEqual(heard, ['Token']);
  });
}

const UNTOLD = {
  wave: 0,
  toldAt: null,
  isBack: false,
  isExcused: false,
  isReleased: false,
  obstacle: null,
};

function aboutRollouts(sentence: Sentence): void {
  const row = (node: string, more: Partial<RolloutNode> = {}): Mutation => {
    const record = { ...UNTOLD, node, ...more };
    return { type: 'rolloutNode', namespace: 'default', bundle: 'web', record };
  };
  sentence('what a rollout did with a node is kept by bundle and node', async ({ store }) => {
    const toldAt = '2026-01-02T03:04:05.678Z';
    await commit(
      store,
      row('b'),
      row('a'),
      row('b', { wave: 1, toldAt, isExcused: true, isReleased: true, obstacle: 'too much' }),
    );
    const kept = await store.rolloutNodes('default', 'web');
    assert.deepEqual(kept, [
      { ...UNTOLD, node: 'a' },
      {
        ...UNTOLD,
        node: 'b',
        wave: 1,
        toldAt,
        isExcused: true,
        isReleased: true,
        obstacle: 'too much',
      },
    ]);
    assert.deepEqual(await store.rolloutNodes('other', 'web'), []);
    await commit(store, { type: 'dropRolloutNodes', namespace: 'default', bundle: 'bar' });
    assert.equal((await store.rolloutNodes('default', 'web')).length, 2);
    await commit(store, { type: 'dropRolloutNodes', namespace: 'default', bundle: 'web' });
    assert.deepEqual(await store.rolloutNodes('default', 'web'), []);
  });
  sentence(
    'a node that goes leaves its row in no rollout; others keep theirs',
    async ({ store }) => {
      const record = { ...UNTOLD, node: 'a' };
      const other: Mutation = { type: 'rolloutNode', namespace: 'default', bundle: 'bar', record };
      await commit(store, row('a'), row('b'), other);
      await commit(store, { type: 'dropRolloutNode', node: 'a' });
      assert.deepEqual(await store.rolloutNodes('default', 'bar'), []);
      const left = await store.rolloutNodes('default', 'web');
      assert.deepEqual(
        left.map(({ node }) => node),
        ['b'],
      );
    },
  );
  const past = (revision: number, more: Partial<PastRollout> = {}, bundle = 'web'): Mutation => {
    const record: PastRollout = {
      ...{ revision, digest: `d${revision}`, changeCause: 'why', nodeSelector: 'a=b' },
      ...{ rollout: null, endedAt: '2026-01-02T03:04:05.678Z', endedBy: 'ann', next: null },
      ...more,
    };
    return { type: 'pastRollout', namespace: 'default', bundle, record };
  };
  sentence('how a revision ended is kept by bundle and revision', async ({ store, reopen }) => {
    const rollout = { status: { phase: 'completed' } };
    await commit(store, past(2, { rollout, next: 3 }), past(1), past(1, { changeCause: '' }));
    await commit(store, past(7, {}, 'bar'));
    const kept = await (await reopen()).pastRollouts('default', 'web');
    assert.deepEqual(
      kept.map(one => [one.revision, one.changeCause, one.rollout, one.next]),
      [
        [1, '', null, null],
        [2, 'why', rollout, 3],
      ],
    );
  });
  sentence('of how revisions ended only the newest are kept, of each bundle', async ({ store }) => {
    await commit(store, past(1, {}, 'bar'));
    const many = Array.from({ length: PAST_ROLLOUTS_KEPT + 2 }, (_, i) => past(i + 1));
    await commit(store, ...many);
    const kept = await store.pastRollouts('default', 'web');
    assert.equal(kept.length, PAST_ROLLOUTS_KEPT);
    assert.equal(kept[0]?.revision, 3);
    assert.equal((await store.pastRollouts('default', 'bar')).length, 1);
  });
  sentence('a row is written with all of its transaction, or not at all', async ({ store }) => {
    const stale: Mutation = { type: 'assignment', record: assignment(1, 1, 'x') };
    await commit(store, stale);
    await assert.rejects(store.commit(HUB, [row('a'), stale]), { code: 'Conflict' });
    assert.deepEqual(await store.rolloutNodes('default', 'web'), []);
  });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited in vain for: ${String(condition)}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

/**
 * Waits until the listeners have been called for all that was committed: a listener added here
 * hears its own.
 */
async function settle(store: Store): Promise<void> {
  let heard = false;
  const stop = store.onCommit(touched => {
    heard ||= touched.has('Token');
  });
  await commit(store, put(draft('Token', 'settle', { spec: { at: performance.now() } })));
  await until(() => heard);
  stop();
}
