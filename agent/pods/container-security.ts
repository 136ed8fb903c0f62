/**
 * The security context of a container in the engine's terms: the container's fields over the pod's, one by one.
 *
 * Kubelet behaviour rows 156 to 161. Where the kubelet runs a container that says nothing without a seccomp profile,
 * the engine's own stays on (row 160). Pure.
 */
import type { ContainerSecurity } from '../runtime/runtime.js';
import { APP_ARMOR_ANNOTATION, appArmorOfAnnotation } from '../../protocol/pod-security-rules.js';
import type { AppArmorProfile, Container, SeccompProfile, ValidPod } from '../../protocol/pod.js';

/** A container that must not be made as it is: it waits with CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
}

/** What is known only where the container is made. */
export interface SecurityFacts {
  /** `User` of the image's configuration; empty = root. Needed where `needsImageUser` says so. */
  readonly imageUser: string;
  /** The text of the profile that `seccompFile` names; null when none is named. */
  readonly seccompProfile: string | null;
}

/** `runAsUser`, `runAsGroup` and `runAsNonRoot` as they hold for the container. */
function identityOf(pod: ValidPod, container: Container) {
  const ofPod = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  return {
    runAsUser: own.runAsUser ?? ofPod.runAsUser,
    runAsGroup: own.runAsGroup ?? ofPod.runAsGroup,
    runAsNonRoot: own.runAsNonRoot ?? ofPod.runAsNonRoot ?? false,
  };
}

function seccompOf(pod: ValidPod, container: Container): SeccompProfile | undefined {
  return container.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;
}

/** The container's field, else the annotation of older manifests, else the pod's field. */
export function appArmorOf(
  pod: ValidPod,
  container: Container,
): { readonly profile: AppArmorProfile; readonly path: string } | null {
  const own = container.securityContext?.appArmorProfile;
  if (own !== undefined) return { profile: own, path: 'securityContext.appArmorProfile' };
  const key = `${APP_ARMOR_ANNOTATION}${container.name}`;
  const annotated = appArmorOfAnnotation(pod.metadata.annotations?.[key] ?? '');
  if (annotated !== null) return { profile: annotated, path: `metadata.annotations[${key}]` };
  const profile = pod.spec.securityContext?.appArmorProfile;
  return profile === undefined ? null : { profile, path: 'spec.securityContext.appArmorProfile' };
}

/** The file below the seccomp directory that the container's profile is in; null when it has none. */
export function seccompFile(pod: ValidPod, container: Container): string | null {
  const profile = seccompOf(pod, container);
  return profile?.type === 'Localhost' ? (profile.localhostProfile ?? '') : null;
}

/** True when the container cannot be made without a look at its image. */
export function needsImageUser(pod: ValidPod, container: Container): boolean {
  const { runAsUser, runAsGroup, runAsNonRoot } = identityOf(pod, container);
  return runAsUser === undefined && (runAsNonRoot || runAsGroup !== undefined);
}

/** The user without the group that an image may name behind it; root when it names none. */
function userOfImage(imageUser: string): string {
  const [user = ''] = imageUser.split(':');
  return user === '' ? '0' : user;
}

/** Row 158. Throws `ContainerConfigError`. */
function checkNonRoot(pod: ValidPod, container: Container, imageUser: string): void {
  const { runAsUser, runAsNonRoot } = identityOf(pod, container);
  if (!runAsNonRoot) return;
  const { name, namespace = '', uid = '' } = pod.metadata;
  const where = `(pod: "${name}_${namespace}(${uid})", container: ${container.name})`;
  if (runAsUser !== undefined) {
    if (runAsUser !== 0) return;
    throw new ContainerConfigError(
      `container's runAsUser breaks non-root policy: runAsNonRoot is true and runAsUser is 0 ${where}`,
    );
  }
  const user = userOfImage(imageUser);
  const image = container.image ?? '';
  if (!/^\d+$/.test(user)) {
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user}), ` +
        `cannot verify user is non-root; give runAsUser (image: "${image}") ${where}`,
    );
  }
  if (Number(user) === 0) {
    throw new ContainerConfigError(
      `container has runAsNonRoot and image will run as root (image: "${image}") ${where}`,
    );
  }
}

/** Row 157: `uid[:gid]`; empty leaves the image's user and group alone. */
function userOf(pod: ValidPod, container: Container, imageUser: string): string {
  const { runAsUser, runAsGroup } = identityOf(pod, container);
  if (runAsGroup === undefined) return runAsUser === undefined ? '' : String(runAsUser);
  return `${runAsUser ?? userOfImage(imageUser)}:${runAsGroup}`;
}

function groupsOf({ spec }: ValidPod): number[] {
  const { fsGroup, supplementalGroups = [] } = spec.securityContext ?? {};
  const groups = fsGroup === undefined ? supplementalGroups : [fsGroup, ...supplementalGroups];
  return [...new Set(groups)];
}

function seccompMode(
  profile: SeccompProfile | undefined,
  text: string | null,
): ContainerSecurity['seccomp'] {
  switch (profile?.type) {
    case 'Unconfined':
      return 'unconfined';
    case 'Localhost':
      if (text === null) throw new Error('the seccomp profile was not read');
      return { profile: text };
    default:
      return 'runtime';
  }
}

function appArmorName(pod: ValidPod, container: Container): string | null {
  const profile = appArmorOf(pod, container)?.profile;
  if (profile?.type === 'Unconfined') return 'unconfined';
  return profile?.type === 'Localhost' ? (profile.localhostProfile ?? '') : null;
}

/** Docker's words for the options; the container's replace the pod's as a whole (row 156). */
function seLinuxLabels(pod: ValidPod, container: Container): string[] {
  const options =
    container.securityContext?.seLinuxOptions ?? pod.spec.securityContext?.seLinuxOptions ?? {};
  return (['user', 'role', 'type', 'level'] as const).flatMap(part => {
    const value = options[part] ?? '';
    return value === '' ? [] : [`${part}:${value}`];
  });
}

const withoutPrefix = (capability: string) => capability.replace(/^CAP_/i, '').toUpperCase();

/** Throws `ContainerConfigError` when the container would run as root and must not. */
export function containerSecurity(
  pod: ValidPod,
  container: Container,
  facts: SecurityFacts,
): ContainerSecurity {
  checkNonRoot(pod, container, facts.imageUser);
  const own = container.securityContext ?? {};
  return {
    user: userOf(pod, container, facts.imageUser),
    groups: groupsOf(pod),
    privileged: own.privileged ?? false,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    capAdd: (own.capabilities?.add ?? []).map(withoutPrefix),
    capDrop: (own.capabilities?.drop ?? []).map(withoutPrefix),
    seccomp: seccompMode(seccompOf(pod, container), facts.seccompProfile),
    appArmor: appArmorName(pod, container),
    seLinux: seLinuxLabels(pod, container),
    unmaskedProc: own.procMount === 'Unmasked',
  };
}
