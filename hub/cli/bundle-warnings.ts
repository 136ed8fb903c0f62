/**
 * What of a bundle the nodes will not run unless their owners allow it: said when it is applied, decided on the nodes.
 * Pure.
 */
import { withDefaults } from '../../protocol/pod-defaults.js';
import {
  BUNDLE_DEFAULT,
  checkPodSecurity,
  NO_EXCEPTIONS,
  podSecurityMessage,
} from '../../protocol/pod-security-standards.js';
import type { ValidPod } from '../../protocol/pod.js';

/** One line for each pod that breaks the policy that nodes have by default. */
export function podSecurityWarnings(pods: readonly ValidPod[]): string[] {
  const { level, minHostPort } = BUNDLE_DEFAULT;
  return pods.flatMap(pod => {
    const violations = checkPodSecurity(withDefaults(pod), level, {
      ...NO_EXCEPTIONS,
      minHostPort,
    });
    if (violations.length === 0) return [];
    const message = podSecurityMessage(level, violations);
    return [`Warning: pod "${pod.metadata.name}" ${message}; nodes refuse that by default`];
  });
}
