/**
 * The Pod Security Standards of Kubernetes: may this pod run at this level?
 *
 * Says all that is wrong, each with the official id of the check, the field and the official words; nothing is
 * changed. A privileged level allows everything. Kubelet behaviour rows 163 to 165. Pure.
 */
import type { Pod } from './pod.js';
import { BASELINE_KEPT, BASELINE_REPLACED } from './pod-security-baseline.js';
import { RESTRICTED } from './pod-security-restricted.js';
import {
  NO_EXCEPTIONS,
  type PodSecurityCheck,
  type PodSecurityExceptions,
  type PodSecurityViolation,
} from './pod-security-violation.js';

export type { PodSecurityExceptions, PodSecurityViolation } from './pod-security-violation.js';
export { NO_EXCEPTIONS } from './pod-security-violation.js';

/** From the laxest to the strictest. */
export const POD_SECURITY_LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type PodSecurityLevel = (typeof POD_SECURITY_LEVELS)[number];

/** What a node lets bundles do unless its owner says otherwise. */
export const BUNDLE_DEFAULT = { level: 'baseline', minHostPort: 1024 } as const;

const CHECKS: Readonly<Record<PodSecurityLevel, readonly PodSecurityCheck[]>> = {
  privileged: [],
  baseline: [...BASELINE_KEPT, ...BASELINE_REPLACED],
  restricted: [...BASELINE_KEPT, ...RESTRICTED],
};

export function isPodSecurityLevel(value: unknown): value is PodSecurityLevel {
  return (POD_SECURITY_LEVELS as readonly unknown[]).includes(value);
}

/** The level that allows no more than either of the two. */
export function stricterLevel(a: PodSecurityLevel, b: PodSecurityLevel): PodSecurityLevel {
  return POD_SECURITY_LEVELS.indexOf(a) > POD_SECURITY_LEVELS.indexOf(b) ? a : b;
}

/** All broken rules, sorted by id; empty when the pod may run. Expects a pod with its defaults. */
export function checkPodSecurity(
  pod: Pod,
  level: PodSecurityLevel,
  exceptions: PodSecurityExceptions = NO_EXCEPTIONS,
): readonly PodSecurityViolation[] {
  return CHECKS[level]
    .flatMap(check => check(pod, exceptions) ?? [])
    .sort((a, b) => (a.rule < b.rule ? -1 : 1));
}

/** What the API server of a cluster would say, and which rule and field say it. */
export function podSecurityMessage(
  level: PodSecurityLevel,
  violations: readonly PodSecurityViolation[],
): string {
  const all = violations.map(
    ({ rule, path, message }) => `${message} [rule ${rule}, field ${path}]`,
  );
  return `violates PodSecurity "${level}:latest": ${all.join(', ')}`;
}
