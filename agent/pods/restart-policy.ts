/**
 * Whether a container that ended runs again: the pod's policy, the container's own, its rules on exit codes, and what an
 * init container and a sidecar are. Kubelet behaviour rows 83, 89, 117, 121; `pkg/api/v1/pod`. Pure.
 */
import type { ObservedContainer } from '../runtime/runtime.js';
import type { Container, ValidPod } from '../../protocol/pod.js';

interface RestartRule {
  readonly action: 'Restart' | 'RestartAllContainers';
  readonly exitCodes?: { readonly operator: 'In' | 'NotIn'; readonly values?: readonly number[] };
}

/** The first rule that speaks of this exit code. */
function ruleFor(container: Container, exitCode: number): RestartRule | null {
  const { restartPolicyRules = [] } = container as { restartPolicyRules?: readonly RestartRule[] };
  const fits = ({ exitCodes }: RestartRule) =>
    exitCodes !== undefined &&
    (exitCodes.values ?? []).includes(exitCode) === (exitCodes.operator === 'In');
  return restartPolicyRules.find(fits) ?? null;
}

/** False = it stays as it ended. A container that the manifest does not have is not restarted. */
export function isRestartable(pod: ValidPod, name: string, exitCode: number): boolean {
  const { initContainers = [], containers, restartPolicy = 'Always' } = pod.spec;
  const init = initContainers.find(one => one.name === name);
  const container = init ?? containers.find(one => one.name === name);
  if (container === undefined) return false;
  if (ruleFor(container, exitCode) !== null) return true;
  const policy = container.restartPolicy ?? restartPolicy;
  const isSidecar = init?.restartPolicy === 'Always';
  if (init !== undefined && !isSidecar && exitCode === 0) return false;
  if (policy === 'Always') return true;
  return policy === 'OnFailure' && exitCode !== 0;
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
