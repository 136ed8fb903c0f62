/**
 * What a pod asks of the engine that this engine does not have: asked before anything of the pod is made.
 *
 * A kubelet rejects for AppArmor alone (behaviour row 161) and passes over the rest; here nothing is passed over.
 * Pure.
 */
import { appArmorOf } from './container-security.js';
import type { EngineFeatures } from '../runtime/runtime.js';
import type { Container, ValidPod } from '../../protocol/pod.js';

export interface EngineLimit {
  /** CamelCase, for `status.reason`: `AppArmor`, `SELinux`, `Seccomp`, `UserNamespaces`. */
  readonly reason: string;
  /** The field that asks for it. */
  readonly path: string;
  /** A sentence that names the field. */
  readonly message: string;
}

interface Located {
  readonly container: Container;
  readonly at: string;
}

function located({ spec }: ValidPod): Located[] {
  return (['initContainers', 'containers'] as const).flatMap(list =>
    (spec[list] ?? []).map((container, index) => ({ container, at: `spec.${list}[${index}]` })),
  );
}

/** The container field's path when the container has it, else the pod field's when that has it. */
function pathOf(
  pod: ValidPod,
  asks: (context: NonNullable<Container['securityContext']>) => boolean,
  field: string,
): string | null {
  if (asks(pod.spec.securityContext ?? {})) return `spec.securityContext.${field}`;
  const first = located(pod).find(({ container }) => asks(container.securityContext ?? {}));
  return first === undefined ? null : `${first.at}.securityContext.${field}`;
}

function appArmorPath(pod: ValidPod): string | null {
  for (const { container, at } of located(pod)) {
    const found = appArmorOf(pod, container);
    if (found === null || found.profile.type === 'Unconfined') continue;
    return found.path.startsWith('securityContext') ? `${at}.${found.path}` : found.path;
  }
  return null;
}

/** The first thing that is missing; null when the engine has all that the pod asks for. */
export function engineLimit(pod: ValidPod, features: EngineFeatures): EngineLimit | null {
  const limits: readonly [boolean, string, string | null, string][] = [
    [
      features.appArmor,
      'AppArmor',
      appArmorPath(pod),
      'Cannot enforce AppArmor: AppArmor is not enabled on the host',
    ],
    [
      features.seccomp,
      'Seccomp',
      pathOf(
        pod,
        ({ seccompProfile }) =>
          seccompProfile !== undefined && seccompProfile.type !== 'Unconfined',
        'seccompProfile',
      ),
      'seccomp profiles are not on this engine',
    ],
    [
      features.seLinux,
      'SELinux',
      pathOf(
        pod,
        ({ seLinuxOptions }) => Object.values(seLinuxOptions ?? {}).some(value => value !== ''),
        'seLinuxOptions',
      ),
      'SELinux is not on this engine',
    ],
    [
      !features.rootful,
      'UserNamespaces',
      pod.spec.hostUsers === false ? 'spec.hostUsers' : null,
      'user namespaces are not on this engine (it is neither rootless nor set to userns-remap)',
    ],
  ];
  for (const [isThere, reason, path, message] of limits) {
    if (!isThere && path !== null) return { reason, path, message: `${message}: ${path}` };
  }
  return null;
}
