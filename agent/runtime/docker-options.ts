/** Sandbox and container specs as the Engine API's create options (cri-dockerd's choices, row by row). Pure. */
import type { ContainerCreateOptions } from 'dockerode';
import { containerLabels, containerName, sandboxLabels, sandboxName } from './docker-names.js';
import type {
  ContainerSecurity,
  ContainerSpec,
  EngineId,
  Mount,
  Namespaces,
  PodIdentity,
  PortMapping,
  SandboxSpec,
} from './runtime.js';

type HostMount = NonNullable<NonNullable<ContainerCreateOptions['HostConfig']>['Mounts']>[0];

/** What the kubelet gives its sandboxes (row 153). */
export const SANDBOX_OOM_SCORE_ADJ = -998;
const CPU_PERIOD_US = 100_000;
const SANDBOX_CPU_SHARES = 2;
/** Of the whole pod, whatever the engine's own default is (row 155). */
const SHM_BYTES = 64 * 1024 ** 2;

/** The engine rotates; nothing else may let a chatty container fill the disk (row 207). */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } };

export type EngineKind = 'docker' | 'podman';

export interface EngineFacts {
  readonly owner: string;
  /** Podman names some options otherwise. */
  readonly kind: EngineKind;
  /** Lowest `oom_score_adj` that this engine may set: without CAP_SYS_RESOURCE it may lower nothing. */
  readonly oomFloor: number;
}

function portKey(port: PortMapping): string {
  return `${port.containerPort}/${port.protocol.toLowerCase()}`;
}

function portBindings(
  ports: readonly PortMapping[],
): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    (bindings[portKey(port)] ??= []).push({ HostIp: port.hostIP, HostPort: String(port.hostPort) });
  }
  return bindings;
}

export function sandboxOptions(
  spec: SandboxSpec,
  image: string,
  facts: EngineFacts,
): ContainerCreateOptions {
  const { network, ipc, pid } = spec.namespaces;
  const isHostNetwork = network === 'host';
  return {
    name: sandboxName(spec),
    Image: image,
    ...(isHostNetwork ? {} : { Hostname: spec.hostname }),
    Labels: sandboxLabels(spec, facts.owner),
    ExposedPorts: Object.fromEntries(spec.ports.map(port => [portKey(port), {}])),
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...(isHostNetwork ? { NetworkMode: 'host', UTSMode: 'host' } : {}),
      PortBindings: isHostNetwork ? {} : portBindings(spec.ports),
      ...(ipc === 'host' ? { IpcMode: 'host' } : { IpcMode: 'shareable', ShmSize: SHM_BYTES }),
      ...(pid === 'host' ? { PidMode: 'host' } : {}),
      Sysctls: { ...spec.sysctls },
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
      LogConfig: LOG_CONFIG,
      CpuShares: SANDBOX_CPU_SHARES,
      OomScoreAdj: Math.max(SANDBOX_OOM_SCORE_ADJ, facts.oomFloor),
    },
  };
}

/** What a custom seccomp profile is to this engine: its text for Docker, a file that it can read for Podman. */
export type SeccompProfile = (profile: string) => string;

/** Rows 157 to 161. */
function securityOptions(
  security: ContainerSecurity,
  kind: EngineKind,
  seccompProfile: SeccompProfile,
): ContainerCreateOptions['HostConfig'] {
  const { seccomp, appArmor, unmaskedProc } = security;
  const seccompOption = typeof seccomp === 'string' ? seccomp : seccompProfile(seccomp.profile);
  const options = [
    ...(security.noNewPrivileges ? ['no-new-privileges'] : []),
    ...(seccompOption === 'runtime' ? [] : [`seccomp=${seccompOption}`]),
    ...(appArmor === null ? [] : [`apparmor=${appArmor}`]),
    ...security.seLinux.map(label => `label=${label}`),
    ...(unmaskedProc && kind === 'podman' ? ['unmask=ALL'] : []),
  ];
  return {
    Privileged: security.privileged,
    ReadonlyRootfs: security.readOnlyRootFilesystem,
    CapAdd: [...security.capAdd],
    CapDrop: [...security.capDrop],
    GroupAdd: security.groups.map(String),
    SecurityOpt: options,
    ...(unmaskedProc && kind === 'docker' ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

/** Row 139. From API 1.44 on a read-only mount is read-only all the way down unless it is said otherwise. */
function mountOptions(mount: Mount): HostMount {
  const { readOnly, recursiveReadOnly, propagation } = mount;
  const BindOptions = {
    Propagation: propagation,
    // What is missing is made, as with cri-dockerd (row 129); before Docker 23 `docker.ts` does it.
    CreateMountpoint: true,
    ...(recursiveReadOnly ? { ReadOnlyForceRecursive: true } : {}),
    ...(readOnly && !recursiveReadOnly ? { ReadOnlyNonRecursive: true } : {}),
  };
  const { hostPath: Source, containerPath: Target } = mount;
  return { Type: 'bind', Source, Target, ReadOnly: readOnly, BindOptions };
}

/** Row 167: all of a pod are in the namespaces of its sandbox, which has the host's where the pod has. */
function namespaceOptions(
  { network, ipc, pid }: Namespaces,
  sandboxId: EngineId,
  kind: EngineKind,
): ContainerCreateOptions['HostConfig'] {
  const join = `container:${sandboxId}`;
  // Podman does not take the hostname over with the network.
  const uts = network === 'host' ? 'host' : kind === 'podman' ? join : '';
  return {
    NetworkMode: network === 'host' ? 'host' : join,
    ...(uts === '' ? {} : { UTSMode: uts }),
    IpcMode: ipc === 'host' ? 'host' : join,
    ...(pid === 'container' ? {} : { PidMode: pid === 'host' ? 'host' : join }),
  };
}

export function containerOptions(
  pod: PodIdentity,
  spec: ContainerSpec,
  where: EngineFacts & {
    readonly sandboxId: EngineId;
    readonly podLogs: string;
    readonly seccompProfile: SeccompProfile;
  },
): ContainerCreateOptions {
  const { resources, security } = spec;
  return {
    name: containerName(pod, spec),
    Image: spec.imageId ?? spec.image,
    // Docker drops the image's CMD by itself when an ENTRYPOINT is given (row 141).
    ...(spec.command ? { Entrypoint: [...spec.command] } : {}),
    ...(spec.args ? { Cmd: [...spec.args] } : {}),
    Env: [...spec.env],
    ...(spec.workingDir ? { WorkingDir: spec.workingDir } : {}),
    ...(security.user === '' ? {} : { User: security.user }),
    ...(spec.stopSignal === '' ? {} : { StopSignal: spec.stopSignal }),
    Labels: containerLabels(pod, spec, where),
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    Tty: spec.tty,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...namespaceOptions(spec.namespaces, where.sandboxId, where.kind),
      ...securityOptions(security, where.kind, where.seccompProfile),
      RestartPolicy: { Name: 'no' },
      LogConfig: LOG_CONFIG,
      Mounts: spec.mounts.map(mountOptions),
      Devices: spec.devices.map(device => ({
        PathOnHost: device.hostPath,
        PathInContainer: device.containerPath,
        CgroupPermissions: device.permissions,
      })),
      CpuShares: resources.cpuShares,
      ...(resources.cpuQuota > 0 ? { CpuPeriod: CPU_PERIOD_US, CpuQuota: resources.cpuQuota } : {}),
      // MemorySwap = Memory: no swap on top (row 151).
      ...(resources.memoryLimit > 0
        ? { Memory: resources.memoryLimit, MemorySwap: resources.memoryLimit }
        : {}),
      ...(resources.pidsLimit > 0 ? { PidsLimit: resources.pidsLimit } : {}),
      OomScoreAdj: Math.max(resources.oomScoreAdj, where.oomFloor),
    },
  };
}
