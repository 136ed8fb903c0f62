/**
 * How important a pod is. The two classes that every cluster has are known by name; any other class would have to be
 * looked up at an API server, so `spec.priority` counts there. Kubelet behaviour row 187, done better. Pure.
 */
import type { Pod } from './pod.js';

export const SYSTEM_NODE_CRITICAL = 'system-node-critical';
export const SYSTEM_CLUSTER_CRITICAL = 'system-cluster-critical';

const SYSTEM_CLASSES: ReadonlyMap<string, number> = new Map([
  [SYSTEM_NODE_CRITICAL, 2_000_001_000],
  [SYSTEM_CLUSTER_CRITICAL, 2_000_000_000],
]);

/** From this number up a pod is critical (`scheduling.SystemCriticalPriority`). */
export const CRITICAL_PRIORITY = 2_000_000_000;

/** A whole number, the higher the more important; 0 when the manifest says nothing. */
export function podPriority(pod: Pod): number {
  const { priorityClassName = '', priority = 0 } = pod.spec ?? {};
  return SYSTEM_CLASSES.get(priorityClassName) ?? priority;
}

export function isCritical(pod: Pod): boolean {
  return podPriority(pod) >= CRITICAL_PRIORITY;
}

/** Such a pod gets the lowest oom_score_adj whatever it requests (`pkg/kubelet/qos/policy.go`). */
export function isNodeCritical(pod: Pod): boolean {
  return pod.spec?.priorityClassName === SYSTEM_NODE_CRITICAL;
}
