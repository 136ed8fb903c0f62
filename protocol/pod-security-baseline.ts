/**
 * The checks of the Pod Security Standards at level baseline, policy version 1.35, which is the newest up to
 * Kubernetes 1.36: what keeps known ways to gain the host's privileges shut.
 *
 * Ids, order of names and wording as in `k8s.io/pod-security-admission/policy/check_*.go`. Ephemeral containers cannot
 * be in a manifest and are not looked at. Kubelet behaviour rows 163, 164. Pure.
 */
import { childPath } from './manifest-positions.js';
import { locatedContainers, type LocatedContainer, type Pod } from './pod.js';
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
import { SAFE_SYSCTLS } from './safe-sysctls.js';

const DEFAULT_CAPABILITIES: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const SELINUX_TYPES: ReadonlySet<string> = new Set([
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
]);

const APP_ARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

/** Of each container the offence that `find` sees in it. */
export function offencesOf(
  pod: Pod,
  find: (located: LocatedContainer) => Omit<Offence, 'container'> | null,
): Offence[] {
  return locatedContainers(pod).flatMap(located => {
    const found = find(located);
    return found === null ? [] : [{ container: located.container.name, ...found }];
  });
}

/** Profiles that confine: the engine's own and those of the node. */
export function isConfined(type: string | undefined): boolean {
  return type === 'RuntimeDefault' || type === 'Localhost';
}

const hostNamespaces: PodSecurityCheck = pod => {
  const names = (['hostIPC', 'hostNetwork', 'hostPID'] as const).filter(
    name => pod.spec?.[name] === true,
  );
  const offences = names.map(name => ({ container: null, path: `spec.${name}`, values: [name] }));
  return violation('hostNamespaces', 'host namespaces', { offences, detail: names.join(', ') });
};

const privileged: PodSecurityCheck = pod => {
  const offences = offencesOf(pod, ({ container, at }) =>
    container.securityContext?.privileged === true
      ? { path: `${at}.securityContext.privileged`, values: [] }
      : null,
  );
  const detail = `${namedContainers(offences)} must not set securityContext.privileged=true`;
  return violation('privileged', 'privileged', { offences, detail });
};

const capabilities: PodSecurityCheck = pod => {
  const offences = offencesOf(pod, ({ container, at }) => {
    const added = container.securityContext?.capabilities?.add ?? [];
    const index = added.findIndex(name => !DEFAULT_CAPABILITIES.has(name));
    if (index === -1) return null;
    return {
      path: `${at}.securityContext.capabilities.add[${index}]`,
      values: added.filter(name => !DEFAULT_CAPABILITIES.has(name)),
    };
  });
  const detail =
    `${namedContainers(offences)} must not include ${quoted(valuesOf(offences))} ` +
    'in securityContext.capabilities.add';
  return violation('capabilities_baseline', 'non-default capabilities', { offences, detail });
};

const hostPathVolumes: PodSecurityCheck = (pod, { hostPathsAreListed }) => {
  if (hostPathsAreListed) return null;
  const offences = (pod.spec?.volumes ?? []).flatMap(({ name, hostPath }, index) =>
    hostPath === undefined
      ? []
      : [{ container: null, path: `spec.volumes[${index}].hostPath`, values: [name] }],
  );
  const names = offences.flatMap(({ values }) => values);
  const detail = `${plural('volume', 'volumes', names.length)} ${quoted(names)}`;
  return violation('hostPathVolumes', 'hostPath volumes', { offences, detail });
};

const hostPorts: PodSecurityCheck = (pod, { minHostPort }) => {
  const isForbidden = (port = 0) => port !== 0 && (minHostPort === null || port < minHostPort);
  const offences = offencesOf(pod, ({ container, at }) => {
    const ports = container.ports ?? [];
    const index = ports.findIndex(({ hostPort }) => isForbidden(hostPort));
    if (index === -1) return null;
    return {
      path: `${at}.ports[${index}].hostPort`,
      values: ports.flatMap(({ hostPort }) => (isForbidden(hostPort) ? [String(hostPort)] : [])),
    };
  });
  const values = valuesOf(offences);
  const detail = [
    namedContainers(offences),
    plural('uses', 'use', offences.length),
    plural('hostPort', 'hostPorts', values.length),
    values.join(', '),
  ].join(' ');
  return violation('hostPorts', 'hostPort', { offences, detail });
};

const appArmorProfile: PodSecurityCheck = pod => {
  const at = 'securityContext.appArmorProfile.type';
  const profile = pod.spec?.securityContext?.appArmorProfile;
  const isBad = (type: string | undefined): type is string =>
    type !== undefined && !isConfined(type);
  const offences: Offence[] = isBad(profile?.type)
    ? [{ container: null, path: `spec.${at}`, values: [profile.type] }]
    : [];
  offences.push(
    ...offencesOf(pod, located => {
      const type = located.container.securityContext?.appArmorProfile?.type;
      return isBad(type) ? { path: `${located.at}.${at}`, values: [type] } : null;
    }),
  );
  const annotations = Object.entries(pod.metadata?.annotations ?? {})
    .filter(([key]) => key.startsWith(APP_ARMOR_ANNOTATION))
    .filter(([, value]) => !/^(|runtime\/default|localhost\/.*)$/s.test(value))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const values = [...valuesOf(offences), ...annotations.map(([key, value]) => `${key}="${value}"`)];
  const who = [
    ...(offences.length === 0 ? [] : [setters(offences)]),
    ...(annotations.length === 0 ? [] : [plural('annotation', 'annotations', annotations.length)]),
  ];
  const annotated = annotations.map(([key]) => ({
    container: null,
    path: childPath('metadata.annotations', key),
    values: [],
  }));
  const reason = plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', values.length);
  return violation('appArmorProfile', reason, {
    offences: [...offences, ...annotated],
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  });
};

const seLinuxOptions: PodSecurityCheck = pod => {
  type Options = { type?: string; user?: string; role?: string } | undefined;
  const offenceOf = (options: Options, at: string) => {
    const path = `${at}.securityContext.seLinuxOptions`;
    const type = options?.type ?? '';
    if (!SELINUX_TYPES.has(type)) return { path: `${path}.type`, values: [type] };
    if ((options?.user ?? '') !== '') return { path: `${path}.user`, values: [] };
    return (options?.role ?? '') === '' ? null : { path: `${path}.role`, values: [] };
  };
  const all = [
    pod.spec?.securityContext?.seLinuxOptions,
    ...locatedContainers(pod).map(({ container }) => container.securityContext?.seLinuxOptions),
  ];
  const own = offenceOf(pod.spec?.securityContext?.seLinuxOptions, 'spec');
  const offences: Offence[] = [
    ...(own === null ? [] : [{ container: null, ...own }]),
    ...offencesOf(pod, ({ container, at }) =>
      offenceOf(container.securityContext?.seLinuxOptions, at),
    ),
  ];
  const types = valuesOf(offences);
  const isSet = (name: 'user' | 'role') => all.some(options => (options?.[name] ?? '') !== '');
  const data = [
    ...(types.length === 0 ? [] : [`${plural('type', 'types', types.length)} ${quoted(types)}`]),
    ...(isSet('user') ? ['user may not be set'] : []),
    ...(isSet('role') ? ['role may not be set'] : []),
  ];
  const detail =
    `${setters(offences)} set forbidden securityContext.seLinuxOptions: ` + data.join('; ');
  return violation('seLinuxOptions', 'seLinuxOptions', { offences, detail });
};

/** Also what `procMount_restricted` checks, without the way out for user namespaces. */
export function unmaskedProc(rule: string): PodSecurityCheck {
  return pod => {
    const offences = offencesOf(pod, ({ container, at }) => {
      const type = container.securityContext?.procMount;
      if (type === undefined || type === 'Default') return null;
      return { path: `${at}.securityContext.procMount`, values: [type] };
    });
    const detail =
      `${namedContainers(offences)} must not set securityContext.procMount to ` +
      quoted(valuesOf(offences));
    return violation(rule, 'procMount', { offences, detail });
  };
}

const procMount: PodSecurityCheck = (pod, exceptions) =>
  pod.spec?.hostUsers === false ? null : unmaskedProc('procMount')(pod, exceptions);

/** Who says `Unconfined` or worse. */
export function badSeccompProfiles(pod: Pod): Offence[] {
  const offenceOf = (type: string | undefined, at: string) =>
    type === undefined || isConfined(type)
      ? null
      : { path: `${at}.securityContext.seccompProfile.type`, values: [type] };
  const own = offenceOf(pod.spec?.securityContext?.seccompProfile?.type, 'spec');
  return [
    ...(own === null ? [] : [{ container: null, ...own }]),
    ...offencesOf(pod, ({ container, at }) =>
      offenceOf(container.securityContext?.seccompProfile?.type, at),
    ),
  ];
}

export function badSeccompDetail(offences: readonly Offence[]): string {
  const values = quoted(valuesOf(offences));
  return `${setters(offences)} must not set securityContext.seccompProfile.type to ${values}`;
}

const seccompProfile: PodSecurityCheck = pod => {
  const offences = badSeccompProfiles(pod);
  const detail = badSeccompDetail(offences);
  return violation('seccompProfile_baseline', 'seccompProfile', { offences, detail });
};

const sysctls: PodSecurityCheck = pod => {
  const offences = (pod.spec?.securityContext?.sysctls ?? []).flatMap(({ name }, index) =>
    SAFE_SYSCTLS.has(name)
      ? []
      : [{ container: null, path: `spec.securityContext.sysctls[${index}].name`, values: [name] }],
  );
  const detail = offences.flatMap(({ values }) => values).join(', ');
  return violation('sysctls', 'forbidden sysctls', { offences, detail });
};

const windowsHostProcess: PodSecurityCheck = pod => {
  const at = 'securityContext.windowsOptions.hostProcess';
  const offences: Offence[] = [
    ...(pod.spec?.securityContext?.windowsOptions?.hostProcess === true
      ? [{ container: null, path: `spec.${at}`, values: [] }]
      : []),
    ...offencesOf(pod, located =>
      located.container.securityContext?.windowsOptions?.hostProcess === true
        ? { path: `${located.at}.${at}`, values: [] }
        : null,
    ),
  ];
  const detail = `${setters(offences)} must not set ${at}=true`;
  return violation('windowsHostProcess', 'hostProcess', { offences, detail });
};

/** `host` lets a probe or hook reach any address from the host's side. */
const hostProbes: PodSecurityCheck = pod => {
  const offences = offencesOf(pod, ({ container, at }) => {
    const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
    const handlers = Object.entries({
      livenessProbe,
      readinessProbe,
      startupProbe,
      'lifecycle.postStart': lifecycle?.postStart,
      'lifecycle.preStop': lifecycle?.preStop,
    });
    const hosts = handlers.flatMap(([name, handler]) =>
      (['httpGet', 'tcpSocket'] as const).flatMap(kind => {
        const host = handler?.[kind]?.host ?? '';
        return host === '' ? [] : [{ host, path: `${at}.${name}.${kind}.host` }];
      }),
    );
    const [first] = hosts;
    return first === undefined ? null : { path: first.path, values: hosts.map(({ host }) => host) };
  });
  const values = valuesOf(offences);
  const detail = [
    namedContainers(
      offences.toSorted((a, b) => ((a.container ?? '') < (b.container ?? '') ? -1 : 1)),
    ),
    plural('uses', 'use', offences.length),
    plural('probe or lifecycle host', 'probe or lifecycle hosts', values.length),
    quoted(values),
  ].join(' ');
  return violation('hostProbesAndHostLifecycle', 'probe or lifecycle host', { offences, detail });
};

/** Those that level restricted replaces by stricter ones. */
export const BASELINE_REPLACED: readonly PodSecurityCheck[] = [
  capabilities,
  hostPathVolumes,
  procMount,
  seccompProfile,
];

export const BASELINE_KEPT: readonly PodSecurityCheck[] = [
  appArmorProfile,
  hostNamespaces,
  hostPorts,
  hostProbes,
  privileged,
  seLinuxOptions,
  sysctls,
  windowsHostProcess,
];
