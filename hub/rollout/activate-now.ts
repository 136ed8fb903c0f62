/**
 * The newest revision of a bundle does not wait for its maintenance windows any more, on the nodes where it does not run yet: said in
 * their assignments, with who wants it and why, so that a node which is away finds it there.
 */
import type { Actor } from '../store/store.js';
import { reassign, wishedFor, type BundleWish, type ReassignParts } from './reassign.js';

/** Limit of the document. */
const BY_MAX = 256;

export interface ActivateWish extends BundleWish {
  /** May be empty. */
  readonly reason: string;
}

/** Names of the nodes, sorted. Throws as `wishedFor`. */
export async function activateBundleNow(
  parts: ReassignParts,
  actor: Actor,
  wish: ActivateWish,
): Promise<string[]> {
  const { digest, nodes } = await wishedFor(parts.store, wish);
  const { namespace, name, reason } = wish;
  const waiting = nodes.filter(({ status }) => {
    const said = status.flotilla.bundles.find(b => b.namespace === namespace && b.name === name);
    return said?.active !== digest && said?.failed !== digest;
  });
  const now = { by: actor.name.slice(0, BY_MAX), reason };
  return reassign(parts, actor, {
    ...{ namespace, name, digest },
    nodes: waiting.map(({ metadata }) => metadata.name),
    change: bundle => (bundle.now === undefined ? { ...bundle, now } : bundle),
  });
}
