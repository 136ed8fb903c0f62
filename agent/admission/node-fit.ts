/**
 * Does the node suit the pod, and is there room for it? Labels, operating system, resources, number of pods, in the
 * kubelet's words.
 *
 * Kubelet behaviour rows 177, 178, 182, 183 (`pkg/kubelet/lifecycle/predicate.go`): the reason is always the plain one,
 * never `UnexpectedAdmissionError`. Pure.
 */
import { rejected, waiting, type Gate, type GateContext, type Holding } from './gate.js';
import { nodeMismatch } from '../../protocol/node-affinity.js';
import {
  addAmounts,
  amountsOf,
  NODE_RESOURCES,
  NOTHING_REQUESTED,
  podRequests,
} from '../../protocol/pod-requests.js';
import { parseQuantityWhole } from '../../protocol/quantity.js';
import type { Rejection } from '../pods/desired.js';

const OS_LABEL = 'kubernetes.io/os';
const OS = 'linux';

/** What every node has of itself; `own` are those of the configuration. `arch` in Kubernetes' word. */
export function nodeLabels(
  node: { readonly name: string; readonly arch: string },
  own: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return {
    ...own,
    'kubernetes.io/hostname': node.name,
    [OS_LABEL]: OS,
    'kubernetes.io/arch': node.arch,
    'beta.kubernetes.io/os': OS,
    'beta.kubernetes.io/arch': node.arch,
  };
}

/** The label of the pod itself, then `spec.os`, as the kubelet asks. */
export const osGate: Gate = ({ pod }) => {
  const label = pod.metadata.labels?.[OS_LABEL];
  if (label !== undefined && label !== OS) {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
    const detail = `metadata.labels[${OS_LABEL}] is ${label}, the node runs ${OS}`;
    return rejected('PodOSSelectorNodeLabelDoesNotMatch', `${message}: ${detail}`);
  }
  const name = pod.spec.os?.name;
  if (name === undefined || name === OS) return null;
  const message = "Failed to admit pod as the OS field doesn't match node OS";
  return rejected('PodOSNotSupported', `${message}: spec.os.name is ${name}, the node runs ${OS}`);
};

const NAME_MAX = 253;

/** Row 46: the kubelet judges the name as it is with the node's behind it. */
export const nameGate: Gate = ({ pod }) => {
  const { name } = pod.metadata;
  if (name.length <= NAME_MAX) return null;
  const message = `metadata.name: Invalid value: with the node's name behind it, it has ${name.length} characters`;
  return rejected('InvalidName', `${message}, and must be no more than ${NAME_MAX}`);
};

export const affinityGate: Gate = ({ pod }, { node }) => {
  const mismatch = nodeMismatch(pod, node);
  if (mismatch === null) return null;
  const message =
    "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
  return rejected('NodeAffinity', `${message}: ${mismatch.path}: ${mismatch.detail}`);
};

interface Shortage {
  readonly reason: string;
  readonly message: string;
}

function shortageOf(
  name: string,
  amounts: { readonly requested: number; readonly used: number; readonly capacity: number },
): Shortage | null {
  const { requested, used, capacity } = amounts;
  if (requested === 0 || requested <= capacity - used) return null;
  const message =
    `Node didn't have enough resource: ${name}, requested: ${requested}, ` +
    `used: ${used}, capacity: ${capacity}`;
  return { reason: `OutOf${name}`, message };
}

/** The first thing that is short beside these pods. */
function shortage(
  requests: ReturnType<typeof podRequests>,
  beside: readonly Holding[],
  { allocatable }: GateContext['node'],
): Shortage | null {
  const pods = allocatable['pods'];
  if (pods !== undefined) {
    const capacity = parseQuantityWhole(pods);
    const found = shortageOf('pods', { requested: 1, used: beside.length, capacity });
    if (found !== null) return found;
  }
  const used = beside.map(one => one.requests).reduce(addAmounts, NOTHING_REQUESTED);
  const capacity = amountsOf(allocatable);
  for (const name of NODE_RESOURCES) {
    if (allocatable[name] === undefined) continue;
    const amounts = { requested: requests[name], used: used[name], capacity: capacity[name] };
    const found = shortageOf(name, amounts);
    if (found !== null) return found;
  }
  return null;
}

/** Room that a pod which is ending will give back is waited for. */
export const resourcesGate: Gate = ({ pod }, { node, holdings }): Rejection | null => {
  const requests = podRequests(pod);
  const found = shortage(requests, holdings, node);
  if (found === null) return null;
  const staying = holdings.filter(({ isEnding }) => !isEnding);
  const lasting = shortage(requests, staying, node);
  if (lasting !== null) return rejected(lasting.reason, lasting.message);
  return waiting(found.reason, `${found.message}; waits for pods that are ending`);
};
