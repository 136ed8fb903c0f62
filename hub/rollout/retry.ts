/**
 * Another chance for nodes that gave a revision up: their assignments name it with a raised attempt. A node that did not give it up,
 * or gives it up later, is none of them.
 */
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { Signer } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { retried } from '../store/retry.js';
import type { Actor, Mutation, Store } from '../store/store.js';
import { assignmentOf, compose, signAssignment } from './director.js';
import { withRetried } from './retried.js';

export interface RetryParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
  readonly clock: Clock;
}

export interface RetryRequest {
  readonly namespace: string;
  readonly name: string;
  /** Only these; empty: every node that gave it up. */
  readonly nodes: readonly string[];
}

/** Names of the nodes that try again, sorted. Throws `RequestError` NotFound for a bundle or a node that is not there. */
export async function retryBundle(
  parts: RetryParts,
  actor: Actor,
  { namespace, name, nodes }: RetryRequest,
): Promise<string[]> {
  const { store } = parts;
  const bundle = (await store.get('Bundle', namespace, name)) as BundleObject | null;
  if (!bundle) throw new RequestError('NotFound', `bundles.flotilla.dev "${name}" not found`);
  const { items } = await store.list('Node');
  const known = new Map((items as readonly NodeObject[]).map(node => [node.metadata.name, node]));
  const unknown = nodes.find(node => !known.has(node));
  if (unknown !== undefined) throw new RequestError('NotFound', `nodes "${unknown}" not found`);
  const { digest } = bundle.status;
  const failed = [...known].filter(
    ([node, object]) =>
      (nodes.length === 0 || nodes.includes(node)) &&
      object.status.flotilla.bundles.some(
        b => b.namespace === namespace && b.name === name && b.failed === digest,
      ),
  );
  const raised: string[] = [];
  for (const [node] of failed) {
    const isRaised = await retried(() => raise(parts, actor, { node, namespace, name, digest }));
    if (isRaised) raised.push(node);
  }
  return raised.sort();
}

/** False where the node's assignment names it no more. */
async function raise(
  { store, root, hubSigner, clock }: RetryParts,
  actor: Actor,
  of: { node: string; namespace: string; name: string; digest: string },
): Promise<boolean> {
  const record = await store.assignment(of.node);
  const object = (await store.get('Node', '', of.node)) as NodeObject | null;
  if (!record || !object) return false;
  const current = assignmentOf(record);
  const bundles = current.bundles.map(bundle =>
    bundle.namespace === of.namespace && bundle.name === of.name && bundle.digest === of.digest
      ? { ...bundle, attempt: bundle.attempt + 1 }
      : bundle,
  );
  const { fleet, epoch, version } = root().document;
  const document: AssignmentDocument | null = compose({
    ...{ fleet, epoch, rootVersion: version, node: of.node, nodeKey: current.nodeKey },
    ...{ bundles, secrets: current.secrets, current },
    generationFloor: record.generation,
    nonce: null,
    now: clock.now(),
  });
  const raised = bundles.find((bundle, i) => bundle !== current.bundles[i]);
  if (document === null || raised === undefined) return false;
  const { mutations } = signAssignment(document, hubSigner, topicsOf(fleet));
  await store.commit(actor, [...mutations, awaited(object, raised)]);
  return true;
}

/** What the node says of it from now on is old until it speaks of this attempt. */
function awaited({ kind, metadata, spec, status }: NodeObject, raised: AssignedBundle): Mutation {
  const { namespace, name, labels, annotations, resourceVersion } = metadata;
  const { digest, attempt } = raised;
  const more = { namespace: raised.namespace, name: raised.name, digest, attempt };
  const flotilla = { ...status.flotilla, retried: withRetried(status.flotilla.retried, more) };
  const object = { kind, metadata: { namespace, name, labels, annotations }, spec };
  return {
    type: 'put',
    object: { ...object, status: { ...status, flotilla } },
    expect: { resourceVersion },
  };
}
