/**
 * The checks that the Pod Security Standards add at level restricted, policy version 1.35 (Kubernetes 1.35, 1.36).
 *
 * Ids and wording as in `k8s.io/pod-security-admission/policy/check_*.go`, the ways out for Windows and for user
 * namespaces included. Kubelet behaviour row 165. Pure.
 */
import type { Pod, Volume } from './pod.js';
import {
  badSeccompDetail,
  badSeccompProfiles,
  isConfined,
  offencesOf,
  unmaskedProc,
} from './pod-security-baseline.js';
import {
  namedContainers,
  plural,
  quoted,
  setters,
  valuesOf,
  violation,
  type Offence,
  type PodSecurityCheck,
} from './pod-security-violation.js';

const isForWindows = (pod: Pod) => pod.spec?.os?.name === 'windows';
const hasUserNamespace = (pod: Pod) => pod.spec?.hostUsers === false;

const ALLOWED_VOLUMES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

/** A volume without a source is an emptyDir. */
function volumeType(volume: Volume): string {
  return Object.keys(volume).find(key => key !== 'name') ?? 'emptyDir';
}

const allowPrivilegeEscalation: PodSecurityCheck = pod => {
  if (isForWindows(pod)) return null;
  const offences = offencesOf(pod, ({ container, at }) =>
    container.securityContext?.allowPrivilegeEscalation === false
      ? null
      : { path: `${at}.securityContext.allowPrivilegeEscalation`, values: [] },
  );
  const rule = 'allowPrivilegeEscalation';
  const detail = `${namedContainers(offences)} must set securityContext.${rule}=false`;
  return violation(rule, `${rule} != false`, { offences, detail });
};

const capabilities: PodSecurityCheck = pod => {
  if (isForWindows(pod)) return null;
  const missing = offencesOf(pod, ({ container, at }) =>
    container.securityContext?.capabilities?.drop?.includes('ALL') === true
      ? null
      : { path: `${at}.securityContext.capabilities.drop`, values: [] },
  );
  const adding = offencesOf(pod, ({ container, at }) => {
    const added = container.securityContext?.capabilities?.add ?? [];
    const values = added.filter(name => name !== 'NET_BIND_SERVICE');
    const index = added.findIndex(name => name !== 'NET_BIND_SERVICE');
    return index === -1
      ? null
      : { path: `${at}.securityContext.capabilities.add[${index}]`, values };
  });
  const details = [
    ...(missing.length === 0
      ? []
      : [`${namedContainers(missing)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(adding.length === 0
      ? []
      : [
          `${namedContainers(adding)} must not include ${quoted(valuesOf(adding))} ` +
            'in securityContext.capabilities.add',
        ]),
  ];
  return violation('capabilities_restricted', 'unrestricted capabilities', {
    offences: [...missing, ...adding],
    detail: details.join('; '),
  });
};

const restrictedVolumes: PodSecurityCheck = (pod, { hostPathsAreListed }) => {
  const isAllowed = (type: string) =>
    ALLOWED_VOLUMES.has(type) || (type === 'hostPath' && hostPathsAreListed);
  const bad = (pod.spec?.volumes ?? []).flatMap((volume, index) => {
    const type = volumeType(volume);
    return isAllowed(type) ? [] : [{ name: volume.name, type, index }];
  });
  const offences = bad.map(({ type, index }) => ({
    container: null,
    path: `spec.volumes[${index}].${type}`,
    values: [type],
  }));
  const types = valuesOf(offences);
  const detail = [
    plural('volume', 'volumes', bad.length),
    quoted(bad.map(({ name }) => name)),
    plural('uses', 'use', bad.length),
    plural('restricted volume type', 'restricted volume types', types.length),
    quoted(types),
  ].join(' ');
  return violation('restrictedVolumes', 'restricted volume types', { offences, detail });
};

const runAsNonRoot: PodSecurityCheck = pod => {
  if (hasUserNamespace(pod)) return null;
  const at = 'securityContext.runAsNonRoot';
  const ofPod = pod.spec?.securityContext?.runAsNonRoot;
  const rule = 'runAsNonRoot';
  const reason = 'runAsNonRoot != true';
  const explicit: Offence[] = [
    ...(ofPod === false ? [{ container: null, path: `spec.${at}`, values: [] }] : []),
    ...offencesOf(pod, located =>
      located.container.securityContext?.runAsNonRoot === false
        ? { path: `${located.at}.${at}`, values: [] }
        : null,
    ),
  ];
  if (explicit.length > 0) {
    const detail = `${setters(explicit)} must not set securityContext.runAsNonRoot=false`;
    return violation(rule, reason, { offences: explicit, detail });
  }
  const silent = offencesOf(pod, located =>
    located.container.securityContext?.runAsNonRoot === undefined && ofPod !== true
      ? { path: `${located.at}.${at}`, values: [] }
      : null,
  );
  const detail = `pod or ${namedContainers(silent)} must set securityContext.runAsNonRoot=true`;
  return violation(rule, reason, { offences: silent, detail });
};

const runAsUser: PodSecurityCheck = pod => {
  if (hasUserNamespace(pod)) return null;
  const at = 'securityContext.runAsUser';
  const offences: Offence[] = [
    ...(pod.spec?.securityContext?.runAsUser === 0
      ? [{ container: null, path: `spec.${at}`, values: [] }]
      : []),
    ...offencesOf(pod, located =>
      located.container.securityContext?.runAsUser === 0
        ? { path: `${located.at}.${at}`, values: [] }
        : null,
    ),
  ];
  const detail = `${setters(offences)} must not set runAsUser=0`;
  return violation('runAsUser', 'runAsUser=0', { offences, detail });
};

const seccompProfile: PodSecurityCheck = pod => {
  if (isForWindows(pod)) return null;
  const rule = 'seccompProfile_restricted';
  const bad = badSeccompProfiles(pod);
  if (bad.length > 0) {
    return violation(rule, 'seccompProfile', { offences: bad, detail: badSeccompDetail(bad) });
  }
  const ofPod = isConfined(pod.spec?.securityContext?.seccompProfile?.type);
  const silent = offencesOf(pod, ({ container, at }) =>
    container.securityContext?.seccompProfile === undefined && !ofPod
      ? { path: `${at}.securityContext.seccompProfile`, values: [] }
      : null,
  );
  const detail =
    `pod or ${namedContainers(silent)} must set securityContext.seccompProfile.type ` +
    'to "RuntimeDefault" or "Localhost"';
  return violation(rule, 'seccompProfile', { offences: silent, detail });
};

export const RESTRICTED: readonly PodSecurityCheck[] = [
  allowPrivilegeEscalation,
  capabilities,
  unmaskedProc('procMount_restricted'),
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompProfile,
];
