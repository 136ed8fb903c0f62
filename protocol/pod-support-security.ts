/** Rows of the table of supported fields: security contexts. Data only. */
import type { SupportRow } from './pod-support-row.js';

/** What the security contexts of a pod and of a container have in common; `at` is the context's path. */
export function profileSupport(at: string): readonly SupportRow[] {
  return [
    [`${at}.appArmorProfile`, 'supported', 'rejected where the engine has no AppArmor'],
    [`${at}.appArmorProfile.localhostProfile`, 'supported', ''],
    [`${at}.appArmorProfile.type`, 'supported', ''],
    [`${at}.seLinuxOptions`, 'supported', 'rejected where the engine has no SELinux'],
    [`${at}.seLinuxOptions.level`, 'supported', ''],
    [`${at}.seLinuxOptions.role`, 'supported', ''],
    [`${at}.seLinuxOptions.type`, 'supported', ''],
    [`${at}.seLinuxOptions.user`, 'supported', ''],
    [`${at}.seccompProfile`, 'supported', 'the engine’s own profile if absent'],
    [
      `${at}.seccompProfile.localhostProfile`,
      'supported',
      'a file below `seccomp/` in the agent’s data directory',
    ],
    [`${at}.seccompProfile.type`, 'supported', ''],
  ];
}

/** `at` is the path of a container's `securityContext`. */
export function containerSecuritySupport(at: string): readonly SupportRow[] {
  return [
    [at, 'supported', ''],
    ...profileSupport(at),
    [`${at}.allowPrivilegeEscalation`, 'supported', ''],
    [`${at}.capabilities`, 'supported', ''],
    [`${at}.capabilities.add`, 'supported', ''],
    [`${at}.capabilities.drop`, 'supported', ''],
    [`${at}.privileged`, 'supported', ''],
    [`${at}.procMount`, 'supported', 'Unmasked only with hostUsers: false, as in Kubernetes'],
    [`${at}.readOnlyRootFilesystem`, 'supported', ''],
    [`${at}.runAsGroup`, 'supported', ''],
    [`${at}.runAsNonRoot`, 'supported', ''],
    [`${at}.runAsUser`, 'supported', ''],
    [`${at}.windowsOptions`, 'forbidden', 'only Linux runs here', [{}]],
  ];
}
