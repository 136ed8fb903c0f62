/**
 * A container engine in memory, behind the same port as the real one and held to the same contract: for thousands of
 * histories of the agent's loop. Time comes from outside; programs end when the test says so; faults are injected per call.
 */
import type { Clock } from '../../protocol/ports.js';
import type { ContainerExec, ContainerStats } from '../../agent/runtime/exec.js';
import type { ImageFilesystem, ImageStore } from '../../agent/runtime/images.js';
import type {
  ContainerRuntime,
  ContainerSpec,
  EngineId,
  ImageInfo,
  ObservedContainer,
  ObservedSandbox,
  RuntimeEvent,
  SandboxSpec,
} from '../../agent/runtime/runtime.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface Sandbox extends Mutable<ObservedSandbox> {
  owner: string;
  spec: SandboxSpec;
}

export interface Container extends Mutable<ObservedContainer> {
  owner: string;
  spec: ContainerSpec;
  output: string[];
}

/** What a container does when it is started; the default runs until it is stopped. */
export type Program = (
  spec: ContainerSpec,
) =>
  | { readonly kind: 'runs'; readonly ignoresTerm?: boolean; readonly output?: readonly string[] }
  | { readonly kind: 'exits'; readonly code: number; readonly output?: readonly string[] }
  | { readonly kind: 'cannotStart'; readonly message: string };

/** What a program that is run inside a container comes to; one that takes longer than its timeout is killed. */
export type ExecProgram = (
  spec: ContainerSpec,
  command: readonly string[],
) => { readonly exitCode: number; readonly output?: string; readonly takesMs?: number };

export type Call = keyof (ContainerRuntime & ContainerExec & ImageStore);

/** Throws to make a call fail. */
export type Fault = (call: Call) => void;

interface Image extends ImageInfo {
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

/** The machine: shared by the runtimes of several owners, as one Docker Engine is. */
export class SimulatedEngine {
  readonly sandboxes = new Map<EngineId, Sandbox>();
  readonly containers = new Map<EngineId, Container>();
  /** By name. */
  readonly images = new Map<string, Image>();
  /** Images that a pull would find. */
  readonly registry = new Set<string>();
  /** Images of the registry that are given only to who knows the password. */
  readonly passwords = new Map<string, string>();
  readonly clock: Clock;
  program: Program = () => ({ kind: 'runs' });
  execProgram: ExecProgram = () => ({ exitCode: 0 });
  statsOf: (spec: ContainerSpec) => ContainerStats = () => ({
    cpuNanoseconds: 1,
    workingSetBytes: 1,
  });
  filesystem: ImageFilesystem = { path: '/engine', totalBytes: 1000, availableBytes: 900 };
  fault: Fault = () => undefined;
  up = true;
  /** Every call that changed something, in order: `stopContainer <id>`. */
  readonly acts: string[] = [];
  /** Stop signals, by container name: when, and how long until SIGKILL. */
  readonly stops: { readonly name: string; readonly at: number; readonly graceSeconds: number }[] =
    [];
  private readonly listeners = new Set<(event: RuntimeEvent & { owner: string }) => void>();
  private next = 1;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  newId(): EngineId {
    return (this.next++).toString(16).padStart(64, '0');
  }

  emit(owner: string, event: RuntimeEvent): void {
    for (const listener of [...this.listeners]) listener({ ...event, owner });
  }

  listen(listener: (event: RuntimeEvent & { owner: string }) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  addImage(name: string, sizeBytes = 100): void {
    const createdAt = new Date(this.clock.now());
    const id = `sha256:${name}`;
    this.images.set(name, { id, repoDigests: [], user: '', sizeBytes, createdAt });
  }

  /** The program of a container ends by itself. */
  exitContainer(id: EngineId, code: number, reason?: string): void {
    const container = this.containers.get(id);
    if (container?.state !== 'running') throw new Error(`container ${id} does not run`);
    container.state = 'exited';
    container.exitCode = code;
    container.finishedAt = new Date(this.clock.now());
    container.reason = reason ?? (code === 0 ? 'Completed' : 'Error');
    this.emit(container.owner, { podUid: container.pod.uid, containerId: id, action: 'die' });
  }

  /** As `docker kill` on the pause container: the network goes, and with it what joined it. */
  killSandbox(id: EngineId): void {
    const sandbox = this.sandboxes.get(id);
    if (!sandbox) throw new Error(`no sandbox ${id}`);
    sandbox.ready = false;
    sandbox.ip = '';
    this.emit(sandbox.owner, { podUid: sandbox.pod.uid, containerId: id, action: 'die' });
  }
}
