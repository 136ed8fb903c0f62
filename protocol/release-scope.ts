/**
 * What the root lets the signers of a bundle ask of a node: level of the Pod Security Standards, host ports, host paths,
 * on which nodes.
 *
 * Judged on the node from root, bundle and the labels of its own enrolment alone, so a stolen hub cannot widen it; the
 * node's own policy is judged beside it, and a pod needs both. How many nodes a scope reaches no node can see: the hub
 * judges that. Pure.
 */
import type { ReleaseScope } from './documents/root.js';
import type { Pod, ValidPod } from './pod.js';
import { withDefaults } from './pod-defaults.js';
import { accept, refuse, type Result } from './refusal.js';
import { BUNDLE_DEFAULT, checkPodSecurity, podSecurityMessage } from './pod-security-standards.js';

/** What a scope grants, whoever may use it. */
export type Grant = Omit<ReleaseScope, 'threshold' | 'keys'>;

/** What `hub init` grants unless it is told otherwise: as much as nodes grant by themselves. */
export const DEFAULT_GRANT: Grant = {
  podSecurity: BUNDLE_DEFAULT.level,
  minHostPort: BUNDLE_DEFAULT.minHostPort,
  hostPaths: [],
  nodeLabels: {},
  maxNodes: null,
};

type Labels = Readonly<Record<string, string>>;

/** Whether a node that enrolled with these labels is one that the scope holds on. */
export function holdsOn({ nodeLabels }: Pick<Grant, 'nodeLabels'>, labels: Labels): boolean {
  return Object.entries(nodeLabels).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** `site=harbour,stage=test`; empty for none. */
export function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

/**
 * The grants that hold on a node with these labels. Refuses, with what they ask for, when there are some and none holds
 * there.
 */
export function grantsOn<G extends Pick<Grant, 'nodeLabels'>>(
  grants: readonly G[],
  labels: Labels,
): Result<readonly G[]> {
  const holding = grants.filter(grant => holdsOn(grant, labels));
  if (holding.length > 0 || grants.length === 0) return accept(holding);
  const asked = grants.map(({ nodeLabels }) => labelText(nodeLabels)).join(' or ');
  return refuse(
    'OutOfScope',
    `the release keys that signed it hold on nodes enrolled with ${asked}; ` +
      `this node enrolled with ${labelText(labels) || 'no labels'}`,
  );
}

/** Whether the path is the prefix or lies below it, step by step, not letter by letter; links are not followed. */
export function isBelow(path: string, prefix: string): boolean {
  const steps = (of: string) => of.split('/').filter(step => step !== '' && step !== '.');
  const [inner, outer] = [steps(path), steps(prefix)];
  return !inner.includes('..') && outer.every((step, index) => inner[index] === step);
}

function hostPathOffence(pod: Pod, { hostPaths }: Grant): string | null {
  for (const [index, { hostPath }] of (pod.spec?.volumes ?? []).entries()) {
    if (hostPath === undefined || hostPaths.some(prefix => isBelow(hostPath.path, prefix)))
      continue;
    const at = `spec.volumes[${index}].hostPath.path`;
    return `${at}: ${hostPath.path} is not among the host paths that it allows (${hostPaths.join(', ')})`;
  }
  return null;
}

/** Why the grant does not cover a pod, with rule and field; null: it does. Expects a pod with its defaults. */
function grantOffence(pod: Pod, grant: Grant): string | null {
  const { podSecurity, minHostPort, hostPaths } = grant;
  const hostPathsAreListed = hostPaths.length > 0;
  const violations = checkPodSecurity(pod, podSecurity, { minHostPort, hostPathsAreListed });
  if (violations.length > 0) return podSecurityMessage(podSecurity, violations);
  const judgesPaths = podSecurity !== 'privileged' && hostPathsAreListed;
  return judgesPaths ? hostPathOffence(pod, grant) : null;
}

/** Why none of the grants covers a pod, as the last of them says it; null: one does. */
export function outOfScope(pod: ValidPod, grants: readonly Grant[]): string | null {
  const whole = withDefaults(pod);
  const offences = grants.map(grant => grantOffence(whole, grant));
  if (offences.includes(null)) return null;
  const last = offences.at(-1) ?? 'no scope of the root holds for who signed it';
  return `beyond the scope of the release keys in the root: ${last}`;
}
