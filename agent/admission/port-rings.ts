/**
 * Pods that wait for each other's ports in a ring: each could begin if the former versions of all of them had ended. As on a kubelet
 * all these end, and then all begin. Of those that want one place in it, some have to stay out. Pure.
 */
import type { Holding } from './gate.js';
import { hostPortsOf, portsClash, type HostPort } from '../../protocol/host-ports.js';
import type { DesiredPod } from '../pods/desired.js';

export interface RingWorld {
  /** If the pods of these names had ended, and these had begun. */
  readonly mayBegin: (
    pod: DesiredPod,
    freed: ReadonlySet<string>,
    taken: readonly Holding[],
  ) => boolean;
  /** What this pod takes when it begins. */
  readonly holdingOf: (pod: DesiredPod) => Holding;
  /** What the former version of this pod has of the node's ports. */
  readonly formerPorts: (pod: DesiredPod) => readonly HostPort[];
}

/** Real nodes have no such knots; whoever ties one may wait a turn. */
const BRANCHES_MAX = 64;

const keysOf = (pods: readonly DesiredPod[]) => new Set(pods.map(({ key }) => key));

const clash = (some: readonly HostPort[], others: readonly HostPort[]) =>
  some.some(one => others.some(other => portsClash(one, other)));

/** Those of `waiting`, in its order, that may begin together. */
export function exchanging(
  waiting: readonly DesiredPod[],
  world: RingWorld,
): readonly DesiredPod[] {
  let branches = 0;

  /** Without those that wait for a pod outside of it too. */
  function closed(pods: readonly DesiredPod[]): readonly DesiredPod[] {
    const freed = keysOf(pods);
    const left = pods.filter(pod => world.mayBegin(pod, freed, []));
    return left.length === pods.length ? pods : closed(left);
  }

  /** The first two that want one place, the earlier one first. */
  function rivals(ring: readonly DesiredPod[]): readonly [DesiredPod, DesiredPod] | null {
    for (const [index, one] of ring.entries()) {
      const ports = hostPortsOf(one.pod);
      const other = ring.slice(index + 1).find(({ pod }) => clash(ports, hostPortsOf(pod)));
      if (other !== undefined) return [one, other];
    }
    return null;
  }

  /** Nobody in the ring waits for what it has. */
  function isSpare(pod: DesiredPod, ring: readonly DesiredPod[]): boolean {
    const ports = world.formerPorts(pod);
    return !ring.some(other => other !== pod && clash(ports, hostPortsOf(other.pod)));
  }

  function settled(pods: readonly DesiredPod[]): readonly DesiredPod[] {
    const ring = closed(pods);
    const pair = rivals(ring);
    if (pair === null) return ring;
    const [first, second] = pair;
    const without = (out: DesiredPod) => settled(ring.filter(pod => pod !== out));
    if (isSpare(second, ring)) return without(second);
    if (isSpare(first, ring)) return without(first);
    const preferred = without(second);
    branches += 1;
    if (branches > BRANCHES_MAX) return preferred;
    const other = without(first);
    return other.length > preferred.length ? other : preferred;
  }

  let ring = settled(waiting);
  for (;;) {
    const freed = keysOf(ring);
    const taken: Holding[] = [];
    const next = ring.filter(pod => {
      if (!world.mayBegin(pod, freed, taken)) return false;
      taken.push(world.holdingOf(pod));
      return true;
    });
    if (next.length === ring.length) return ring;
    ring = next;
  }
}
