/**
 * What a check of the Pod Security Standards says, and the wording that the checks share.
 *
 * Messages are those of `k8s.io/pod-security-admission`, so that what people know from a cluster's warnings can be
 * searched for here too. Types and wording only.
 */
import type { Pod } from './pod.js';

export interface PodSecurityViolation {
  /** The id of the official check: `hostPorts`, `runAsNonRoot` … */
  readonly rule: string;
  /** The first field that breaks it: `spec.containers[0].securityContext.privileged`. */
  readonly path: string;
  /** `hostPort (container "web" uses hostPort 80)`. */
  readonly message: string;
}

/** What a policy allows beyond a level. */
export interface PodSecurityExceptions {
  /** Host ports from this number up; null: none. */
  readonly minHostPort: number | null;
  /** True when a list of its own says which host paths may be mounted. */
  readonly hostPathsAreListed: boolean;
}

export const NO_EXCEPTIONS: PodSecurityExceptions = {
  minHostPort: null,
  hostPathsAreListed: false,
};

export type PodSecurityCheck = (
  pod: Pod,
  exceptions: PodSecurityExceptions,
) => PodSecurityViolation | null;

/** What one container, or the pod itself, breaks a rule with. */
export interface Offence {
  /** The container's name; null for the pod as a whole. */
  readonly container: string | null;
  readonly path: string;
  /** The values that are not allowed. */
  readonly values: readonly string[];
}

export function quoted(items: readonly string[]): string {
  return items.map(item => `"${item}"`).join(', ');
}

export function plural(singular: string, many: string, count: number): string {
  return count === 1 ? singular : many;
}

/** The values of all offences, sorted, each once. */
export function valuesOf(offences: readonly Offence[]): string[] {
  return [...new Set(offences.flatMap(({ values }) => values))].sort();
}

/** `container "a"`, `containers "a", "b"`; empty when only the pod itself is meant. */
export function namedContainers(offences: readonly Offence[]): string {
  const names = [...new Set(offences.flatMap(({ container }) => container ?? []))];
  return names.length === 0
    ? ''
    : `${plural('container', 'containers', names.length)} ${quoted(names)}`;
}

/** `pod and containers "a", "b"`: who set something that is not allowed. */
export function setters(offences: readonly Offence[]): string {
  const pod = offences.some(({ container }) => container === null) ? ['pod'] : [];
  const containers = namedContainers(offences);
  return [...pod, ...(containers === '' ? [] : [containers])].join(' and ');
}

/** Null when there is no offence. */
export function violation(
  rule: string,
  reason: string,
  broken: { readonly offences: readonly Offence[]; readonly detail: string },
): PodSecurityViolation | null {
  const [first] = broken.offences;
  if (first === undefined) return null;
  return { rule, path: first.path, message: `${reason} (${broken.detail})` };
}
