/**
 * What a pod as a whole requests of its node: sums over containers by the formula of the Kubernetes API, which knows
 * that init containers run one after the other and sidecars beside all that follows them.
 *
 * Source: `k8s.io/component-helpers/resource` AggregateContainerRequests; kubelet behaviour row 183. Pure.
 */
import type { Container, Pod } from './pod.js';
import { parseQuantityMilli, parseQuantityWhole } from './quantity.js';

/** What a kubelet compares with what the node has, in its order. */
export const NODE_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'] as const;
export type NodeResource = (typeof NODE_RESOURCES)[number];

/** cpu in thousandths of a core, the others in bytes. */
export type Amounts = Readonly<Record<NodeResource, number>>;

export const NOTHING_REQUESTED: Amounts = { cpu: 0, memory: 0, 'ephemeral-storage': 0 };

function combine(a: Amounts, b: Amounts, by: (x: number, y: number) => number): Amounts {
  return {
    cpu: by(a.cpu, b.cpu),
    memory: by(a.memory, b.memory),
    'ephemeral-storage': by(a['ephemeral-storage'], b['ephemeral-storage']),
  };
}

export function addAmounts(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (x, y) => x + y);
}

/** Quantities of a manifest or of a node; what is not named is 0. Throws `QuantityError`. */
export function amountsOf(quantities: Readonly<Record<string, string | number>>): Amounts {
  const bytes = (name: NodeResource) => parseQuantityWhole(quantities[name] ?? 0);
  return {
    cpu: parseQuantityMilli(quantities['cpu'] ?? 0),
    memory: bytes('memory'),
    'ephemeral-storage': bytes('ephemeral-storage'),
  };
}

/** A limit without a request counts as the request (row 55). */
function ofContainer({ resources }: Container): Amounts {
  return amountsOf({ ...resources?.limits, ...resources?.requests });
}

/** max(apps + sidecars, each init container + the sidecars before it). */
export function podRequests(pod: Pod): Amounts {
  let running = (pod.spec?.containers ?? []).map(ofContainer).reduce(addAmounts, NOTHING_REQUESTED);
  let sidecars = NOTHING_REQUESTED;
  let highest = NOTHING_REQUESTED;
  for (const container of pod.spec?.initContainers ?? []) {
    const own = ofContainer(container);
    const isSidecar = container.restartPolicy === 'Always';
    if (isSidecar) {
      running = addAmounts(running, own);
      sidecars = addAmounts(sidecars, own);
    }
    highest = combine(highest, isSidecar ? sidecars : addAmounts(sidecars, own), Math.max);
  }
  return combine(running, highest, Math.max);
}
