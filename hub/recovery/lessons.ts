/**
 * What one node's standing teaches a restored hub, as mutations. Counters only rise; content counts only with the release
 * role's signatures; what a node runs stays as it is. Pure.
 */
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { StandingDocument } from '../../protocol/documents/node.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { openEnvelope, packed } from '../../protocol/envelope.js';
import {
  validateAssignmentDocument,
  validateBundleDocument,
} from '../../protocol/generated/validators.js';
import { ASSIGNMENT_BYTES_MAX, BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { scopesOf } from '../../protocol/verify-bundle.js';
import { readPayload } from '../../protocol/verified.js';
import type { BundleObject, BundleSpec } from '../objects.js';
import type { AssignmentRecord, Mutation, ObjectDraft } from '../store/store.js';
import { HELD_ANNOTATION } from './held-annotation.js';

/**
 * The lost hub may have signed assignments that the node has not seen yet. Numbers are cheap: the next one is far above
 * any of them.
 */
export const GENERATIONS_LEFT_OUT = 1_000;
/** The same for revisions of a bundle, where not every node was heard. */
export const REVISIONS_LEFT_OUT = 100;
/** No number that a fleet ever reached. A node that says a higher one would leave its hub no next one. */
export const PLAUSIBLE_MAX = 2 ** 52;
const HOSTNAME = 'kubernetes.io/hostname';

/** The assignment in a standing; null if there is none, or it is not one of this node. Its node vouches for it. */
export function assignmentIn(
  standing: StandingDocument,
  of: { readonly fleet: string; readonly node: string },
): { readonly document: AssignmentDocument; readonly record: AssignmentRecord } | null {
  if (standing.assignment === null) return null;
  const envelope = Buffer.from(standing.assignment);
  const opened = openEnvelope(envelope, { kind: 'assignment', bytesMax: 2 * ASSIGNMENT_BYTES_MAX });
  if (!opened.ok) return null;
  const { payload } = opened.value;
  const read = readPayload<AssignmentDocument>(payload, {
    what: 'assignment',
    bytesMax: ASSIGNMENT_BYTES_MAX,
    validator: validateAssignmentDocument,
  });
  if (!read.ok || read.value.fleet !== of.fleet || read.value.node !== of.node) return null;
  const { node, epoch, generation } = read.value;
  return {
    document: read.value,
    record: { node, epoch, generation, digest: sha256Hex(payload), envelope },
  };
}

/** Which record a hub goes on from: the newer of what it has and what the node has, its number raised. */
export function furtherRecord(
  own: AssignmentRecord | null,
  said: AssignmentRecord | null,
  standing: Pick<StandingDocument, 'epoch' | 'generation'>,
): AssignmentRecord | null {
  const newer = said && (!own || isAfter(said, own)) ? said : own;
  if (!newer) return null;
  const heard = standing.epoch === newer.epoch ? standing.generation : 0;
  const generation = Math.max(newer.generation, heard) + GENERATIONS_LEFT_OUT;
  return { ...newer, generation };
}

function isAfter(a: AssignmentRecord, b: AssignmentRecord): boolean {
  // A record that was raised before counts by what it holds, not by its number.
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.generation > b.generation);
}

/** A revision that came back: its envelope and every blob that it names. */
export interface ReturnedRevision {
  readonly document: BundleDocument;
  readonly digest: string;
  readonly size: number;
  readonly envelope: Buffer;
  readonly blobs: readonly { readonly digest: string; readonly content: Buffer }[];
}

/** Null for bytes that are not that revision, signed by the release role that is responsible for it. */
export function returnedEnvelope(
  envelope: Buffer,
  named: Pick<AssignedBundle, 'namespace' | 'name' | 'revision' | 'digest'>,
  root: RootDocument,
): Omit<ReturnedRevision, 'blobs'> | null {
  const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax: 2 * BUNDLE_BYTES_MAX });
  if (!opened.ok || sha256Hex(opened.value.payload) !== named.digest) return null;
  if (!scopesOf(envelope, root, named).ok) return null;
  const { payload } = opened.value;
  const read = readPayload<BundleDocument>(payload, {
    what: 'bundle',
    bytesMax: BUNDLE_BYTES_MAX,
    validator: validateBundleDocument,
  });
  if (!read.ok) return null;
  const { fleet, namespace, name, revision } = read.value;
  const isNamed =
    fleet === root.fleet &&
    namespace === named.namespace &&
    name === named.name &&
    revision === named.revision;
  if (!isNamed) return null;
  return { document: read.value, digest: named.digest, size: payload.byteLength, envelope };
}

/** The blobs that a revision is made of: each once. */
export function blobsNamed({ manifests }: BundleDocument): { digest: string; size: number }[] {
  const all = manifests.flatMap(entry => (entry.parts.length > 0 ? entry.parts : [entry]));
  const once = new Map(all.map(({ digest, size }) => [digest, { digest, size }]));
  return [...once.values()];
}

export interface Adoption {
  readonly current: BundleObject | null;
  readonly revision: Pick<AssignedBundle, 'namespace' | 'name' | 'revision' | 'digest'>;
  readonly manifests: readonly BundleManifest[];
  readonly declared: Pick<BundleSpec, 'images' | 'strategy'>;
  readonly node: string;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * The bundle with a revision that its hub did not know: held, so that nothing moves until somebody applies it. What the revision declares
 * comes with it; whom it is for and how it goes through the fleet no revision says: that stays as the backup had it. One that the backup
 * did not have selects the nodes that run it, by name: which labels chose them nobody knows any more.
 */
export function adoptedBundle(adoption: Adoption): ObjectDraft {
  const { current, revision, manifests, declared, node, now } = adoption;
  const plan = current?.spec.rollout;
  const { namespace, name } = revision;
  const { labels = {}, annotations = {} } = current?.metadata ?? {};
  const nodes = current?.status.nodes ?? {
    desired: 0,
    updated: 0,
    healthy: 0,
    failed: 0,
    offline: 0,
  };
  return {
    kind: 'Bundle',
    metadata: { namespace, name, labels, annotations: { ...annotations, [HELD_ANNOTATION]: now } },
    spec: {
      nodeSelector: current?.spec.nodeSelector ?? `${HOSTNAME} in (${node})`,
      manifests,
      ...declared,
      ...(plan === undefined ? {} : { rollout: plan }),
    },
    status: { revision: revision.revision, digest: revision.digest, nodes },
  };
}

/** A selector that this hub made by naming nodes, with one more; null for any other selector. */
export function namingAlso(selector: string, node: string): string | null {
  const [, names] = new RegExp(`^${HOSTNAME} in \\(([a-z0-9,-]+)\\)$`).exec(selector) ?? [];
  const known = names?.split(',');
  if (!known || known.includes(node)) return null;
  return `${HOSTNAME} in (${[...known, node].sort().join(',')})`;
}

/** How a revision lies in the store and on the broker. `asBlob`: as it travels. */
export function revisionMutations(
  { document, digest, size, envelope, blobs }: ReturnedRevision,
  to: {
    readonly blobTopic: (digest: string) => string;
    readonly asBlob: (bytes: Buffer) => Buffer;
  },
): Mutation[] {
  const { namespace, name, revision, issued } = document;
  const record = {
    ...{ namespace, bundle: name, revision, digest, size, envelope },
    ...{ createdBy: 'fleet', createdAt: issued },
  };
  const put = (of: string, payload: Uint8Array): Mutation[] => [
    { type: 'publish', topic: to.blobTopic(of), payload: null },
    { type: 'publish', topic: to.blobTopic(of), payload },
  ];
  return [
    { type: 'revision', record },
    ...put(digest, packed('bundle', envelope)),
    ...blobs.flatMap((blob): Mutation[] => [
      { type: 'blob', record: blob },
      ...put(blob.digest, to.asBlob(blob.content)),
    ]),
  ];
}
