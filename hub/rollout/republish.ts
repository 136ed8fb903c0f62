/** Blobs that a node misses are put up for publication again; and those that nobody needs any more are cleared. */
import type { Clock } from '../../protocol/ports.js';
import { packed } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { assignmentOf } from './director.js';
import type { BundleObject, SealedSecretObject } from '../objects.js';
import { asBlob } from './revise.js';
import { blobsOf } from './revision-document.js';
import type { Actor, Mutation, Store } from '../store/store.js';
import type { RolloutObject } from './waves/rollout-object.js';

const ACTOR: Actor = { kind: 'hub', name: 'blobs' };
/** A blob that nothing names is cleared from the broker after this (design: a day). */
const UNNEEDED_MS = 86_400_000;
const PAGE = 500;

/** One publication reaches everybody who misses it: those who ask in this time are answered with it. */
const AGAIN_AFTER_MS = 5_000;

export interface RepublishParts {
  readonly store: Store;
  readonly fleet: string;
  readonly clock: Clock;
}

export interface Republisher {
  blobs(digests: readonly string[]): Promise<{ published: string[]; absent: string[] }>;
  /** That version of the root; one that does not exist is no error. */
  root(version: number): Promise<void>;
}

/**
 * Publishes again what the store holds: a clear and the content, so that the publication counts as changed even where
 * the store believes that the broker has it.
 */
export function republisher({ store, fleet, clock }: RepublishParts): Republisher {
  const topics = topicsOf(fleet);
  const publishedAt = new Map<string, number>();
  const publish = async (topic: string, payload: Uint8Array) => {
    const now = clock.monotonic();
    for (const [known, at] of publishedAt) {
      if (now - at >= AGAIN_AFTER_MS) publishedAt.delete(known);
    }
    if (publishedAt.has(topic)) return;
    publishedAt.set(topic, now);
    await store.commit(ACTOR, [
      { type: 'publish', topic, payload: null },
      { type: 'publish', topic, payload },
    ]);
  };
  return {
    blobs: async digests => {
      const published: string[] = [];
      const absent: string[] = [];
      for (const digest of new Set(digests)) {
        const blob = await store.blob(digest);
        const revision = blob ? null : await store.revisionByDigest(digest);
        const payload = blob
          ? asBlob(Buffer.from(blob.content))
          : revision
            ? packed('bundle', revision.envelope)
            : // A sealed secret is kept nowhere else.
              (await store.publication(topics.blob(digest)))?.payload;
        if (payload) await publish(topics.blob(digest), payload);
        (payload ? published : absent).push(digest);
      }
      return { published, absent };
    },
    root: async version => {
      const record = version > 0 ? await store.root(version) : null;
      if (record) await publish(topics.root(version), packed('root', record.envelope));
    },
  };
}

/** Gives how many were cleared. The store remembers since when a blob is not needed; a clock that was set back begins the day anew. */
export function blobSweeper(store: Store, fleet: string, clock: Clock): () => Promise<number> {
  const prefix = topicsOf(fleet).blob('');
  return async () => {
    const needed = await neededBlobs(store);
    const known = await store.unneeded();
    const nowMs = clock.now();
    const mutations: Mutation[] = [];
    let cleared = 0;
    for await (const { topic, payload } of publications(store)) {
      if (!topic.startsWith(prefix)) continue;
      const since = known.get(topic);
      const isNeeded = payload === null || needed.has(topic.slice(prefix.length));
      const sinceMs = Date.parse(since ?? '');
      if (isNeeded) {
        if (since !== undefined) mutations.push({ type: 'unneeded', topic, since: null });
      } else if (!(sinceMs <= nowMs)) {
        mutations.push({ type: 'unneeded', topic, since: new Date(nowMs).toISOString() });
      } else if (nowMs - sinceMs >= UNNEEDED_MS) {
        mutations.push({ type: 'publish', topic, payload: null });
        mutations.push({ type: 'unneeded', topic, since: null });
        cleared++;
      }
    }
    if (mutations.length > 0) await store.commit(ACTOR, mutations);
    return cleared;
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

/** Of sealed secrets, of the newest revision of every bundle, the one before its rollout, and of everything that is assigned to a member. */
async function neededBlobs(store: Store): Promise<Set<string>> {
  const { items } = await store.list('Bundle');
  const digests = new Set((items as readonly BundleObject[]).map(bundle => bundle.status.digest));
  for (const { spec } of (await store.list('Rollout')).items as readonly RolloutObject[]) {
    // What a node gets that joins before it is its turn.
    if (spec.base) digests.add(spec.base.digest);
  }
  // A bundle that comes back finds what was sealed for its nodes.
  const sealed = (await store.list('SealedSecret')).items as readonly SealedSecretObject[];
  const secrets = new Set(sealed.map(({ spec }) => spec.digest));
  const members = new Set((await store.identities()).map(({ node }) => node));
  for (const record of await store.assignments()) {
    if (!members.has(record.node)) continue;
    const assigned = assignmentOf(record);
    for (const bundle of assigned.bundles) digests.add(bundle.digest);
    for (const secret of assigned.secrets) secrets.add(secret.digest);
  }
  const needed = new Set(secrets);
  for (const digest of digests) {
    const record = await store.revisionByDigest(digest);
    for (const blob of record ? blobsOf(record) : []) needed.add(blob);
  }
  return needed;
}
