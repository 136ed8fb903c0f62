/** What travels with an assignment: made of what the hub has recorded, for a node that runs another revision. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { NodeObject } from '../../../hub/objects.js';
import { signAssignment } from '../../../hub/rollout/director.js';
import { PatchBook } from '../../../hub/rollout/patches.js';
import { revise, type Revised } from '../../../hub/rollout/revise.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Store } from '../../../hub/store/store.js';
import { sha256Hex } from '../../../protocol/canonical.js';
import { packed } from '../../../protocol/envelope.js';
import { unwrapped } from '../../../protocol/patches.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { topicsOf } from '../../../protocol/topics.js';
import { assignmentDocument, FLEET, HUB, podManifest, RELEASE } from '../../support/fleet.js';
import { MovableClock } from '../../support/hub-fixture.js';

const TOPICS = topicsOf(FLEET);
const UNKNOWN = 'e'.repeat(64);

let directory: string;
let store: Store;
/** The revisions of `shop`, by their numbers. */
const revisions: Revised[] = [];

async function record(
  name: string,
  lastRevision: number,
  image: string,
  extra = '',
): Promise<Revised> {
  const pods = Array.from({ length: 50 }, (_, n) =>
    podManifest(`app-${n}`, n === 7 ? image : 'web:1'),
  );
  return recorded(name, lastRevision, [...pods, annotated('noisy', extra)]);
}

function annotated(name: string, text: string) {
  const metadata = { name, namespace: 'default', annotations: { 'a/b': text } };
  return { ...podManifest(name), metadata };
}

async function recorded(
  name: string,
  lastRevision: number,
  manifests: Parameters<typeof revise>[0]['manifests'],
): Promise<Revised> {
  const revised = revise({
    ...{ fleet: FLEET, topics: TOPICS, namespace: 'default', name, lastRevision },
    manifests,
    images: [],
    ...{ strategy: DEFAULT_STRATEGY, lastRollbackFloor: 0, issued: '2026-06-01T00:00:00.000Z' },
    ...{ createdBy: 'test', signer: RELEASE },
  });
  await store.commit({ kind: 'user', name: 'test' }, revised.mutations);
  return revised;
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-patches-'));
  store = await openSqliteStore({ path: join(directory, 'hub.db'), clock: new MovableClock() });
  for (const number of [1, 2]) revisions.push(await record('shop', number - 1, `web:${number}`));
  revisions.push(
    await record('shop', 2, 'web:3', noise(3)),
    await record('shop', 3, 'web:4', noise(4)),
  );
});
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

/** What nothing can be made of that was there before: 6 KB, deflated. */
function noise(seed: number, times = 200): string {
  return Array.from({ length: times }, (_, n) => sha256Hex(`${seed} ${n}`)).join('');
}

const littleOf = (pod: number, revision: number) => sha256Hex(`${pod} ${revision}`).slice(0, 40);
const noiseOf = (pod: number, revision: number) => noise(pod * 10 + revision);
/** A little of it changed; 300 KiB. */
const largeOf = (pod: number, revision: number) => `${revision} ${noise(pod, 4_800)}`;

const digestOf = (number: number) => revisions[number - 1]?.digest ?? '';

/** What is published for a node that runs `active` of `shop` and is assigned `wanted`. */
async function published(wanted: number, active: string | null, book = new PatchBook(store)) {
  return publishedOf(revisions[wanted - 1], active, book);
}

async function publishedOf(wanted: Revised | undefined, active: string | null, book: PatchBook) {
  const { digest = '', revision = 0 } = wanted ?? {};
  const named = { namespace: 'default', name: 'shop', revision, digest, size: 1, attempt: 0 };
  const signed = signAssignment(assignmentDocument({ bundles: [named] }), HUB, TOPICS);
  const bundles = active === null ? [] : [{ namespace: 'default', name: 'shop', active }];
  const node = { status: { flotilla: { bundles } } } as unknown as NodeObject;
  const { mutations, record } = await book.with(signed, node);
  const payloads = mutations.flatMap(one => (one.type === 'publish' ? [one.payload] : []));
  assert.equal(mutations.length, 2);
  const [payload] = payloads;
  assert.ok(payload);
  const { envelope, patches } = unwrapped(payload);
  assert.deepEqual(Buffer.from(envelope), packed('assignment', record.envelope));
  return { patches, bytes: payload.byteLength - envelope.byteLength };
}

describe('with the assignment of a node travels', () => {
  test('what changed, where it runs another revision: a few hundred bytes of fifty manifests', async () => {
    const { patches, bytes } = await published(2, digestOf(1));
    assert.equal(patches.length, 1);
    assert.equal(patches[0]?.base, digestOf(1).slice(0, 16));
    assert.equal(patches[0]?.blobs.length, 1);
    assert.ok(bytes < 300, `${bytes} bytes`);
  });

  test('the list and what fits of the content, where much changed', async () => {
    const { patches, bytes } = await published(4, digestOf(3));
    assert.equal(patches[0]?.blobs.length, 1);
    assert.ok(bytes < 4096, `${bytes} bytes`);
  });

  const NOTHING: readonly [string, () => string | null][] = [
    ['it runs nothing of it', () => null],
    ['it runs that revision', () => digestOf(2)],
    ['what it runs is not recorded', () => UNKNOWN],
  ];
  for (const [sentence, active] of NOTHING) {
    test(`nothing where ${sentence}`, async () => {
      assert.deepEqual((await published(2, active())).patches, []);
    });
  }

  test('what was made once, for however many nodes', async () => {
    let read = 0;
    const counting = new PatchBook({
      blob: digest => store.blob(digest),
      revisionByDigest: digest => {
        read++;
        return store.revisionByDigest(digest);
      },
    });
    for (let n = 0; n < 5; n++) await published(2, digestOf(1), counting);
    assert.equal(read, 2);
  });

  const POSSIBLE: readonly [
    sentence: string,
    textOf: (pod: number, revision: number) => string,
    pods: number,
    atLeast: number,
    comparedMost: number,
  ][] = [
    ['what fits where much changed a little: the rest is not compared', littleOf, 60, 20, 50],
    ['nothing of what does not fit: the third is the last to be compared', noiseOf, 30, 0, 3],
    ['nothing of manifests above 256 KiB, which are not even read', largeOf, 2, 0, 0],
  ];
  for (const [sentence, textOf, count, atLeast, comparedMost] of POSSIBLE) {
    test(sentence, async () => {
      const name = `bundle-${count}`;
      const podsOf = (revision: number) =>
        Array.from({ length: count }, (_, n) => annotated(`app-${n}`, textOf(n, revision)));
      const former = await recorded(name, 0, podsOf(1));
      const next = await recorded(name, 1, podsOf(2));
      let read = 0;
      const book = new PatchBook({
        blob: digest => {
          read++;
          return store.blob(digest);
        },
        revisionByDigest: digest => store.revisionByDigest(digest),
      });
      let [turns, isDone] = [0, false];
      const turn = () => {
        turns++;
        if (!isDone) setImmediate(turn);
      };
      turn();
      const { patches, bytes } = await publishedOf(next, former.digest, book);
      isDone = true;
      const blobs = patches[0]?.blobs.length ?? 0;
      assert.ok(blobs >= atLeast && bytes <= 4096, `${blobs} blobs, ${bytes} bytes`);
      // Of each the new content and the former one.
      assert.ok(read <= 2 * comparedMost, `${read} contents read`);
      assert.ok(turns > read / 2, `others had ${turns} turns`);
    });
  }
});
