/** Blobs that a node misses are put up for publication again; and those that nobody needs any more are cleared. */
import type { Clock } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import { assignmentOf } from './director.js';
import type { BundleObject } from '../objects.js';
import { asBlob } from './revise.js';
import { blobsOf } from './revision-document.js';
import type { Actor, Mutation, Store } from '../store/store.js';

const ACTOR: Actor = { kind: 'hub', name: 'blobs' };
/** A blob that nothing names is cleared from the broker after this (design: a day). */
const UNNEEDED_MS = 86_400_000;
const PAGE = 500;

/**
 * Publishes again what the store holds: a clear and the content, so that the publication counts as changed even where
 * the store believes that the broker has it.
 */
export async function republishBlobs(
  store: Store,
  fleet: string,
  digests: readonly string[],
): Promise<{ published: string[]; absent: string[] }> {
  const topics = topicsOf(fleet);
  const published: string[] = [];
  const absent: string[] = [];
  for (const digest of new Set(digests)) {
    const blob = await store.blob(digest);
    const payload = blob
      ? asBlob(Buffer.from(blob.content))
      : (await store.revisionByDigest(digest))?.envelope;
    if (payload === undefined) {
      absent.push(digest);
      continue;
    }
    const topic = topics.blob(digest);
    await store.commit(ACTOR, [
      { type: 'publish', topic, payload: null },
      { type: 'publish', topic, payload },
    ]);
    published.push(digest);
  }
  return { published, absent };
}

/** Remembers since when a blob is not needed; a restart of the hub starts the day anew. */
export function blobSweeper(store: Store, fleet: string, clock: Clock): () => Promise<number> {
  const since = new Map<string, number>();
  const prefix = topicsOf(fleet).blob('');
  return async () => {
    const needed = await neededBlobs(store);
    const clears: Mutation[] = [];
    for await (const { topic, payload } of publications(store)) {
      if (payload === null || !topic.startsWith(prefix)) continue;
      if (needed.has(topic.slice(prefix.length))) {
        since.delete(topic);
        continue;
      }
      const first = since.get(topic) ?? clock.now();
      since.set(topic, first);
      if (clock.now() - first < UNNEEDED_MS) continue;
      clears.push({ type: 'publish', topic, payload: null });
      since.delete(topic);
    }
    if (clears.length > 0) await store.commit(ACTOR, clears);
    return clears.length;
  };
}

async function* publications(store: Store) {
  let after = 0;
  for (;;) {
    const page = await store.publications(after, PAGE);
    yield* page;
    const last = page[page.length - 1];
    if (!last || page.length < PAGE) return;
    after = last.number;
  }
}

/** Of the newest revision of every bundle and of everything that is assigned. */
async function neededBlobs(store: Store): Promise<Set<string>> {
  const { items } = await store.list('Bundle');
  const digests = new Set((items as readonly BundleObject[]).map(bundle => bundle.status.digest));
  for (const record of await store.assignments()) {
    for (const bundle of assignmentOf(record).bundles) digests.add(bundle.digest);
  }
  const needed = new Set<string>();
  for (const digest of digests) {
    const record = await store.revisionByDigest(digest);
    for (const blob of record ? blobsOf(record) : []) needed.add(blob);
  }
  return needed;
}
