/**
 * The container runtime port, in the words of the CRI: sandboxes, containers, images.
 *
 * The engine is the truth about what runs. Everything the agent needs to know again after a restart
 * (whose container this is, its hash, how often it was restarted) is read from the engine's labels;
 * nothing here reads the journal. Implementations: `docker.ts` (Docker Engine API) and the simulated
 * engine of the tests; both pass `test/contracts/runtime.contract.ts`.
 *
 * Every call touches only objects that carry this agent's owner label.
 */

import type { LifecycleHandler } from '../../protocol/pod.js';
import type { ImageStore } from './images.js';

/** A container engine's own id of a sandbox or container (64 hex digits on Docker). */
export type EngineId = string;

/** Who a pod is. `uid` follows the rule in `protocol/pod-identity.ts`. */
export interface PodIdentity {
  /** Pod name as the kubelet gives it: `<name>-<node name>`. */
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface PortMapping {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIP: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

/** Which namespaces the pod's containers share with each other or with the host (rows 166, 167). */
export interface Namespaces {
  readonly network: 'pod' | 'host';
  readonly ipc: 'pod' | 'host';
  /** `container`: each container its own; `pod`: all that of the sandbox. */
  readonly pid: 'container' | 'pod' | 'host';
}

export const OWN_NAMESPACES: Namespaces = { network: 'pod', ipc: 'pod', pid: 'container' };

/** What a sandbox is made from. Two equal specs make interchangeable sandboxes. */
export interface SandboxSpec {
  readonly pod: PodIdentity;
  /** From 0; grows by one each time the sandbox of the same pod uid is made again. */
  readonly attempt: number;
  /** Not set on the engine with the host's network: the node's name holds there. */
  readonly hostname: string;
  readonly namespaces: Namespaces;
  /** By name, for the pod's own network and IPC namespaces (row 162). */
  readonly sysctls: Readonly<Record<string, string>>;
  /** None with the host's network. */
  readonly ports: readonly PortMapping[];
  /** The pod's own labels and annotations; labels land on the sandbox only (kubelet row 213). */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Grace of the pod in seconds: kept on the engine, so that an orphan can be stopped properly. */
  readonly terminationGracePeriodSeconds: number;
  /**
   * Digest over what makes the sandbox: compared to find out whether it has to be made again.
   * Stored as a label.
   */
  readonly hash: string;
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  /** None, HostToContainer, Bidirectional of the manifest (row 139). */
  readonly propagation: 'rprivate' | 'rslave' | 'rshared';
  /** Mounts below it are read-only too; only where `EngineFeatures` has it. */
  readonly recursiveReadOnly: boolean;
}

/** A device file of the host that the container may open, beyond seeing it. */
export interface Device {
  readonly hostPath: string;
  readonly containerPath: string;
  /** `r` or `rw`; never `m`. */
  readonly permissions: 'r' | 'rw';
}

/** The security context in the engine's terms, pod and container already merged (rows 156 to 161). */
export interface ContainerSecurity {
  /** `uid[:gid]`; empty = the image's. */
  readonly user: string;
  /** Supplementary groups and the fsGroup. */
  readonly groups: readonly number[];
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  /** `allowPrivilegeEscalation: false`. */
  readonly noNewPrivileges: boolean;
  /** Names without `CAP_`, `ALL` allowed. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** `runtime`: the engine's profile; else `unconfined` or the profile itself as JSON text. */
  readonly seccomp: 'runtime' | 'unconfined' | { readonly profile: string };
  /** A profile's name, `unconfined`, or null for the engine's choice. */
  readonly appArmor: string | null;
  /** Docker's `label:` options: `user:x`, `role:x`, `type:x`, `level:x`. */
  readonly seLinux: readonly string[];
  /** `procMount: Unmasked`. */
  readonly unmaskedProc: boolean;
}

/** What a container has whose manifest says nothing about security. */
export const PLAIN_SECURITY: ContainerSecurity = {
  user: '',
  groups: [],
  privileged: false,
  readOnlyRootFilesystem: false,
  noNewPrivileges: false,
  capAdd: [],
  capDrop: [],
  seccomp: 'runtime',
  appArmor: null,
  seLinux: [],
  unmaskedProc: false,
};

/** Already in the engine's units, as the kubelet computes them (rows 149–151, 153). */
export interface LinuxResources {
  /** 2…262144. */
  readonly cpuShares: number;
  /** Microseconds per 100,000 µs; 0 = no limit. */
  readonly cpuQuota: number;
  /** Bytes; 0 = no limit. Swap is never given on top. */
  readonly memoryLimit: number;
  readonly oomScoreAdj: number;
  /** Most processes; 0 = no limit. */
  readonly pidsLimit: number;
}

export interface ContainerSpec {
  readonly name: string;
  /** The restart count, part of the engine's name for the container: from 0. */
  readonly attempt: number;
  /** As the manifest names it: what status says. */
  readonly image: string;
  /** What it is made from, whatever `image` means by now; left out: `image`. */
  readonly imageId?: string;
  /** Replaces the image's ENTRYPOINT; null keeps it. */
  readonly command: readonly string[] | null;
  /** Replaces the image's CMD; null keeps it unless `command` is given (row 141). */
  readonly args: readonly string[] | null;
  /** `NAME=value`, in a stable order. */
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  readonly resources: LinuxResources;
  readonly security: ContainerSecurity;
  /** Those of its sandbox. */
  readonly namespaces: Namespaces;
  /** `SIGUSR1` …; empty = the image's. */
  readonly stopSignal: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** Extra annotations; stored as labels with the prefix `annotation.` (row 212). */
  readonly annotations: Readonly<Record<string, string>>;
  /** Digest over the whole container of the manifest; stored as `annotation.io.kubernetes.container.hash`. */
  readonly hash: string;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

export interface ObservedSandbox {
  readonly id: EngineId;
  readonly pod: PodIdentity;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAt: Date;
  readonly hash: string;
  readonly terminationGracePeriodSeconds: number;
  /** Empty until the network is up, and with the host's network. */
  readonly ip: string;
  /** All its addresses, `ip` first: on a network of both kinds the IPv4 address, then the IPv6 address. */
  readonly ips: readonly string[];
  /** It has no network of its own. */
  readonly hostNetwork: boolean;
  /** Of the node, that the engine leads to the pod; none with the host's network. */
  readonly ports: readonly PortMapping[];
  /** The pod's annotation `kubernetes.io/config.source`: `file`, `http`; empty when it is not known. */
  readonly source: string;
}

export interface ObservedContainer {
  readonly id: EngineId;
  readonly sandboxId: EngineId;
  readonly pod: PodIdentity;
  readonly name: string;
  readonly attempt: number;
  readonly state: ContainerState;
  readonly image: string;
  /** As the kubelet reports it: `docker-pullable://name@sha256:…` or `docker://sha256:…`. */
  readonly imageId: string;
  readonly hash: string;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly exitCode: number | null;
  /** Completed | Error | OOMKilled | ContainerCannotRun (row 197); empty while it runs. */
  readonly reason: string;
  /** The engine's own error text of a start that failed; never container output. */
  readonly message: string;
  /** The engine's file with its output; empty when it has none yet, or keeps it elsewhere. */
  readonly logPath: string;
  /** The hook that it was made with, ports by number; kept on the engine, so that an orphan is stopped properly. */
  readonly preStop: LifecycleHandler | null;
  /** 0 for an app container; sidecars end after those, the last one first (row 115). */
  readonly stopOrder: number;
  /** Of its pod when it was made, in seconds; null for a container that does not say. */
  readonly graceSeconds: number | null;
  /** How often all containers of the pod had been restarted in its sandbox when it was made (row 89). */
  readonly round: number;
}

export interface ObservedPods {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

export interface ImageInfo {
  readonly id: string;
  /** `name@sha256:…` of the registries it came from; empty for a local image. */
  readonly repoDigests: readonly string[];
  /** `User` of the image's configuration. */
  readonly user: string;
}

/** What this engine can do, asked once: what it cannot is refused before anything is started. */
export interface EngineFeatures {
  /** Docker 25 and later, kernel 5.12 and later. */
  readonly recursiveReadOnly: boolean;
  readonly appArmor: boolean;
  readonly seLinux: boolean;
  readonly seccomp: boolean;
  readonly cgroupVersion: 1 | 2;
  /** No user namespace between the engine's root and the host's. */
  readonly rootful: boolean;
}

export interface RuntimeInfo {
  /** `docker` or `podman`. */
  readonly name: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly operatingSystem: string;
  readonly osImage: string;
  readonly kernelVersion: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly features: EngineFeatures;
}

/** Something happened to one of our sandboxes or containers; the receiver observes again. */
export interface RuntimeEvent {
  readonly podUid: string;
  readonly containerId: EngineId;
  /** `start`, `die`, `oom`, `destroy` …, as the engine calls it. */
  readonly action: string;
}

export interface LogOptions {
  readonly follow?: boolean;
  /** Last lines; absent = all. */
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly sinceTime?: Date;
  readonly timestamps?: boolean;
  readonly limitBytes?: number;
}

/**
 * Closed list of what can go wrong, in the kubelet's words where it has one.
 * `retry: 'later'` = the same call may succeed; `'never'` = not with the same input.
 */
export type RuntimeErrorCode =
  | 'EngineUnavailable'
  | 'NotFound'
  | 'ErrImagePull'
  | 'ErrImageNeverPull'
  | 'ImageDigestMismatch'
  /** The node allows less than that. */
  | 'ImageTooLarge'
  /** The engine's file system has no room for it. */
  | 'DiskPressure'
  | 'InvalidImageName'
  | 'ImageInspectError'
  | 'RegistryUnavailable'
  | 'CreateContainerConfigError'
  | 'CreateContainerError'
  | 'RunContainerError'
  | 'CreatePodSandboxError'
  | 'HostPortTaken'
  | 'EngineError';

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: RuntimeErrorCode;
  readonly retry: 'later' | 'never';
  constructor(
    code: RuntimeErrorCode,
    message: string,
    options: { retry?: 'later' | 'never'; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? 'later';
  }
}

export interface ContainerRuntime extends Pick<ImageStore, 'imageStatus' | 'pullImage'> {
  /** Throws `EngineUnavailable` when the engine does not answer. */
  info(): Promise<RuntimeInfo>;
  /** All sandboxes and containers of this owner, running or not. */
  observe(): Promise<ObservedPods>;
  /** Ends when the signal aborts; throws `EngineUnavailable` when the connection is lost. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;

  /**
   * Makes and starts a sandbox. Safe to call again: a sandbox with the same pod uid, attempt and hash
   * is taken as made (and started if it was not). The sandbox's image is built on the engine when missing.
   */
  runSandbox(spec: SandboxSpec): Promise<EngineId>;
  /** Stops the sandbox (the network goes). Gone already = done. */
  stopSandbox(id: EngineId, graceSeconds: number): Promise<void>;
  /** Removes it and what is left of its containers. Gone already = done. */
  removeSandbox(id: EngineId): Promise<void>;

  /** Safe to call again: an existing container of the same name, attempt and hash is taken as made. */
  createContainer(sandboxId: EngineId, pod: PodIdentity, spec: ContainerSpec): Promise<EngineId>;
  startContainer(id: EngineId): Promise<void>;
  /** The image's stop signal, then SIGKILL after `graceSeconds`. Gone or stopped already = done. */
  stopContainer(id: EngineId, graceSeconds: number): Promise<void>;
  /** Gone already = done. */
  removeContainer(id: EngineId): Promise<void>;

  /** stdout and stderr interleaved as the engine kept them. Throws `NotFound`. */
  logs(id: EngineId, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
