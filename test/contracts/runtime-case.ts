/** What the contracts of the container runtime port share: the subject, specs, scripts that every engine understands. */
import type { ContainerExec } from '../../agent/runtime/exec.js';
import type { ImageStore } from '../../agent/runtime/images.js';
import {
  OWN_NAMESPACES,
  PLAIN_SECURITY,
  RuntimeError,
  type ContainerRuntime,
  type ContainerSpec,
  type PodIdentity,
  type SandboxSpec,
} from '../../agent/runtime/runtime.js';

/** All faces of the port. */
export type Runtime = ContainerRuntime & ContainerExec & ImageStore;

export interface RuntimeSubject {
  readonly runtime: Runtime;
  /** A new client of the same owner, as after a restart of the agent. */
  again(): Runtime;
  /** A client of another owner on the same engine. */
  stranger(): Runtime;
  /** A client whose engine does not answer. */
  down(): Runtime;
  /** An image that is there; its shell understands the scripts below. */
  readonly image: string;
  /** Kills a sandbox behind the runtime's back. */
  killSandbox(id: string): void;
  freePort(): Promise<number>;
  /** Names on the engine, of all containers; empty where an engine has no names. */
  names(): readonly string[];
  close(): void | Promise<void>;
}

/** Scripts that the simulated engine understands too. */
export const SCRIPT = {
  runs: 'trap "exit 143" TERM; while :; do sleep 3600 & wait; done',
  /** Says when it is ready to be told: process 1 does not hear a signal that it has set no trap for. */
  obeys: 'trap "exit 143" TERM; echo ready; while :; do sleep 3600 & wait; done',
  ignoresTerm: 'trap "" TERM; while :; do sleep 3600; done',
  exits3: 'exit 3',
  exits0: 'exit 0',
  speaks:
    'echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; trap "exit 143" TERM; while :; do sleep 3600 & wait; done',
} as const;

let pods = 0;

export function podIdentity(): PodIdentity {
  pods++;
  return {
    name: `pod${pods}-node`,
    namespace: 'default',
    uid: pods.toString(16).padStart(32, 'a'),
  };
}

export function sandboxSpec(pod: PodIdentity, change: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    namespaces: OWN_NAMESPACES,
    sysctls: {},
    pod,
    attempt: 0,
    hostname: pod.name,
    ports: [],
    labels: { app: 'x' },
    annotations: { note: 'y' },
    terminationGracePeriodSeconds: 7,
    hash: 'h1',
    ...change,
  };
}

export function containerSpec(
  image: string,
  script: string,
  change: Partial<ContainerSpec> = {},
): ContainerSpec {
  return {
    name: 'main',
    attempt: 0,
    image,
    command: ['/bin/sh', '-c', script],
    args: null,
    env: ['A=b'],
    workingDir: '',
    mounts: [],
    devices: [],
    security: PLAIN_SECURITY,
    namespaces: OWN_NAMESPACES,
    stopSignal: '',
    resources: { cpuShares: 2, cpuQuota: 0, memoryLimit: 0, oomScoreAdj: 1000, pidsLimit: 0 },
    stdin: false,
    stdinOnce: false,
    tty: false,
    annotations: {},
    hash: 'c1',
    ...change,
  };
}

export const refusesWith = (code: string) => (error: unknown) =>
  error instanceof RuntimeError && error.code === code;

export async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString('utf8');
}

/** Runs one container in a sandbox of its own. */
export async function startedOn(
  { runtime, image }: RuntimeSubject,
  script: string,
  change: {
    readonly sandbox?: Partial<SandboxSpec>;
    readonly container?: Partial<ContainerSpec>;
  } = {},
): Promise<{ readonly pod: PodIdentity; readonly sandbox: string; readonly id: string }> {
  const pod = podIdentity();
  const sandbox = await runtime.runSandbox(sandboxSpec(pod, change.sandbox));
  const spec = containerSpec(image, script, change.container);
  const id = await runtime.createContainer(sandbox, pod, spec);
  await runtime.startContainer(id);
  return { pod, sandbox, id };
}
