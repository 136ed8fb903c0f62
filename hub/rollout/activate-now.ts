/**
 * The newest revision of a bundle waits for no maintenance window and no pod any more, on the nodes where it does not run yet; nor does the
 * way back from it, where it was given up and a pod keeps it there. Where nodes wait for a person to let them begin, this is the word. Said in their assignments, with who wants it and why, so that a node
 * which is away finds it there.
 */
import { UPDATES_LOCKED } from '../../protocol/bundle-reasons.js';
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { NodeObject } from '../objects.js';
import type { Activated } from '../ports.js';
import type { Actor } from '../store/store.js';
import { fateOf } from './fate.js';
import { releaseNodes } from './release-nodes.js';
import { wordText } from './waves/verbs.js';
import { reassign, wishedFor, type BundleWish, type ReassignParts } from './reassign.js';

/** Limit of the document. */
const BY_MAX = 256;

export interface ActivateWish extends BundleWish {
  /** May be empty. */
  readonly reason: string;
}

/** Throws as `wishedFor`. */
export async function activateBundleNow(
  parts: ReassignParts,
  actor: Actor,
  wish: ActivateWish,
): Promise<Activated> {
  const { digest, nodes } = await wishedFor(parts.store, wish);
  const { namespace, name, reason } = wish;
  const saidBy = ({ status }: NodeObject) =>
    status.flotilla.bundles.find(b => b.namespace === namespace && b.name === name);
  const isWaiting = (node: NodeObject) => {
    const said = saidBy(node);
    return said?.active !== digest && said?.failed !== digest;
  };
  const isKept = (node: NodeObject) => {
    const said = saidBy(node);
    const isLocked = node.status.conditions?.some(
      c => c.type === UPDATES_LOCKED && c.status === 'True',
    );
    return said?.active === digest && said.failed === digest && isLocked === true;
  };
  const now = { by: actor.name.slice(0, BY_MAX), reason };
  const say = (
    to: (node: NodeObject) => boolean,
    change: (bundle: AssignedBundle) => AssignedBundle,
  ) =>
    reassign(parts, actor, {
      ...{ namespace, name, digest, change },
      wish: wordText({ verb: `activate --now ${namespace}/${name}`, reason }),
      nodes: nodes.filter(to).map(({ metadata }) => metadata.name),
    });
  const onward = await say(isWaiting, bundle =>
    bundle.now === undefined ? { ...bundle, now } : bundle,
  );
  const back = await say(isKept, bundle =>
    bundle.now?.back === true ? bundle : { ...bundle, now: { ...now, back: true } },
  );
  const names = nodes.map(({ metadata }) => metadata.name);
  const released = await releaseNodes(parts, actor, { namespace, name, reason, nodes: names });
  const held = nodes.flatMap(node => {
    const said = saidBy(node);
    if (said?.digest !== digest || fateOf(said) !== 'held') return [];
    return [{ node: node.metadata.name, message: said.message }];
  });
  return { nodes: [...onward, ...back, ...released].sort(), held };
}
