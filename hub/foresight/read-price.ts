/**
 * Reads the fleet for the price of a bundle as it would be: of every node that has it or would get it. Writes and signs nothing that
 * anybody would take.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { HeldImage } from '../../protocol/documents/node.js';
import { sealBytes } from '../../protocol/envelope.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import type { Clock } from '../../protocol/ports.js';
import { DEFAULT_STRATEGY, sameStrategy } from '../../protocol/strategy.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { releaseRoleOf } from '../../protocol/verify-bundle.js';
import type { PodSet } from '../../protocol/pod-change.js';
import type { BundleObject, BundleSpec, NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { checkManifests } from '../rollout/check-manifests.js';
import { assignmentOf } from '../rollout/director.js';
import {
  BundleTooLarge,
  defaultRollbackFloor,
  draftRevision,
  REQUIRES_NOTHING,
  revisionMutations,
  sameImages,
  sameManifests,
} from '../rollout/revise.js';
import { bundleDocumentOf, manifestsOf } from '../rollout/revision-document.js';
import { isOnline } from '../rollout/rollout.js';
import { matches, parseSelector } from '../selectors.js';
import type { RevisionRecord, Store } from '../store/store.js';
import type { ImageSizes, PeerImages } from './images.js';
import { priceOf, type NodePrice } from './price.js';
import { NOBODY, Travels, type TrialRevision } from './travel.js';

export interface PriceParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly clock: Clock;
}

export interface PriceQuestion {
  readonly namespace: string;
  readonly name: string;
  /** As an apply would write it. */
  readonly spec: Pick<BundleSpec, 'nodeSelector' | 'manifests' | 'images' | 'strategy'>;
  /** As somebody read them at registries. */
  readonly sizes: ImageSizes;
}

/** By name: nodes that have something of the bundle, or would. Throws `RequestError` `Invalid` for content that no apply takes. */
export async function readPrice(
  { store, root, clock }: PriceParts,
  { namespace, name, spec, sizes }: PriceQuestion,
): Promise<readonly NodePrice[]> {
  const { document } = root();
  const { manifests, causes } = checkManifests(spec.manifests, {
    ...{ namespace, podsMax: document.limits.podsPerBundle },
  });
  if (causes.length > 0) {
    const lines = causes.map(({ message }) => message).join('; ');
    throw new RequestError('Invalid', `bundle "${name}" is invalid: ${lines}`, [...causes]);
  }
  const current = (await store.get('Bundle', namespace, name)) as BundleObject | null;
  const wanted = { ...spec, manifests };
  const trial =
    current && sameContent(current.spec, wanted)
      ? null
      : await trialOf({ store, root, clock }, { namespace, name, spec: wanted });
  const newest =
    trial?.record ?? (current ? await store.revisionByDigest(current.status.digest) : null);
  const after = { manifests, bindings: bindingsOf(spec.images ?? []) };
  const requirements = parseSelector(spec.nodeSelector);
  const travels = new Travels(store, trial);
  const before = contentReader(store);
  const [nodes, identities] = await Promise.all([store.list('Node'), store.identities()]);
  const members = new Set(
    identities.filter(({ state }) => state === 'active').map(({ node }) => node),
  );
  const objects = (nodes.items as readonly NodeObject[]).filter(({ metadata }) =>
    members.has(metadata.name),
  );
  const peers = peersOf(objects);
  const prices: NodePrice[] = [];
  for (const node of objects) {
    const { metadata, status } = node;
    const isOf = (one: { readonly namespace: string; readonly name: string }) =>
      one.namespace === namespace && one.name === name;
    const record = await store.assignment(metadata.name);
    const assignment = record ? assignmentOf(record) : null;
    const said = status.flotilla.bundles.find(isOf);
    const has = assignment?.bundles.find(isOf);
    const isSelected = matches(requirements, metadata.labels);
    if (!isSelected && said === undefined && has === undefined) continue;
    const lies = await before(said?.active ?? null);
    const rest = assignment?.bundles.filter(one => !isOf(one)) ?? [];
    const { attempt = 0 } = has?.digest === newest?.digest ? (has ?? {}) : {};
    const own: AssignedBundle[] =
      isSelected && newest ? [has?.digest === newest.digest ? has : named(newest, attempt)] : [];
    const bundles = [...rest, ...own].sort((a, b) =>
      `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
    );
    const travel =
      assignment === null
        ? null
        : await travels.to(node, assignment, { bundles, now: clock.now() });
    prices.push(
      priceOf(
        {
          ...{ node: metadata.name, isOnline: isOnline(node) },
          architecture: status.nodeInfo?.architecture ?? '',
          from: lies === 'unknown' ? null : (lies?.revision ?? 0),
          before: lies === 'unknown' ? lies : (lies?.content ?? null),
          after: isSelected ? after : null,
          restartS: said?.restartS ?? null,
          holds: status.flotilla.holds ?? null,
          mqttBytes: travel?.mqttBytes ?? null,
          contentBytes: travel?.contentBytes ?? null,
        },
        { sizes, peers },
      ),
    );
  }
  return prices;
}

function named(
  { namespace, bundle: name, revision, digest, size }: RevisionRecord,
  attempt: number,
) {
  return { namespace, name, revision, digest, size, attempt };
}

function sameContent(a: PriceQuestion['spec'], b: PriceQuestion['spec']): boolean {
  return (
    sameManifests(a.manifests, b.manifests) &&
    sameStrategy(a.strategy ?? DEFAULT_STRATEGY, b.strategy ?? DEFAULT_STRATEGY) &&
    sameImages(a.images, b.images)
  );
}

/** The next revision, with as many signatures as it will have. */
async function trialOf(
  { store, root, clock }: PriceParts,
  { namespace, name, spec }: Omit<PriceQuestion, 'sizes'>,
): Promise<TrialRevision> {
  const { document } = root();
  const { fleet, floors } = document;
  const highest = Math.max(
    await store.highestRevision(namespace, name),
    (floors[`${namespace}/${name}`] ?? 0) - 1,
    ...(await store.revisions(namespace, name)).map(({ revision }) => revision),
  );
  const revision = highest + 1;
  const issued = new Date(clock.now()).toISOString();
  try {
    const draft = draftRevision({
      ...{ fleet, namespace, name, revision, issued, requires: REQUIRES_NOTHING },
      ...{ manifests: spec.manifests, images: spec.images ?? [] },
      rollbackFloor: defaultRollbackFloor(revision, 0),
      strategy: spec.strategy ?? DEFAULT_STRATEGY,
    });
    const { threshold = 1 } = releaseRoleOf(document, { namespace, name }) ?? {};
    const signers = Array.from({ length: Math.max(1, threshold) }, () => NOBODY);
    const envelope = sealBytes('bundle', draft.payload, signers);
    const signed = { topics: topicsOf(fleet), envelope, createdBy: '', createdAt: issued };
    const mutations = revisionMutations(draft, signed);
    const made = mutations.find(one => one.type === 'revision');
    if (made?.type !== 'revision') throw new Error('a revision without a record');
    return { record: made.record, mutations };
  } catch (error) {
    if (!(error instanceof BundleTooLarge)) throw error;
    throw new RequestError('Invalid', `bundle "${name}": ${error.message}`);
  }
}

interface Lying {
  readonly revision: number;
  readonly content: PodSet;
}

/** By digest, each read once. Null: nothing lies there. */
function contentReader(store: Store) {
  const read = new Map<string, Promise<Lying | 'unknown'>>();
  const make = async (digest: string): Promise<Lying | 'unknown'> => {
    const record = await store.revisionByDigest(digest);
    if (record === null) return 'unknown';
    const { namespace, bundle: name, revision } = record;
    const manifests = await manifestsOf(store, { namespace, name, revision });
    if (manifests === null) return 'unknown';
    const bindings = bindingsOf(bundleDocumentOf(record).images);
    return { revision, content: { manifests: manifests, bindings } };
  };
  return async (digest: string | null): Promise<Lying | 'unknown' | null> => {
    if (digest === null) return null;
    const known = read.get(digest) ?? make(digest);
    read.set(digest, known);
    return known;
  };
}

function peersOf(nodes: readonly NodeObject[]): PeerImages {
  const byId = new Map<string, Map<string, HeldImage>>();
  for (const { status } of nodes) {
    const architecture = status.nodeInfo?.architecture ?? '';
    const images = byId.get(architecture) ?? new Map<string, HeldImage>();
    byId.set(architecture, images);
    for (const image of status.flotilla.holds?.images ?? []) images.set(image.id, image);
  }
  return new Map([...byId].map(([architecture, images]) => [architecture, [...images.values()]]));
}
