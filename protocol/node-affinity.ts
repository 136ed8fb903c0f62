/**
 * Does a node suit a pod? `spec.nodeSelector` and required node affinity against the node's labels and name.
 *
 * Source: `k8s.io/component-helpers/scheduling/corev1/nodeaffinity`; kubelet behaviour rows 177, 178. Pure.
 */
import type { Pod } from './pod.js';

export interface NodeIdentity {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface Term {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}

const INTEGER = /^[+-]?\d{1,19}$/;

/** True for the text of a whole number, as `Gt` and `Lt` compare them. */
export function isInteger(text: string): boolean {
  return INTEGER.test(text);
}

function compares(actual: string | undefined, { operator, values = [] }: Requirement): boolean {
  const [wanted] = values;
  if (actual === undefined || wanted === undefined) return false;
  if (!isInteger(actual) || !isInteger(wanted)) return false;
  const difference = BigInt(actual) - BigInt(wanted);
  return operator === 'Gt' ? difference > 0n : difference < 0n;
}

function meets(actual: string | undefined, requirement: Requirement): boolean {
  const { operator, values = [] } = requirement;
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
    case 'Lt':
      return compares(actual, requirement);
    default:
      return false;
  }
}

/** A term without requirements matches nothing. */
function termMatches(term: Term, node: NodeIdentity): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = new Map(Object.entries(node.labels));
  const fields = new Map([['metadata.name', node.name]]);
  return (
    matchExpressions.every(one => meets(labels.get(one.key), one)) &&
    matchFields.every(one => meets(fields.get(one.key), one))
  );
}

/** The first field that does not suit the node, with what it wants; null when all do. */
export function nodeMismatch(
  pod: Pod,
  node: NodeIdentity,
): { readonly path: string; readonly detail: string } | null {
  const labels = new Map(Object.entries(node.labels));
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {})) {
    const actual = labels.get(key);
    if (actual === value) continue;
    const has = actual === undefined ? 'does not have it' : `has ${key}=${actual}`;
    const detail = `wants ${key}=${value} and the node ${has}`;
    return { path: `spec.nodeSelector[${key}]`, detail };
  }
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms;
  if (terms === undefined || terms.some(term => termMatches(term, node))) return null;
  return {
    path: 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution',
    detail: 'none of its terms matches the labels of the node',
  };
}
