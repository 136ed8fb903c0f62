/**
 * Whether a container that ended runs again: the pod's restart policy, the container's own, its exit code rules.
 * Kubelet behaviour rows 83, 89, 117, 121; `ContainerShouldRestart` of `pkg/api/v1/pod`. Pure.
 */
import type { Container, PodSpec } from '../../protocol/pod.js';

/** `restartPolicyRules` of Kubernetes 1.34. */
interface RestartRule {
  readonly action: string;
  readonly exitCodes?: { readonly operator: string; readonly values?: readonly number[] };
}

/** An init container that runs as long as the pod does. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

function matches({ exitCodes }: RestartRule, exitCode: number): boolean {
  if (exitCodes === undefined) return false;
  const isNamed = exitCodes.values?.includes(exitCode) ?? false;
  return exitCodes.operator === 'NotIn' ? !isNamed : exitCodes.operator === 'In' && isNamed;
}

/** For app and init containers alike; an init container that succeeded is the caller's to know. */
export function restartsAfter(container: Container, spec: PodSpec, exitCode: number): boolean {
  const { restartPolicyRules: rules = [] } = container as Container & {
    readonly restartPolicyRules?: readonly RestartRule[];
  };
  if (rules.some(rule => matches(rule, exitCode))) return true;
  switch (container.restartPolicy ?? spec.restartPolicy) {
    case 'Never':
      return false;
    case 'OnFailure':
      return exitCode !== 0;
    default:
      return true;
  }
}
