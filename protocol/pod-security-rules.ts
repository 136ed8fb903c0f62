/**
 * The rules of security contexts, of the pod and of its containers: ids, groups, capabilities, profiles, sysctls.
 *
 * As `ValidateSecurityContext`, `validatePodSpecSecurityContext`, `validateSysctls` and the AppArmor rules of the API
 * (v1.36); ranges and closed lists of single fields are the schema's. Kubelet behaviour rows 156 to 162. Pure.
 */
import {
  duplicate,
  forbidden,
  invalid,
  notSupported,
  required,
  type FieldError,
} from './field-error.js';
import { childPath } from './manifest-positions.js';
import type {
  AppArmorProfile,
  Container,
  Pod,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
} from './pod.js';
import { sysctlName, sysctlNamespace } from './sysctl-names.js';

/** One for each container: `container.apparmor.security.beta.kubernetes.io/<container>`. */
export const APP_ARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

const MAX_ID = 2_147_483_647;
/** `PATH_MAX` of Linux without its end. */
const MAX_PROFILE = 4095;

/** Stays below the directory that it is taken from. */
function isDescendingPath(path: string): boolean {
  return !path.startsWith('/') && !path.split('/').includes('..');
}

function checkSeccomp(profile: SeccompProfile | undefined, at: string): FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const path = `${at}.localhostProfile`;
  if (type !== 'Localhost') {
    if (localhostProfile === undefined) return [];
    return [invalid(path, localhostProfile, 'can only be set when seccomp type is Localhost')];
  }
  if (localhostProfile === undefined || localhostProfile === '') {
    return [required(path, 'must be set when seccomp type is Localhost')];
  }
  if (isDescendingPath(localhostProfile)) return [];
  return [invalid(path, localhostProfile, "must be a relative path without '..'")];
}

function checkAppArmor(profile: AppArmorProfile | undefined, at: string): FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const path = `${at}.localhostProfile`;
  if (type !== 'Localhost') {
    if (localhostProfile === undefined) return [];
    return [invalid(path, localhostProfile, 'can only be set when AppArmor type is Localhost')];
  }
  const name = localhostProfile?.trim() ?? '';
  if (name === '') return [required(path, 'must be set when AppArmor type is Localhost')];
  if (name !== localhostProfile) {
    return [invalid(path, localhostProfile, 'must not be padded with whitespace')];
  }
  if (name.length <= MAX_PROFILE) return [];
  return [invalid(path, name, `must be no more than ${MAX_PROFILE} characters`)];
}

/** `type` and profile of an annotation's value; null when it is none. */
export function appArmorOfAnnotation(value: string): AppArmorProfile | null {
  if (value === 'runtime/default') return { type: 'RuntimeDefault' };
  if (value === 'unconfined') return { type: 'Unconfined' };
  const localhostProfile = value.startsWith('localhost/') ? value.slice('localhost/'.length) : '';
  return localhostProfile === '' ? null : { type: 'Localhost', localhostProfile };
}

function checkAppArmorAnnotations(pod: Pod): FieldError[] {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return Object.entries(pod.metadata?.annotations ?? {}).flatMap(([key, value]) => {
    if (!key.startsWith(APP_ARMOR_ANNOTATION)) return [];
    const path = childPath('metadata.annotations', key);
    const name = key.slice(APP_ARMOR_ANNOTATION.length);
    const container = containers.find(one => one.name === name);
    if (container === undefined) return [invalid(path, name, 'container not found')];
    const profile = appArmorOfAnnotation(value);
    if (profile === null) {
      const detail = 'must be runtime/default, unconfined or localhost/<name of a profile>';
      return [invalid(path, value, detail)];
    }
    const field = container.securityContext?.appArmorProfile;
    const isSame =
      field === undefined ||
      (field.type === profile.type && field.localhostProfile === profile.localhostProfile);
    return isSame ? [] : [forbidden(path, 'annotation and field appArmorProfile must agree')];
  });
}

function checkSysctls(pod: Pod): FieldError[] {
  const { securityContext, hostNetwork = false, hostIPC = false } = pod.spec ?? {};
  const seen = new Set<string>();
  return (securityContext?.sysctls ?? []).flatMap((sysctl, index) => {
    const path = `spec.securityContext.sysctls[${index}].name`;
    // What has no name has been reported.
    if (sysctl.name === undefined || sysctl.name === '') return [];
    const name = sysctlName(sysctl.name);
    const errors: FieldError[] = [];
    if (seen.has(name)) errors.push(duplicate(path, name));
    seen.add(name);
    const namespace = sysctlNamespace(name);
    const field = namespace === 'net' ? 'hostNetwork' : 'hostIPC';
    if ((namespace === 'net' && hostNetwork) || (namespace === 'ipc' && hostIPC)) {
      errors.push(invalid(path, sysctl.name, `may not be specified when '${field}' is true`));
    }
    return errors;
  });
}

function checkGroups({ supplementalGroups = [] }: PodSecurityContext, at: string): FieldError[] {
  return supplementalGroups.flatMap((group, index) => {
    if (group >= 0 && group <= MAX_ID) return [];
    const path = `${at}.supplementalGroups[${index}]`;
    return [invalid(path, group, `must be between 0 and ${MAX_ID}, inclusive`)];
  });
}

/** An engine leaves the image's groups out only for a user that is given with a group (row 157). */
function checkStrictGroups({ spec }: Pod): FieldError[] {
  const { supplementalGroupsPolicy = 'Merge', runAsGroup } = (spec?.securityContext ??
    {}) as PodSecurityContext & { supplementalGroupsPolicy?: string };
  if (supplementalGroupsPolicy !== 'Strict' || runAsGroup !== undefined) return [];
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const without = all.find(one => one.securityContext?.runAsGroup === undefined);
  if (without === undefined) return [];
  const path = 'spec.securityContext.supplementalGroupsPolicy';
  const detail = `not on this engine without runAsGroup, which container ${without.name ?? ''} lacks`;
  return [notSupported(path, detail)];
}

function checkEscalation(context: SecurityContext, at: string): FieldError[] {
  if (context.allowPrivilegeEscalation !== false) return [];
  const path = `${at}.allowPrivilegeEscalation`;
  const cannot = (other: string) =>
    invalid(path, false, `cannot set \`allowPrivilegeEscalation\` to false and ${other}`);
  return [
    ...(context.privileged === true ? [cannot('`privileged` to true')] : []),
    // The API compares with this spelling alone.
    ...(context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true
      ? [cannot('`capabilities.Add` CAP_SYS_ADMIN')]
      : []),
  ];
}

function checkContainer({ securityContext }: Container, at: string, pod: Pod): FieldError[] {
  if (securityContext === undefined) return [];
  const path = `${at}.securityContext`;
  const { seccompProfile, appArmorProfile, procMount } = securityContext;
  const errors = [
    ...checkSeccomp(seccompProfile, `${path}.seccompProfile`),
    ...checkAppArmor(appArmorProfile, `${path}.appArmorProfile`),
    ...checkEscalation(securityContext, path),
  ];
  if (procMount === 'Unmasked' && pod.spec?.hostUsers !== false) {
    const detail = '`hostUsers` must be false to use `Unmasked`';
    errors.push(invalid(`${path}.procMount`, procMount, detail));
  }
  return errors;
}

/** All broken rules; empty when there are none. */
export function checkPodSecurity(pod: Pod): FieldError[] {
  const context = pod.spec?.securityContext ?? {};
  const at = 'spec.securityContext';
  const containers = (['initContainers', 'containers'] as const).flatMap(list =>
    (pod.spec?.[list] ?? []).flatMap((container, index) =>
      checkContainer(container, `spec.${list}[${index}]`, pod),
    ),
  );
  return [
    ...checkSeccomp(context.seccompProfile, `${at}.seccompProfile`),
    ...checkAppArmor(context.appArmorProfile, `${at}.appArmorProfile`),
    ...checkGroups(context, at),
    ...checkStrictGroups(pod),
    ...checkSysctls(pod),
    ...containers,
    ...checkAppArmorAnnotations(pod),
  ];
}
