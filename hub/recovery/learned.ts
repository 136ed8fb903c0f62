/**
 * Reads the store and says what changes in it when a node was heard, and when learning ends. Writes nothing: the caller
 * commits each answer in one transaction.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { StandingDocument } from '../../protocol/documents/node.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { packed } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { isSoundSealingKey } from '../enrolment/joining-keys.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { assignmentOf } from '../rollout/director.js';
import { bundleDocumentOf, declaredIn, manifestsOf } from '../rollout/revision-document.js';
import { matches, parseSelector } from '../selectors.js';
import type { AssignmentRecord, Mutation, ObjectMeta, Store } from '../store/store.js';
import {
  adoptedBundle,
  furtherRecord,
  namingAlso,
  PLAUSIBLE_MAX,
  REVISIONS_LEFT_OUT,
} from './lessons.js';
import { AHEAD_OF_HUB } from '../ingest/ahead-of-hub.js';
import { HELD_ANNOTATION } from './held-annotation.js';
import { versionLeaps } from '../secrets/versions.js';
import { RESTORING } from './restored-store.js';
import { secretMutations, type ReturnedSecret } from './returned-secrets.js';

export interface Lesson {
  readonly node: string;
  readonly fleet: string;
  readonly standing: StandingDocument;
  /** The accepted assignment in it, if it is this node's. */
  readonly said: {
    readonly document: AssignmentDocument;
    readonly record: AssignmentRecord;
  } | null;
  /** Digests of revisions that this node brought back. */
  readonly returned: ReadonlySet<string>;
  /** Envelopes of sealed Secrets that this node brought back. */
  readonly secrets: readonly ReturnedSecret[];
  /** RFC 3339. */
  readonly now: string;
}

/** All that a node's standing changes; after it the node is heard. */
export async function lessonMutations(store: Store, lesson: Lesson): Promise<Mutation[]> {
  const { node, fleet, standing, said } = lesson;
  const named = [...(said?.document.bundles ?? []), ...standing.revisions];
  const own = await store.assignment(node);
  const record = furtherRecord(own, said?.record ?? null, standing);
  const topic = topicsOf(fleet).node(node, 'assignment');
  const adopted = await adoptions(store, lesson);
  return [
    ...named
      .filter(({ revision }) => revision <= PLAUSIBLE_MAX)
      .map(({ namespace, name, revision }): Mutation => {
        return { type: 'highestRevision', namespace, bundle: name, revision };
      }),
    ...adopted,
    ...(await secretMutations(store, { ...lesson, adopted })),
    ...(record
      ? ([
          { type: 'assignment', record },
          { type: 'publish', topic, payload: null },
          { type: 'publish', topic, payload: packed('assignment', record.envelope) },
        ] satisfies Mutation[])
      : []),
    ...(await newSealingKey(store, lesson)),
    ...(await shownAsHeard(store, node)),
    { type: 'heard', node },
  ];
}

/** A node that changed its sealing key after the backup was made: what is sealed next is for the key that it has. */
async function newSealingKey(store: Store, { node, standing }: Lesson): Promise<Mutation[]> {
  const { sealingKey } = standing;
  const identities = await store.identities();
  const identity = identities.find(one => one.node === node);
  if (sealingKey === null || !identity || identity.sealingKey === sealingKey) return [];
  const isForeign = identities.some(one => one.sealingKey === sealingKey);
  if (isForeign || !isSoundSealingKey(sealingKey)) return [];
  return [{ type: 'identity', expect: identity, record: { ...identity, sealingKey } }];
}

/** Bundles that go on from what the node runs, because the hub knew less. */
async function adoptions(store: Store, lesson: Lesson): Promise<Mutation[]> {
  const { said, node, now, returned } = lesson;
  const isLearning = (await store.recovery())?.learning === true;
  const mutations: Mutation[] = [];
  for (const assigned of said?.document.bundles ?? []) {
    const { namespace, name, revision, digest } = assigned;
    const record = await store.revisionByDigest(digest);
    const manifests = record && (await manifestsOf(store, { namespace, name, revision }));
    if (!manifests) continue;
    const current = (await store.get('Bundle', namespace, name)) as BundleObject | null;
    const expect = current ? { resourceVersion: current.metadata.resourceVersion } : 'absent';
    // Of a bundle that was deleted the numbers stay known: only what came back from the fleet makes it anew.
    const isNews = returned.has(digest) || (isLearning && record.createdBy === 'fleet');
    if (current ? revision > current.status.revision : isNews) {
      const declared = declaredIn(bundleDocumentOf(record));
      const object = adoptedBundle({ current, revision: assigned, manifests, declared, node, now });
      mutations.push({ type: 'put', object, expect });
      continue;
    }
    const wider = current && isHeldBy(current) ? namingAlso(current.spec.nodeSelector, node) : null;
    if (!current || wider === null) continue;
    const { kind, metadata, spec, status } = current;
    const object = {
      kind,
      metadata: draftOf(metadata),
      spec: { ...spec, nodeSelector: wider },
      status,
    };
    mutations.push({ type: 'put', object, expect });
  }
  return mutations;
}

function isHeldBy({ metadata }: BundleObject): boolean {
  return Object.hasOwn(metadata.annotations, HELD_ANNOTATION);
}

function draftOf({ namespace, name, labels, annotations }: ObjectMeta) {
  return { namespace, name, labels, annotations };
}

async function shownAsHeard(store: Store, node: string): Promise<Mutation[]> {
  const object = (await store.get('Node', '', node)) as NodeObject | null;
  if (!object) return [];
  const { kind, metadata, spec, status } = object;
  const conditions = (status.conditions ?? []).filter(
    ({ type }) => type !== RESTORING && type !== AHEAD_OF_HUB,
  );
  const { resourceVersion } = metadata;
  const draft = { kind, metadata: draftOf(metadata), spec, status: { ...status, conditions } };
  return [{ type: 'put', object: draft, expect: { resourceVersion } }];
}

/**
 * Learning ends. A bundle whose nodes all have what its selector and newest revision say goes on as ever; any other is
 * held. Where nodes were not heard, numbers that they may know are left out; under a higher epoch of the root no counter
 * of theirs is in the way any more.
 */
export async function endMutations(
  store: Store,
  { root, now }: { readonly root: RootDocument; readonly now: string },
): Promise<Mutation[]> {
  const record = await store.recovery();
  if (!record) return [];
  const unheard = await store.unheard();
  const { items } = await store.list('Bundle');
  const fleet = await heardNodes(store, new Set(unheard));
  const mutations: Mutation[] = [{ type: 'recovery', record: { ...record, learning: false } }];
  for (const bundle of items as readonly BundleObject[]) {
    mutations.push(...holdOf(bundle, fleet, now));
    if (unheard.length === 0) continue;
    const { namespace, name } = bundle.metadata;
    const known = await store.highestRevision(namespace, name);
    const revision = Math.max(known, bundle.status.revision) + REVISIONS_LEFT_OUT;
    mutations.push({ type: 'highestRevision', namespace, bundle: name, revision });
  }
  if (unheard.length > 0) mutations.push(...(await versionLeaps(store)));
  if (root.epoch > record.epoch) {
    mutations.push(...unheard.map((node): Mutation => ({ type: 'heard', node })));
  }
  return mutations;
}

interface HeardNode {
  readonly labels: Readonly<Record<string, string>>;
  readonly bundles: readonly AssignedBundle[];
}

async function heardNodes(store: Store, unheard: ReadonlySet<string>): Promise<HeardNode[]> {
  const [nodes, identities] = await Promise.all([store.list('Node'), store.identities()]);
  const labels = new Map(nodes.items.map(({ metadata }) => [metadata.name, metadata.labels]));
  const heard: HeardNode[] = [];
  for (const { node, state } of identities) {
    const of = labels.get(node);
    if (state !== 'active' || unheard.has(node) || !of) continue;
    const record = await store.assignment(node);
    heard.push({ labels: of, bundles: record ? assignmentOf(record).bundles : [] });
  }
  return heard;
}

function holdOf(bundle: BundleObject, fleet: readonly HeardNode[], now: string): Mutation[] {
  const { kind, metadata, spec, status } = bundle;
  const { namespace, name, resourceVersion } = metadata;
  const requirements = parseSelector(spec.nodeSelector);
  const isElsewise = fleet.some(({ labels, bundles }) => {
    const has = bundles.find(one => one.namespace === namespace && one.name === name);
    const wanted = matches(requirements, labels) ? status.digest : null;
    return (has?.digest ?? null) !== wanted;
  });
  const { [HELD_ANNOTATION]: since, ...others } = metadata.annotations;
  const annotations = isElsewise ? { ...others, [HELD_ANNOTATION]: since ?? now } : others;
  if (canonicalJson(annotations) === canonicalJson(metadata.annotations)) return [];
  const object = { kind, metadata: { ...draftOf(metadata), annotations }, spec, status };
  return [{ type: 'put', object, expect: { resourceVersion } }];
}
