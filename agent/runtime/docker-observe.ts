/** What the Engine API says of a container, in the port's words. Pure. */
import type { ContainerInspectInfo, DockerVersion, PortBinding } from 'dockerode';
import { endingOf } from './container-ending.js';
import { annotationsOf, countOf, LABEL, podOfLabels } from './docker-names.js';
import type { EngineKind } from './docker-options.js';
import type {
  ContainerState,
  EngineFeatures,
  ObservedContainer,
  ObservedSandbox,
  PortMapping,
  RuntimeInfo,
} from './runtime.js';

/** The kubelet's default grace: for a sandbox whose label was lost. */
const DEFAULT_GRACE_S = 30;

/** Docker writes year 1 for "never". */
function timeOf(text: string): Date | null {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) || time.getUTCFullYear() < 1970 ? null : time;
}

/** The engine notes the start after the fact: a program that ends at once may have finished "before" it. */
function endOf(state: ContainerInspectInfo['State']): Date | null {
  const started = timeOf(state.StartedAt);
  const finished = timeOf(state.FinishedAt);
  return started && finished && finished < started ? started : finished;
}

export function isSandbox(labels: Readonly<Record<string, string>>): boolean {
  return labels[LABEL.type] === 'podsandbox';
}

/** A network without IPv4 leaves the other field alone. */
const ipv6Of = ({ GlobalIPv6Address }: { GlobalIPv6Address?: string }) => GlobalIPv6Address ?? '';

/** What the engine was told to bind; what it chose by itself is none of the pod's wishes. */
function portsOf({ HostConfig }: ContainerInspectInfo): readonly PortMapping[] {
  const bindings = (HostConfig.PortBindings ?? {}) as Record<string, PortBinding[] | null>;
  return Object.entries(bindings).flatMap(([key, bound]) => {
    const [containerPort, protocol = ''] = key.split('/');
    return (bound ?? []).map(({ HostIp = '', HostPort = '' }) => ({
      containerPort: Number(containerPort),
      hostPort: Number(HostPort),
      hostIP: HostIp,
      protocol: protocol.toUpperCase() as PortMapping['protocol'],
    }));
  });
}

export function observedSandbox(info: ContainerInspectInfo): ObservedSandbox {
  const labels = info.Config.Labels;
  const networks = Object.values(info.NetworkSettings.Networks ?? {});
  const ips = [...networks.map(one => one.IPAddress), ...networks.map(ipv6Of)].filter(Boolean);
  const grace = labels[LABEL.podGrace] ?? '';
  return {
    id: info.Id,
    pod: podOfLabels(labels),
    attempt: countOf(labels, LABEL.sandboxAttempt),
    ready: info.State.Running,
    createdAt: new Date(info.Created),
    hash: labels[LABEL.sandboxHash] ?? '',
    terminationGracePeriodSeconds: /^\d{1,9}$/.test(grace) ? Number(grace) : DEFAULT_GRACE_S,
    ip: ips[0] ?? '',
    ips,
    hostNetwork: info.HostConfig.NetworkMode === 'host',
    ports: portsOf(info),
    source: labels[LABEL.podSource] ?? '',
  };
}

/** What Docker writes down of a start that failed, and Podman forgets. */
export interface FailedStart {
  readonly exitCode: number;
  readonly message: string;
}

/** As Docker numbers it: not found, not allowed, anything else. */
export function failedStart(message: string): FailedStart {
  if (/not found|no such file/i.test(message)) return { exitCode: 127, message };
  return { exitCode: /permission denied/i.test(message) ? 126 : 128, message };
}

export interface ContainerContext {
  /** Of the image that it runs: empty for a local one. */
  readonly repoDigests: readonly string[];
  readonly failedStart: FailedStart | undefined;
  readonly kind: EngineKind;
  /** Known from elsewhere than the engine's word. */
  readonly oomKilled: boolean;
}

export function observedContainer(
  info: ContainerInspectInfo,
  { repoDigests, failedStart: failed, kind, oomKilled }: ContainerContext,
): ObservedContainer {
  const labels = info.Config.Labels;
  const { State } = info;
  const createdAt = new Date(info.Created);
  // The engine leaves a container whose start failed as "created" with an exit code (cri-dockerd does the same).
  const isUnstarted = stateOf(State) === 'created';
  const neverRan = isUnstarted && (State.ExitCode !== 0 || failed !== undefined);
  const state: ContainerState = neverRan ? 'exited' : stateOf(State);
  const ended = state === 'exited';
  return {
    id: info.Id,
    sandboxId: labels[LABEL.sandboxId] ?? '',
    pod: podOfLabels(labels),
    name: labels[LABEL.containerName] ?? '',
    attempt: countOf(labels, LABEL.restartCount),
    state,
    // Made by id: the reference stands beside it.
    image: labels[LABEL.image] ?? info.Config.Image,
    imageId: repoDigests[0]
      ? `${kind}-pullable://${repoDigests[0]}`
      : `${kind}://${info.Image.replace(/^(?=[0-9a-f]{64}$)/, 'sha256:')}`,
    hash: labels[LABEL.containerHash] ?? '',
    createdAt,
    startedAt: neverRan ? createdAt : timeOf(State.StartedAt),
    finishedAt: neverRan ? createdAt : ended ? endOf(State) : null,
    exitCode: ended ? (neverRan && failed ? failed.exitCode : State.ExitCode) : null,
    reason: ended ? (oomKilled ? 'OOMKilled' : reasonOf(State, neverRan)) : '',
    message: State.Error || (neverRan ? (failed?.message ?? '') : ''),
    logPath: info.LogPath ?? '',
    ...endingOf(annotationsOf(labels)),
  };
}

const KILLED = 137;

/** It may have been for its memory, and the engine does not know it, or not yet. */
export function mayBeOomKilled({ State, HostConfig }: ContainerInspectInfo): boolean {
  const isLimited = (HostConfig.Memory ?? 0) > 0;
  return !State.Running && State.ExitCode === KILLED && !State.OOMKilled && isLimited;
}

function stateOf(state: ContainerInspectInfo['State']): ContainerState {
  if (state.Running) return 'running';
  switch (state.Status) {
    case 'created':
    case 'configured':
    case 'initialized':
      return 'created';
    case 'exited':
    case 'dead':
    case 'stopped':
    case 'removing':
      return 'exited';
    default:
      return 'unknown';
  }
}

/** Row 197. */
function reasonOf(state: ContainerInspectInfo['State'], neverRan: boolean): string {
  if (state.OOMKilled) return 'OOMKilled';
  if (neverRan) return 'ContainerCannotRun';
  return state.ExitCode === 0 ? 'Completed' : 'Error';
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function kindOf(version: DockerVersion): EngineKind {
  const components = (version as { Components?: { Name: string }[] }).Components ?? [];
  return components.some(c => /podman/i.test(c.Name)) ? 'podman' : 'docker';
}

/** `version` and `info` of the engine. */
export function runtimeInfo(
  version: DockerVersion,
  info: Readonly<Record<string, unknown>>,
): RuntimeInfo {
  return {
    name: kindOf(version),
    version: version.Version,
    apiVersion: version.ApiVersion,
    operatingSystem: version.Os,
    osImage: text(info['OperatingSystem']),
    kernelVersion: text(info['KernelVersion']),
    architecture: version.Arch,
    cpus: Number(info['NCPU'] ?? 0),
    memoryBytes: Number(info['MemTotal'] ?? 0),
    features: engineFeatures(version, info),
  };
}

function engineFeatures(
  version: DockerVersion,
  info: Readonly<Record<string, unknown>>,
): EngineFeatures {
  const given = info['SecurityOptions'];
  const options = Array.isArray(given) ? given.map(String) : [];
  const has = (name: string) => options.some(option => option.startsWith(`name=${name}`));
  const numbers = (text: string) => text.split('.').map(part => Number.parseInt(part, 10));
  const [major = 0] = numbers(version.Version);
  const [kernel = 0, kernelMinor = 0] = numbers(version.KernelVersion ?? '');
  const isNewKernel = kernel > 5 || (kernel === 5 && kernelMinor >= 12);
  return {
    recursiveReadOnly: kindOf(version) === 'docker' && major >= 25 && isNewKernel,
    appArmor: has('apparmor'),
    seLinux: has('selinux'),
    seccomp: has('seccomp'),
    cgroupVersion: text(info['CgroupVersion']) === '2' ? 2 : 1,
    rootful: !has('rootless') && !has('userns'),
  };
}
