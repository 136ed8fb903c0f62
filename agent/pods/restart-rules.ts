/**
 * Whether a container that ended runs again: the pod's restart policy, the container's own, its exit code rules.
 * Kubelet behaviour rows 83, 89, 117, 121; `ContainerShouldRestart` of `pkg/api/v1/pod`. Pure.
 */
import type { EngineId, ObservedContainer } from '../runtime/runtime.js';
import { allContainers, type Container, type PodSpec, type ValidPod } from '../../protocol/pod.js';

/** Of a container whose end nobody saw (row 197). */
export const UNKNOWN_EXIT_CODE = 137;

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

/** True for a container that ended in a way that asks for a restart of all (row 89). */
function asksForAll(pod: ValidPod, one: ObservedContainer): boolean {
  const container = allContainers(pod).find(({ name }) => name === one.name);
  if (container === undefined || one.state !== 'exited') return false;
  return ruleFor(container, one.exitCode ?? UNKNOWN_EXIT_CODE)?.action === 'RestartAllContainers';
}

/**
 * How often all containers of a pod are to have been restarted in this sandbox: those of an earlier round have to be made
 * again. Counted, not timed: a clock that jumps restarts nothing. `hashes` are those of the manifest: what a container did
 * before it was edited is not asked.
 */
export function roundOf(
  pod: ValidPod,
  containers: readonly ObservedContainer[],
  within: { readonly sandboxId: EngineId; readonly hashes: ReadonlyMap<string, string> },
): number {
  const rounds = containers
    .filter(one => one.sandboxId === within.sandboxId)
    .map(one => {
      const isAsking = one.hash === within.hashes.get(one.name) && asksForAll(pod, one);
      return one.round + (isAsking ? 1 : 0);
    });
  return Math.max(0, ...rounds);
}
