/**
 * Which sysctls a pod may set on this node: the safe ones, and those that the node's configuration allows besides.
 *
 * As the kubelet's allowlist (`pkg/kubelet/sysctl`, behaviour row 162). Pure.
 */
import { excerpt } from '../../protocol/excerpt.js';
import type { ValidPod } from '../../protocol/pod.js';
import { SAFE_SYSCTLS } from '../../protocol/safe-sysctls.js';
import { sysctlName, sysctlNamespace } from '../../protocol/sysctl-names.js';

/** By name with dots: what the engine is asked for. */
export function podSysctls({ spec }: ValidPod): Record<string, string> {
  const given = spec.securityContext?.sysctls ?? [];
  return Object.fromEntries(given.map(({ name, value }) => [sysctlName(name), value]));
}

export interface ForbiddenSysctl {
  /** `spec.securityContext.sysctls[0].name`. */
  readonly path: string;
  readonly message: string;
}

const PATTERN = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*([a-z0-9][-_a-z0-9]*\*?|\*)$/;

/**
 * What is wrong with an entry of `allowedUnsafeSysctls`: a name, or a beginning with `*` behind it; null = nothing.
 * Only what belongs to a namespace can be set for a pod without changing the node.
 */
export function sysctlPatternProblem(pattern: string): string | null {
  const shown = JSON.stringify(excerpt(pattern));
  if (pattern.length > 253 || !PATTERN.test(pattern)) {
    return `${shown} is not the name of a sysctl, or its beginning followed by '*'`;
  }
  const name = sysctlName(pattern.replace(/\*$/, ''));
  return sysctlNamespace(name) === null
    ? `${shown} is not known to be namespaced: it would change the whole node`
    : null;
}

function isAllowed(name: string, allowedUnsafe: readonly string[]): boolean {
  if (SAFE_SYSCTLS.has(name)) return true;
  return allowedUnsafe.some(pattern => {
    const allowed = sysctlName(pattern);
    return allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : name === allowed;
  });
}

/** The first sysctl that the pod may not set here, with the reason; null when it may set all. */
export function forbiddenSysctl(
  { spec }: ValidPod,
  allowedUnsafe: readonly string[],
): ForbiddenSysctl | null {
  for (const [index, { name: given }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const path = `spec.securityContext.sysctls[${index}].name`;
    const name = sysctlName(given);
    const namespace = sysctlNamespace(name);
    const say = (why: string) => ({ path, message: `forbidden sysctl: "${name}" ${why}: ${path}` });
    if (!isAllowed(name, allowedUnsafe)) {
      return say('not allowlisted (allowedUnsafeSysctls of this node)');
    }
    if (namespace === 'net' && spec.hostNetwork === true) {
      return say('not allowed with host net enabled');
    }
    if (namespace === 'ipc' && spec.hostIPC === true) {
      return say('not allowed with host ipc enabled');
    }
  }
  return null;
}
