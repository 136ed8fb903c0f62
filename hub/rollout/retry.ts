/**
 * Another chance for nodes that gave a revision up: their assignments name it with a raised attempt. A node that did not give it up,
 * or gives it up later, is none of them.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { NodeObject } from '../objects.js';
import type { Actor, Mutation } from '../store/store.js';
import { reassign, wishedFor, type BundleWish, type ReassignParts } from './reassign.js';
import { withRetried } from './retried.js';

/** Names of the nodes that try again, sorted; of those named, or of all. Throws `RequestError` NotFound for a bundle or a node that is not there. */
export async function retryBundle(
  parts: ReassignParts,
  actor: Actor,
  wish: BundleWish,
): Promise<string[]> {
  const { digest, nodes } = await wishedFor(parts.store, wish);
  const { namespace, name } = wish;
  const failed = nodes.filter(({ status }) =>
    status.flotilla.bundles.some(
      b => b.namespace === namespace && b.name === name && b.failed === digest,
    ),
  );
  return reassign(parts, actor, {
    ...{ namespace, name, digest },
    nodes: failed.map(({ metadata }) => metadata.name),
    wish: `retry ${namespace}/${name}`,
    // It goes by its windows again.
    change: ({ now: _, ...bundle }) => ({ ...bundle, attempt: bundle.attempt + 1 }),
    beside: awaited,
  });
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
