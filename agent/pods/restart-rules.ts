/**
 * Whether a container that ended runs again: the pod's restart policy, the container's own, its exit code rules.
 * Kubelet behaviour rows 83, 89, 117, 121; `ContainerShouldRestart` of `pkg/api/v1/pod`. Pure.
 */
import type { ObservedContainer } from '../runtime/runtime.js';
import type { Container, PodSpec, ValidPod } from '../../protocol/pod.js';

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

/** The first rule that speaks of this exit code. */
export function ruleFor(container: Container, exitCode: number): RestartRule | null {
  const { restartPolicyRules: rules = [] } = container as Container & {
    readonly restartPolicyRules?: readonly RestartRule[];
  };
  return rules.find(rule => matches(rule, exitCode)) ?? null;
}

/** For app and init containers alike; an init container that succeeded is the caller's to know. */
export function restartsAfter(container: Container, spec: PodSpec, exitCode: number): boolean {
  if (ruleFor(container, exitCode) !== null) return true;
  switch (container.restartPolicy ?? spec.restartPolicy) {
    case 'Never':
      return false;
    case 'OnFailure':
      return exitCode !== 0;
    default:
      return true;
  }
}

/** False = it stays as it ended. A container that the manifest does not have is not restarted. */
export function isRestartable(pod: ValidPod, name: string, exitCode: number): boolean {
  const { initContainers = [], containers } = pod.spec;
  const init = initContainers.find(one => one.name === name);
  const container = init ?? containers.find(one => one.name === name);
  if (container === undefined) return false;
  const isPlainInit = init !== undefined && !isSidecar(init);
  return !(isPlainInit && exitCode === 0) && restartsAfter(container, pod.spec, exitCode);
}

/**
 * When the newest container that asks for a restart of all ended, milliseconds since 1970: whatever was made before has to
 * be made again. Null when none does.
 */
export function restartAllAt(
  pod: ValidPod,
  containers: readonly ObservedContainer[],
): number | null {
  let at: number | null = null;
  for (const container of pod.spec.containers) {
    for (const one of containers) {
      if (one.name !== container.name || one.state !== 'exited' || one.finishedAt === null)
        continue;
      if (ruleFor(container, one.exitCode ?? 137)?.action !== 'RestartAllContainers') continue;
      at = Math.max(at ?? 0, one.finishedAt.getTime());
    }
  }
  return at;
}
