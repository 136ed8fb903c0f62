/** Sandbox and container specs as the Engine API's create options (cri-dockerd's choices, row by row). Pure. */
import type { ContainerCreateOptions } from 'dockerode';
import { containerLabels, containerName, sandboxLabels, sandboxName } from './docker-names.js';
import type {
  ContainerSecurity,
  ContainerSpec,
  PodIdentity,
  PortMapping,
  SandboxSpec,
} from './runtime.js';

/** What the kubelet gives its sandboxes (row 153). */
export const SANDBOX_OOM_SCORE_ADJ = -998;
const CPU_PERIOD_US = 100_000;
const SANDBOX_CPU_SHARES = 2;

/** The engine rotates; nothing else may let a chatty container fill the disk (row 207). */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } };

export interface EngineFacts {
  readonly owner: string;
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
      IpcMode: ipc === 'host' ? 'host' : 'shareable',
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

/** Rows 157 to 161. */
function securityOptions(security: ContainerSecurity): ContainerCreateOptions['HostConfig'] {
  const { seccomp, appArmor } = security;
  const seccompOption =
    seccomp === 'unconfined' ? seccomp : seccomp === 'runtime' ? null : seccomp.profile;
  const options = [
    ...(security.noNewPrivileges ? ['no-new-privileges'] : []),
    ...(seccompOption === null ? [] : [`seccomp=${seccompOption}`]),
    ...(appArmor === null ? [] : [`apparmor=${appArmor}`]),
    ...security.seLinux.map(label => `label=${label}`),
  ];
  return {
    Privileged: security.privileged,
    ReadonlyRootfs: security.readOnlyRootFilesystem,
    CapAdd: [...security.capAdd],
    CapDrop: [...security.capDrop],
    GroupAdd: security.groups.map(String),
    SecurityOpt: options,
    ...(security.unmaskedProc ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

export function containerOptions(
  pod: PodIdentity,
  spec: ContainerSpec,
  where: EngineFacts & { readonly sandboxId: string },
): ContainerCreateOptions {
  const { resources, security } = spec;
  const { network, ipc, pid } = spec.namespaces;
  const join = `container:${where.sandboxId}`;
  return {
    name: containerName(pod, spec),
    Image: spec.image,
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
      NetworkMode: network === 'host' ? 'host' : join,
      ...(network === 'host' ? { UTSMode: 'host' } : {}),
      IpcMode: ipc === 'host' ? 'host' : join,
      ...(pid === 'container' ? {} : { PidMode: pid === 'host' ? 'host' : join }),
      ...securityOptions(spec.security),
      RestartPolicy: { Name: 'no' },
      LogConfig: LOG_CONFIG,
      Mounts: spec.mounts.map(mount => ({
        Type: 'bind',
        Source: mount.hostPath,
        Target: mount.containerPath,
        ReadOnly: mount.readOnly,
        BindOptions: {
          Propagation: mount.propagation,
          ...(mount.recursiveReadOnly ? { ReadOnlyForceRecursive: true } : {}),
        },
      })),
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
      OomScoreAdj: Math.max(resources.oomScoreAdj, where.oomFloor),
    },
  };
}
