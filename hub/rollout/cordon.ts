/**
 * A node that people keep new things away from (`kubectl cordon`). Kubernetes places no new pods there and leaves what runs; here it
 * begins with no bundle and with no revision above the one that it has. What is taken away, or back, goes on: bundles that are deleted or
 * select it no more leave it, and who rolls back a revision does so there too. Pure.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { NodeObject } from '../objects.js';
import type { Candidate } from './rollout.js';
import { isDenied } from './withdrawn.js';

export function isCordoned({ spec }: Pick<NodeObject, 'spec'>): boolean {
  return spec.unschedulable === true;
}

export function cordonText(node: string): string {
  return `cordoned: begins nothing new until \`flotilla uncordon ${node}\``;
}

/** Of what is offered to it: what it has, at the revision that it has or one below. */
export function stayingOffers(
  offers: readonly Candidate[],
  assigned: readonly AssignedBundle[],
  root: Pick<RootDocument, 'denied' | 'floors'>,
): Candidate[] {
  return offers.flatMap(offer => {
    const { namespace, name } = offer;
    const has = assigned.find(one => one.namespace === namespace && one.name === name);
    if (has === undefined) return [];
    if (offer.digest === has.digest || offer.revision < has.revision) return [offer];
    const { revision, digest, size } = has;
    const isWithdrawn = isDenied(root, { namespace, name, revision, digest }) !== null;
    return [{ ...offer, revision, digest, size, isWithdrawn }];
  });
}
