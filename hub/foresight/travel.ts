/**
 * What a change has travel to a node over MQTT: its assignment, with what is patched there, and the content that it lacks. Made as the
 * controller and the publisher make it, with keys of the moment, so that it has the true size and nobody would take it for genuine.
 */
import { generateKeyPairSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { canonicalJson } from '../../protocol/canonical.js';
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import { signerOf } from '../../protocol/keys.js';
import { namedBlobs, unwrapped } from '../../protocol/patches.js';
import { topicsOf } from '../../protocol/topics.js';
import { publishBytes } from '../../protocol/usage.js';
import type { NodeObject } from '../objects.js';
import { compose, signAssignment } from '../rollout/director.js';
import { PatchBook } from '../rollout/patches.js';
import { bundleDocumentOf } from '../rollout/revision-document.js';
import type { Mutation, RevisionRecord, Store } from '../store/store.js';

export interface Travel {
  readonly mqttBytes: number;
  /** Unpacked, of what it has to store. */
  readonly contentBytes: number;
}

export interface TrialRevision {
  readonly record: RevisionRecord;
  /** What would be published with it. */
  readonly mutations: readonly Mutation[];
}

/** A key that nobody trusts. */
export const NOBODY = signerOf(generateKeyPairSync('ed25519').privateKey);

const STILL_NOTHING: Travel = { mqttBytes: 0, contentBytes: 0 };

export class Travels {
  readonly #store: Store;
  readonly #trial: TrialRevision | null;
  readonly #patches: PatchBook;
  readonly #published: ReadonlyMap<string, Uint8Array>;
  /** Nodes that are alike cost alike. */
  readonly #known = new Map<string, Promise<Travel | null>>();

  /** `trial`: null where the newest revision stays. */
  constructor(store: Store, trial: TrialRevision | null) {
    this.#store = store;
    this.#trial = trial;
    const mutations = trial?.mutations ?? [];
    const contents = new Map(
      mutations.flatMap(one => (one.type === 'blob' ? [[one.record.digest, one.record]] : [])),
    );
    this.#published = new Map(
      mutations.flatMap(one =>
        one.type === 'publish' && one.payload !== null ? [[one.topic, one.payload]] : [],
      ),
    );
    this.#patches = new PatchBook({
      blob: async digest => contents.get(digest) ?? (await store.blob(digest)),
      revisionByDigest: digest => this.#revision(digest),
    });
  }

  /** `bundles`: what it is to be assigned, sorted. Null: what lies there is not known here. */
  async to(
    node: NodeObject,
    current: AssignmentDocument,
    { bundles, now }: { readonly bundles: readonly AssignedBundle[]; readonly now: number },
  ): Promise<Travel | null> {
    if (canonicalJson(current.bundles) === canonicalJson(bundles)) return STILL_NOTHING;
    const said = node.status.flotilla.bundles.map(one => [one.namespace, one.name, one.active]);
    const { length } = node.metadata.name;
    const { secrets, parameters } = current;
    const key = canonicalJson([length, current.bundles, bundles, said, secrets.length, parameters]);
    const known = this.#known.get(key) ?? this.#make(node, current, { bundles, now });
    this.#known.set(key, known);
    return known;
  }

  async #make(
    node: NodeObject,
    current: AssignmentDocument,
    { bundles, now }: { readonly bundles: readonly AssignedBundle[]; readonly now: number },
  ): Promise<Travel | null> {
    await setImmediate();
    const isAssigned = (of: { readonly namespace: string; readonly bundle: string }) =>
      bundles.some(one => one.namespace === of.namespace && one.name === of.bundle);
    const document = compose({
      ...current,
      ...{ current, bundles, nonce: null, now },
      secrets: current.secrets.filter(isAssigned),
    });
    if (document === null) return STILL_NOTHING;
    const topics = topicsOf(current.fleet);
    const signed = await this.#patches.with(signAssignment(document, NOBODY, topics), node);
    const publication = signed.mutations.find(one => one.type === 'publish');
    const payload = publication?.type === 'publish' ? publication.payload : null;
    if (payload === null) return null;
    const topic = topics.node(current.node, 'assignment');
    let mqttBytes = publishBytes(topic, payload.byteLength);
    const { patches } = unwrapped(payload);
    const held = await this.#heldBy(node);
    if (held === null) return null;
    let contentBytes = 0;
    for (const [place, { digest, size }] of bundles.entries()) {
      if (held.has(digest)) continue;
      const patch = patches.find(one => one.bundle === place);
      const lacking = patch === undefined ? [digest] : [];
      contentBytes += size;
      const record = await this.#revision(digest);
      if (record === null) return null;
      const patched = new Set(patch?.blobs.map(({ index }) => index));
      for (const [index, blob] of namedBlobs(bundleDocumentOf(record)).entries()) {
        if (held.has(blob.digest)) continue;
        held.add(blob.digest);
        contentBytes += blob.size;
        if (!patched.has(index)) lacking.push(blob.digest);
      }
      for (const one of lacking) {
        const blobTopic = topics.blob(one);
        const bytes = await this.#payloadBytes(blobTopic);
        if (bytes === null) return null;
        mqttBytes += publishBytes(blobTopic, bytes);
      }
    }
    return { mqttBytes, contentBytes };
  }

  /** What its journal has for certain: the revisions that lie in its directory. Null: one of them is not known here. */
  async #heldBy({ status }: NodeObject): Promise<Set<string> | null> {
    const held = new Set<string>();
    for (const { active } of status.flotilla.bundles) {
      if (active === null) continue;
      const record = await this.#revision(active);
      if (record === null) return null;
      held.add(active);
      for (const { digest } of namedBlobs(bundleDocumentOf(record))) held.add(digest);
    }
    return held;
  }

  async #payloadBytes(topic: string): Promise<number | null> {
    const payload = this.#published.get(topic) ?? (await this.#store.publication(topic))?.payload;
    return payload?.byteLength ?? null;
  }

  async #revision(digest: string): Promise<RevisionRecord | null> {
    if (this.#trial?.record.digest === digest) return this.#trial.record;
    return this.#store.revisionByDigest(digest);
  }
}
