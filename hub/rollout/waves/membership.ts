/** Which nodes a wave takes when it begins; from then on they are its own. Pure. */
import { sha256Hex } from '../../../protocol/canonical.js';
import { matches, parseSelector } from '../../selectors.js';
import type { Wave } from './plan.js';
import { sharedUp } from './share.js';
import { isReachable, type FleetNode } from './stand.js';

/**
 * Names, sorted. Of so many nodes those that can be reached come first, so that a canary is not one that sleeps; among them chance
 * decides, another for each revision: not always the same ones go first.
 */
export function membersOf(
  wave: Wave,
  fleet: readonly FleetNode[],
  of: { readonly taken: ReadonlySet<string>; readonly digest: string },
): string[] {
  const free = fleet.filter(({ name }) => !of.taken.has(name));
  if ('selector' in wave) {
    const requirements = parseSelector(wave.selector);
    return namesOf(free.filter(({ labels }) => matches(requirements, labels)));
  }
  const room = sharedUp(wave.nodes, fleet.length) - (fleet.length - free.length);
  if (room >= free.length) return namesOf(free);
  const drawn = free
    .map(node => ({
      node,
      lot: `${isReachable(node) ? 0 : 1}${sha256Hex(`${of.digest} ${node.name}`)}`,
    }))
    .sort((a, b) => (a.lot < b.lot ? -1 : 1));
  return namesOf(drawn.slice(0, Math.max(0, room)).map(({ node }) => node));
}

function namesOf(nodes: readonly FleetNode[]): string[] {
  return nodes.map(({ name }) => name).sort();
}
