/**
 * Gets bundles back from the nodes that keep them: envelope first, whose release signatures prove the content, then the
 * blobs that it names. What one node brought is in the store before another is asked for it.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { KnownRevision } from '../../protocol/documents/node.js';
import { BUNDLE_BYTES_MAX, MANIFEST_BYTES_MAX } from '../../protocol/limits.js';
import type { Log } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { asBlob } from '../rollout/revise.js';
import { StoreError, type Actor, type Store } from '../store/store.js';
import { blobsNamed, returnedEnvelope, revisionMutations } from './lessons.js';
import type { Questions } from './questions.js';

const ACTOR: Actor = { kind: 'hub', name: 'recovery' };

export interface ContentParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly log: Log;
}

export class ReturningContent {
  readonly #parts: ContentParts;
  /** By digest: one node at a time is asked for it. */
  readonly #coming = new Map<string, Promise<boolean>>();

  constructor(parts: ContentParts) {
    this.#parts = parts;
  }

  /** True when it came just now; false when it was here, or this node cannot give it. Rejects when asking ends. */
  async fetch(named: KnownRevision, node: string, questions: Questions): Promise<boolean> {
    for (;;) {
      if (await this.#parts.store.revisionByDigest(named.digest)) return false;
      const coming = this.#coming.get(named.digest);
      if (!coming) break;
      await coming.catch(() => false);
    }
    const work = this.#fetch(named, node, questions);
    this.#coming.set(named.digest, work);
    try {
      return await work;
    } finally {
      this.#coming.delete(named.digest);
    }
  }

  async #fetch(named: KnownRevision, node: string, questions: Questions): Promise<boolean> {
    const { store, root, log } = this.#parts;
    const { digest, namespace, name, revision } = named;
    const about = { node, bundle: `${namespace}/${name}`, revision };
    const bytes = await questions.ask({ want: 'bundle', digest, bytesMax: 2 * BUNDLE_BYTES_MAX });
    const found = bytes && returnedEnvelope(bytes, named, root().document);
    if (!found) {
      if (bytes) log.warn('a node gave a bundle back that no release key in force signed', about);
      return false;
    }
    const blobs: { digest: string; content: Buffer }[] = [];
    for (const blob of blobsNamed(found.document)) {
      const kept = await store.blob(blob.digest);
      const content = kept
        ? Buffer.from(kept.content)
        : await questions.ask({ want: 'blob', digest: blob.digest, bytesMax: MANIFEST_BYTES_MAX });
      if (content?.byteLength !== blob.size || sha256Hex(content) !== blob.digest) {
        log.warn('a node does not have all of a bundle', about);
        return false;
      }
      blobs.push({ digest: blob.digest, content });
    }
    const topics = topicsOf(root().document.fleet);
    const to = { blobTopic: (of: string) => topics.blob(of), asBlob };
    try {
      await store.commit(ACTOR, revisionMutations({ ...found, blobs }, to));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'Conflict') throw error;
      log.error('two contents were signed for one revision', { ...about, digest });
      return false;
    }
    log.info('a bundle came back from the fleet', about);
    return true;
  }
}
