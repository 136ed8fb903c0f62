/**
 * The connection to one engine and what is known of whose its containers are: every call that touches one goes through here,
 * so that nothing without this agent's owner label is ever touched.
 */
import Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInspectInfo, DockerVersion } from 'dockerode';
import type { Clock, Log } from '../../protocol/ports.js';
import { createNamed } from './docker-create.js';
import { isGone, runtimeErrorOf, statusOf } from './docker-errors.js';
import { inspectCache, type InspectCache } from './docker-inspect-cache.js';
import { LABEL } from './docker-names.js';
import { kindOf, mayBeOomKilled, type FailedStart } from './docker-observe.js';
import type { EngineKind } from './docker-options.js';
import { killTogether } from './host-cgroups.js';
import { wasKilledForMemory } from './host-kernel-log.js';
import { RuntimeError, type EngineId, type RuntimeErrorCode } from './runtime.js';

export interface DockerOptions {
  /** Unix socket of the engine. */
  readonly socketPath: string;
  /** The agent's real data directory: whose containers these are. */
  readonly owner: string;
  /** `process.arch`: which pause to bring. */
  readonly arch: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Eight random hex digits: for a name that somebody else holds (row 210). */
  readonly randomSuffix: () => string;
  /** False: as `memory.oom.group` is by itself, one process at a time (the kubelet's `singleProcessOOMKill`). */
  readonly killTogether?: boolean;
  /** Where log collectors look for the pods' logs: a label says it (row 211). */
  readonly podLogs?: string;
}

const POD_LOGS = '/var/log/pods';

/** Calls that the engine answers at once; pulls, stops, logs and events have no limit of their own. */
const ANSWER_MS = 60_000;

export class DockerConnection {
  readonly options: DockerOptions;
  readonly quick: Docker;
  readonly slow: Docker;
  readonly cache: InspectCache;
  /** Containers known to be ours. */
  readonly own = new Set<EngineId>();
  /** Starts that failed on an engine that does not remember it (Podman). */
  readonly failedStarts = new Map<EngineId, FailedStart>();
  /** What the kernel's log said of containers that were killed, asked once for each. */
  readonly #oomKilled = new Map<EngineId, Promise<boolean>>();
  /** Process by container whose processes die together. */
  readonly #together = new Map<EngineId, number>();
  #kind: Promise<EngineKind> | null = null;

  constructor(options: DockerOptions) {
    this.options = options;
    const { socketPath } = options;
    this.quick = new Docker({ socketPath, timeout: ANSWER_MS });
    this.slow = new Docker({ socketPath });
    this.cache = inspectCache(id => this.quick.getContainer(id).inspect());
  }

  get podLogs(): string {
    return this.options.podLogs ?? POD_LOGS;
  }

  /** Which engine answers, asked once. */
  async kind(): Promise<EngineKind> {
    this.#kind ??= this.quick.version().then(kindOf);
    try {
      return await this.#kind;
    } catch (error) {
      this.#kind = null;
      throw error;
    }
  }

  /** An engine that came back may be another one. */
  learnKind(version: DockerVersion): void {
    this.#kind = Promise.resolve(kindOf(version));
  }

  ownerLabel(): string {
    return `${LABEL.owner}=${this.options.owner}`;
  }

  /** `code`: what a failure is when the engine answered and nothing more is known. */
  async attempt<T>(code: RuntimeErrorCode, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw runtimeErrorOf(error, code);
    }
  }

  /** Throws the engine's own errors. */
  create(
    options: ContainerCreateOptions,
    name: string,
    same: (info: ContainerInspectInfo) => boolean,
  ): Promise<EngineId> {
    return createNamed(options, name, {
      create: async all => {
        const created = await this.quick.createContainer(all);
        this.own.add(created.id);
        return created.id;
      },
      holderOf: held => this.holderOf(held),
      isOwn: info => info.Config.Labels[LABEL.owner] === this.options.owner,
      same,
      remove: id => this.remove(id),
      randomSuffix: this.options.randomSuffix,
    });
  }

  /** Where the engine does not say it by itself: Podman on cgroup v1, and Docker when the end overtakes the word of its cause. */
  async wasOomKilled(info: ContainerInspectInfo): Promise<boolean> {
    if (!mayBeOomKilled(info)) return false;
    const asked = this.#oomKilled.get(info.Id) ?? wasKilledForMemory(info.Id);
    this.#oomKilled.set(info.Id, asked);
    return asked;
  }

  /** Row 154, for each container once in each of its runs. */
  async joinForMemory({ Id, State: { Running, Pid } }: ContainerInspectInfo): Promise<void> {
    const { killTogether: isWanted = true, log } = this.options;
    if (!isWanted || !Running || Pid === 0 || this.#together.get(Id) === Pid) return;
    const isFirst = this.#together.size === 0;
    this.#together.set(Id, Pid);
    try {
      await killTogether(Pid, Id);
    } catch (error) {
      if (isFirst)
        log.warn('memory.oom.group cannot be set: processes are killed singly', { error });
    }
  }

  /** Gone already = done. Throws the engine's own errors. */
  async remove(id: EngineId): Promise<void> {
    try {
      await this.slow.getContainer(id).remove({ force: true, v: true });
    } catch (error) {
      // 409: another removal of the same container is under way.
      if (!isGone(error) && statusOf(error) !== 409) throw error;
    } finally {
      this.cache.drop(id);
      this.own.delete(id);
      this.failedStarts.delete(id);
      this.#oomKilled.delete(id);
      this.#together.delete(id);
    }
  }

  /** False when it is gone. Throws for a container of somebody else. */
  async mustOwn(id: EngineId): Promise<boolean> {
    if (this.own.has(id)) return true;
    const info = await this.attempt('EngineError', () => this.holderOf(id));
    if (!info) return false;
    if (info.Config.Labels[LABEL.owner] !== this.options.owner) {
      throw new RuntimeError('EngineError', `container ${id} is not this agent's`, {
        retry: 'never',
      });
    }
    this.own.add(id);
    return true;
  }

  private async holderOf(name: string): Promise<ContainerInspectInfo | null> {
    try {
      return await this.quick.getContainer(name).inspect();
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }
}
