/**
 * Takes traces away whose device proved, by its signed status, that it can open those versions no more: it accepted an assignment
 * without the Secret, so that the envelope left its journal, and runs no revision that has it in files of its memory.
 */
import { isPod } from '../../protocol/bundle-manifest.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import { keyId } from '../../protocol/keys.js';
import { secretUses } from '../../protocol/pod-secrets.js';
import type { NodeObject, SealedSecretObject, SecretTraceObject } from '../objects.js';
import { assignmentOf } from '../rollout/director.js';
import { manifestsOf } from '../rollout/revision-document.js';
import type { Actor, IdentityRecord, Mutation, Store } from '../store/store.js';

/** Nothing of a former revision runs beside the one that is active. */
const AT_REST: ReadonlySet<BundleStatus['state']> = new Set([
  'healthy',
  'failed',
  'rolledBack',
  'waiting',
  'staged',
]);

export interface Standing {
  readonly node: NodeObject;
  readonly identity: IdentityRecord;
  /** The newest of the node. */
  readonly assignment: AssignmentDocument;
}

/** What the status says of the trace's bundle; null: nothing of it is there. */
function bundleIn({ node }: Standing, { metadata, spec }: SecretTraceObject): BundleStatus | null {
  const { namespace } = metadata;
  const { bundles } = node.status.flotilla;
  return bundles.find(one => one.namespace === namespace && one.name === spec.bundle) ?? null;
}

/** Whether the envelope is gone: of the journal the signed status tells. Pure. */
export function isForgotten(
  { metadata: { namespace }, spec: { bundle, secret, device } }: SecretTraceObject,
  { node, identity, assignment }: Standing,
): boolean {
  const { epoch, generation, said } = node.status.flotilla;
  const isHeard =
    identity.state === 'active' &&
    identity.suspectedAt === null &&
    identity.joinedAt === device &&
    said?.signedBy === keyId(identity.identityKey);
  const isAccepted = epoch === assignment.epoch && generation >= assignment.generation;
  const isListed = assignment.secrets.some(
    one => one.namespace === namespace && one.bundle === bundle && one.name === secret,
  );
  return isHeard && isAccepted && !isListed;
}

/** Whether a pod of the bundle may have it in its files yet. */
async function isInFiles(
  store: Store,
  trace: SecretTraceObject,
  status: BundleStatus | null,
): Promise<boolean> {
  if (status === null) return false;
  if (!AT_REST.has(status.state)) return true;
  if (status.active === null) return false;
  const record = await store.revisionByDigest(status.active);
  const manifests = record && (await manifestsOf(store, { ...record, name: record.bundle }));
  if (!manifests) return true;
  const uses = manifests.filter(isPod).flatMap(secretUses);
  return uses.some(({ secret, as }) => secret === trace.spec.secret && as !== 'pull');
}

/** Throws `StoreError` when one was changed meanwhile: look again. */
export async function dropForgotten(
  store: Store,
  actor: Actor,
  nodes: readonly NodeObject[],
): Promise<void> {
  const traces = (await store.list('SecretTrace')).items as readonly SecretTraceObject[];
  if (traces.length === 0) return;
  const { items } = await store.list('SealedSecret');
  const nameOf = ({ metadata, spec }: SealedSecretObject | SecretTraceObject) =>
    `${metadata.namespace}/${spec.bundle}.${spec.secret}.${spec.node}`;
  const sealed = new Set((items as readonly SealedSecretObject[]).map(nameOf));
  const byName = new Map(nodes.map(node => [node.metadata.name, node]));
  const mutations: Mutation[] = [];
  // Of a Secret that the device is to have, earlier versions stay on the list.
  for (const trace of traces.filter(one => !sealed.has(nameOf(one)))) {
    const node = byName.get(trace.spec.node);
    const identity = await store.identity(trace.spec.node);
    const record = await store.assignment(trace.spec.node);
    if (!node || !identity || !record) continue;
    const standing = { node, identity, assignment: assignmentOf(record) };
    if (!isForgotten(trace, standing)) continue;
    if (await isInFiles(store, trace, bundleIn(standing, trace))) continue;
    const { namespace, name, resourceVersion } = trace.metadata;
    const expect = { resourceVersion };
    mutations.push({ type: 'delete', kind: 'SecretTrace', namespace, name, expect });
  }
  if (mutations.length > 0) await store.commit(actor, mutations);
}
