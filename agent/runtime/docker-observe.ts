/** What the Engine API says of a container, in the port's words. Pure. */
import type { ContainerInspectInfo, DockerVersion } from 'dockerode';
import { countOf, LABEL, podOfLabels } from './docker-names.js';
import type { EngineKind } from './docker-options.js';
import type {
  ContainerState,
  EngineFeatures,
  ObservedContainer,
  ObservedSandbox,
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

export function observedSandbox(info: ContainerInspectInfo): ObservedSandbox {
  const labels = info.Config.Labels;
  const networks = Object.values(info.NetworkSettings.Networks ?? {});
  const grace = labels[LABEL.podGrace] ?? '';
  return {
    id: info.Id,
    pod: podOfLabels(labels),
    attempt: countOf(labels, LABEL.sandboxAttempt),
    ready: info.State.Running,
    createdAt: new Date(info.Created),
    hash: labels[LABEL.sandboxHash] ?? '',
    terminationGracePeriodSeconds: /^\d{1,9}$/.test(grace) ? Number(grace) : DEFAULT_GRACE_S,
    ip: networks.map(network => network.IPAddress).find(ip => ip !== '') ?? '',
    source: labels[LABEL.podSource] ?? '',
  };
}

/** `repoDigests` of the image that it runs: empty for a local one. */
export function observedContainer(
  info: ContainerInspectInfo,
  repoDigests: readonly string[],
): ObservedContainer {
  const labels = info.Config.Labels;
  const { State } = info;
  const createdAt = new Date(info.Created);
  // The engine leaves a container whose start failed as "created" with an exit code (cri-dockerd does the same).
  const neverRan = State.Status === 'created' && State.ExitCode !== 0;
  const state: ContainerState = neverRan ? 'exited' : stateOf(State);
  const ended = state === 'exited';
  return {
    id: info.Id,
    sandboxId: labels[LABEL.sandboxId] ?? '',
    pod: podOfLabels(labels),
    name: labels[LABEL.containerName] ?? '',
    attempt: countOf(labels, LABEL.restartCount),
    state,
    image: info.Config.Image,
    imageId: repoDigests[0] ? `docker-pullable://${repoDigests[0]}` : `docker://${info.Image}`,
    hash: labels[LABEL.containerHash] ?? '',
    createdAt,
    startedAt: neverRan ? createdAt : timeOf(State.StartedAt),
    finishedAt: neverRan ? createdAt : ended ? endOf(State) : null,
    exitCode: ended ? State.ExitCode : null,
    reason: ended ? reasonOf(State, neverRan) : '',
    message: State.Error,
  };
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
