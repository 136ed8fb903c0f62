/** The simulated engine as one agent sees it: its own sandboxes and containers, behind the runtime's port. */
import { endingOf } from '../../agent/runtime/container-ending.js';
import type {
  ContainerExec,
  ContainerStats,
  ExecOptions,
  ExecResult,
} from '../../agent/runtime/exec.js';
import {
  RuntimeError,
  type ContainerRuntime,
  type ContainerSpec,
  type EngineId,
  type LogOptions,
  type ObservedPods,
  type PodIdentity,
  type RuntimeEvent,
  type RuntimeInfo,
  type SandboxSpec,
} from '../../agent/runtime/runtime.js';
import type { SimulatedEngine } from './engine.js';
import { SimulatedImages } from './images.js';

export class SimulatedRuntime extends SimulatedImages implements ContainerRuntime, ContainerExec {
  private readonly owner: string;

  constructor(engine: SimulatedEngine, owner: string) {
    super(engine);
    this.owner = owner;
  }

  async info(): Promise<RuntimeInfo> {
    this.enter('info');
    return {
      name: 'simulated',
      version: '1.0.0',
      apiVersion: '1',
      operatingSystem: 'linux',
      osImage: 'simulation',
      kernelVersion: '0',
      architecture: 'amd64',
      cpus: 4,
      memoryBytes: 4 * 1024 ** 3,
      features: {
        recursiveReadOnly: false,
        appArmor: false,
        seLinux: false,
        seccomp: true,
        cgroupVersion: 2,
        rootful: true,
      },
    };
  }

  async observe(): Promise<ObservedPods> {
    this.enter('observe');
    const mine = <T extends { owner: string }>(items: Iterable<T>) =>
      [...items].filter(i => i.owner === this.owner);
    return {
      sandboxes: mine(this.engine.sandboxes.values()).map(({ owner: _o, spec: _s, ...seen }) => ({
        ...seen,
      })),
      containers: mine(this.engine.containers.values()).map(
        ({ owner: _o, spec: _s, output: _p, ...seen }) => ({ ...seen }),
      ),
    };
  }

  async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    this.enter('events');
    const queue: RuntimeEvent[] = [];
    let wake: () => void = () => undefined;
    const stop = this.engine.listen(({ owner, ...event }) => {
      if (owner === this.owner) queue.push(event);
      wake();
    });
    const aborted = () => wake();
    signal.addEventListener('abort', aborted);
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event) yield event;
        else await new Promise<void>(done => (wake = done));
      }
    } finally {
      stop();
      signal.removeEventListener('abort', aborted);
    }
  }

  async runSandbox(spec: SandboxSpec): Promise<EngineId> {
    this.enter('runSandbox');
    for (const sandbox of this.engine.sandboxes.values()) {
      if (
        sandbox.owner !== this.owner ||
        sandbox.pod.uid !== spec.pod.uid ||
        sandbox.attempt !== spec.attempt
      )
        continue;
      if (sandbox.hash === spec.hash && sandbox.ready) return sandbox.id;
      if (!sandbox.ready) this.engine.sandboxes.delete(sandbox.id);
    }
    const taken = spec.ports.find(port =>
      [...this.engine.sandboxes.values()].some(
        other =>
          other.ready &&
          other.spec.ports.some(p => p.hostPort === port.hostPort && p.protocol === port.protocol),
      ),
    );
    if (taken)
      throw new RuntimeError('HostPortTaken', `host port ${taken.hostPort} is taken on this node`);
    const id = this.engine.newId();
    this.engine.sandboxes.set(id, {
      id,
      owner: this.owner,
      spec,
      pod: spec.pod,
      attempt: spec.attempt,
      ready: true,
      createdAt: new Date(this.engine.clock.now()),
      hash: spec.hash,
      terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
      ip: '10.0.0.2',
      ips: ['10.0.0.2'],
      hostNetwork: spec.namespaces.network === 'host',
      ports: spec.ports,
      source: spec.annotations['kubernetes.io/config.source'] ?? '',
    });
    this.engine.acts.push(`runSandbox ${spec.pod.name} ${spec.attempt}`);
    this.engine.emit(this.owner, { podUid: spec.pod.uid, containerId: id, action: 'start' });
    return id;
  }

  async stopSandbox(id: EngineId, _graceSeconds: number): Promise<void> {
    this.enter('stopSandbox');
    const sandbox = this.engine.sandboxes.get(id);
    if (!sandbox?.ready) return;
    this.mine(sandbox);
    this.engine.acts.push(`stopSandbox ${id}`);
    this.engine.killSandbox(id);
  }

  async removeSandbox(id: EngineId): Promise<void> {
    this.enter('removeSandbox');
    const sandbox = this.engine.sandboxes.get(id);
    if (!sandbox) return;
    this.mine(sandbox);
    for (const container of [...this.engine.containers.values()]) {
      if (container.sandboxId === id) this.engine.containers.delete(container.id);
    }
    this.engine.sandboxes.delete(id);
    this.engine.acts.push(`removeSandbox ${id}`);
    this.engine.emit(this.owner, { podUid: sandbox.pod.uid, containerId: id, action: 'destroy' });
  }

  async createContainer(
    sandboxId: EngineId,
    pod: PodIdentity,
    spec: ContainerSpec,
  ): Promise<EngineId> {
    this.enter('createContainer');
    const sandbox = this.engine.sandboxes.get(sandboxId);
    if (!sandbox) throw new RuntimeError('CreateContainerError', `no sandbox ${sandboxId}`);
    const image =
      spec.imageId === undefined
        ? this.engine.images.get(spec.image)
        : [...this.engine.images.values()].find(({ id }) => id === spec.imageId);
    if (!image)
      throw new RuntimeError('ErrImageNeverPull', `image ${spec.image} is not on this node`);
    for (const held of [...this.engine.containers.values()]) {
      const sameName =
        held.pod.uid === pod.uid && held.name === spec.name && held.attempt === spec.attempt;
      if (held.owner !== this.owner || !sameName) continue;
      const alive = held.state === 'running' || held.state === 'created';
      if (alive && held.hash === spec.hash && held.sandboxId === sandboxId) return held.id;
      if (held.state !== 'running') this.engine.containers.delete(held.id);
    }
    const id = this.engine.newId();
    this.engine.containers.set(id, {
      id,
      owner: this.owner,
      spec,
      output: [],
      sandboxId,
      pod,
      name: spec.name,
      attempt: spec.attempt,
      state: 'created',
      image: spec.image,
      imageId: `docker://${image.id}`,
      hash: spec.hash,
      createdAt: new Date(this.engine.clock.now()),
      startedAt: null,
      finishedAt: null,
      exitCode: null,
      reason: '',
      message: '',
      logPath: '',
      ...endingOf(spec.annotations),
    });
    this.engine.acts.push(`createContainer ${pod.name} ${spec.name} ${spec.attempt}`);
    return id;
  }

  async startContainer(id: EngineId): Promise<void> {
    this.enter('startContainer');
    const container = this.engine.containers.get(id);
    if (!container) throw new RuntimeError('NotFound', `no such container: ${id}`);
    this.mine(container);
    if (container.state === 'running') return;
    if (!this.engine.sandboxes.get(container.sandboxId)?.ready) {
      throw new RuntimeError(
        'RunContainerError',
        'cannot join the network of a sandbox that does not run',
      );
    }
    const now = new Date(this.engine.clock.now());
    const program = this.engine.program(container.spec);
    this.engine.acts.push(`startContainer ${container.pod.name} ${container.name}`);
    container.startedAt = now;
    if (program.kind === 'cannotStart') {
      Object.assign(container, {
        state: 'exited',
        exitCode: 127,
        finishedAt: now,
        reason: 'ContainerCannotRun',
        message: program.message,
      });
      throw new RuntimeError('RunContainerError', program.message);
    }
    container.output.push(...(program.output ?? []));
    container.state = 'running';
    this.engine.emit(this.owner, { podUid: container.pod.uid, containerId: id, action: 'start' });
    if (program.kind === 'exits') this.engine.exitContainer(id, program.code);
  }

  async stopContainer(id: EngineId, graceSeconds: number): Promise<void> {
    this.enter('stopContainer');
    const container = this.engine.containers.get(id);
    if (container?.state !== 'running') return;
    this.mine(container);
    this.engine.acts.push(`stopContainer ${container.pod.name} ${container.name}`);
    const at = this.engine.clock.now();
    this.engine.stops.push({ name: container.name, at, graceSeconds });
    const program = this.engine.program(container.spec);
    const deaf = program.kind === 'runs' && program.ignoresTerm === true;
    if (deaf) await this.engine.clock.sleep(graceSeconds * 1000);
    // It may have ended by itself meanwhile.
    if (this.engine.containers.get(id)?.state === 'running')
      this.engine.exitContainer(id, deaf ? 137 : 143);
  }

  async removeContainer(id: EngineId): Promise<void> {
    this.enter('removeContainer');
    const container = this.engine.containers.get(id);
    if (!container) return;
    this.mine(container);
    this.engine.containers.delete(id);
    this.engine.acts.push(
      `removeContainer ${container.pod.name} ${container.name} ${container.attempt}`,
    );
    this.engine.emit(this.owner, { podUid: container.pod.uid, containerId: id, action: 'destroy' });
  }

  async *logs(id: EngineId, options: LogOptions, _signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.enter('logs');
    const container = this.engine.containers.get(id);
    if (!container) throw new RuntimeError('NotFound', `no such container: ${id}`);
    const lines =
      options.tailLines === undefined
        ? container.output
        : container.output.slice(-options.tailLines);
    const text = Buffer.from(lines.map(line => `${line}\n`).join(''));
    yield text.subarray(0, options.limitBytes ?? text.length);
  }

  async exec(id: EngineId, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
    this.enter('exec');
    options.signal?.throwIfAborted();
    const container = this.engine.containers.get(id);
    if (container?.owner !== this.owner || container.state !== 'running')
      throw new RuntimeError('NotFound', `container ${id} does not run`);
    const { exitCode, output = '', takesMs = 0 } = this.engine.execProgram(container.spec, command);
    const { timeoutMs, signal, maxOutputBytes } = options;
    if (takesMs > 0) await this.engine.clock.sleep(Math.min(takesMs, timeoutMs), signal);
    signal?.throwIfAborted();
    const kept = Buffer.from(output).subarray(0, maxOutputBytes).toString('utf8');
    const timedOut = takesMs > timeoutMs;
    return { exitCode: timedOut ? null : exitCode, output: kept, timedOut };
  }

  async stats(id: EngineId): Promise<ContainerStats | null> {
    this.enter('stats');
    const container = this.engine.containers.get(id);
    if (container?.owner !== this.owner || container.state !== 'running') return null;
    return this.engine.statsOf(container.spec);
  }

  private mine(thing: { owner: string; id: EngineId }): void {
    if (thing.owner !== this.owner) {
      throw new RuntimeError('EngineError', `container ${thing.id} is not this agent's`, {
        retry: 'never',
      });
    }
  }
}
