/**
 * The container runtime port over the Docker Engine API. One outside thing, no decisions: what is to be done comes from
 * `plan`. Touches only what carries this agent's owner label, however it came to know an id.
 */
import Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import type { Clock, Log } from '../../protocol/ports.js';
import { isGone, mayBeOomScore, messageOf, runtimeErrorOf, statusOf } from './docker-errors.js';
import { createNamed } from './docker-create.js';
import { engineEvents } from './docker-events.js';
import { imageStatus, pullImage } from './docker-images.js';
import { inspectCache, type InspectCache } from './docker-inspect-cache.js';
import { containerLogs } from './docker-logs.js';
import { containerName, countOf, LABEL, sandboxName } from './docker-names.js';
import { isSandbox, observedContainer, observedSandbox, runtimeInfo } from './docker-observe.js';
import { containerOptions, sandboxOptions, SANDBOX_OOM_SCORE_ADJ } from './docker-options.js';
import { ensurePauseImage } from './pause-image.js';
import type { PullOptions } from './images.js';
import {
  RuntimeError,
  type ContainerRuntime,
  type ContainerSpec,
  type EngineId,
  type ImageInfo,
  type LogOptions,
  type ObservedPods,
  type PodIdentity,
  type RuntimeErrorCode,
  type RuntimeEvent,
  type RuntimeInfo,
  type SandboxSpec,
} from './runtime.js';

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
}

/** Calls that the engine answers at once; pulls, stops, logs and events have no limit of their own. */
const ANSWER_MS = 60_000;
/** The least that an unprivileged engine may set. */
const NEVER_LOWERED = 0;

export class DockerRuntime implements ContainerRuntime {
  private readonly options: DockerOptions;
  private readonly quick: Docker;
  private readonly slow: Docker;
  private readonly cache: InspectCache;
  private readonly own = new Set<EngineId>();
  private oomFloor = SANDBOX_OOM_SCORE_ADJ;
  private pauseImage: Promise<string> | null = null;

  constructor(options: DockerOptions) {
    this.options = options;
    const { socketPath } = options;
    this.quick = new Docker({ socketPath, timeout: ANSWER_MS });
    this.slow = new Docker({ socketPath });
    this.cache = inspectCache(id => this.quick.getContainer(id).inspect());
  }

  async info(): Promise<RuntimeInfo> {
    const [version, info] = await this.attempt('EngineError', () =>
      Promise.all([this.quick.version(), this.quick.info() as Promise<Record<string, unknown>>]),
    );
    return runtimeInfo(version, info);
  }

  async observe(): Promise<ObservedPods> {
    return this.attempt('EngineError', async () => {
      const listed = await this.quick.listContainers({
        all: true,
        filters: { label: [this.ownerLabel()] },
      });
      this.cache.keepOnly(listed.map(entry => entry.Id));
      const inspected = await Promise.all(
        listed.map(entry => this.cache.get(entry.Id, entry.State, entry.Status)),
      );
      const found = inspected.filter((info): info is ContainerInspectInfo => info !== null);
      const sandboxes = found.filter(info => isSandbox(info.Config.Labels));
      const containers = found.filter(info => !isSandbox(info.Config.Labels));
      for (const info of found) this.own.add(info.Id);
      for (const info of sandboxes) this.learnOomFloor(info);
      return {
        sandboxes: sandboxes.map(observedSandbox),
        containers: await Promise.all(
          containers.map(async info => observedContainer(info, await this.repoDigests(info.Image))),
        ),
      };
    });
  }

  async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const filters = { type: ['container' as const], label: [this.ownerLabel()] };
    const watching = this.cache.watching();
    try {
      for await (const event of engineEvents(this.slow, filters, signal)) {
        watching.changed(event.containerId);
        yield event;
      }
    } finally {
      watching.end();
    }
  }

  async runSandbox(spec: SandboxSpec): Promise<EngineId> {
    const image = await this.attempt('CreatePodSandboxError', () => this.ensureImage());
    try {
      return await this.createAndStartSandbox(spec, image);
    } catch (error) {
      if (!mayBeOomScore(error) || this.oomFloor === NEVER_LOWERED) {
        throw runtimeErrorOf(error, 'CreatePodSandboxError');
      }
      const before = this.oomFloor;
      this.oomFloor = NEVER_LOWERED;
      try {
        const id = await this.createAndStartSandbox(spec, image);
        this.sayOomFloor();
        return id;
      } catch {
        // It was something else: the first error says what.
        this.oomFloor = before;
        throw runtimeErrorOf(error, 'CreatePodSandboxError');
      }
    }
  }

  async stopSandbox(id: EngineId, graceSeconds: number): Promise<void> {
    await this.stopContainer(id, graceSeconds);
  }

  async removeSandbox(id: EngineId): Promise<void> {
    await this.attempt('EngineError', async () => {
      const filters = { label: [this.ownerLabel(), `${LABEL.sandboxId}=${id}`] };
      const members = await this.quick.listContainers({ all: true, filters });
      await Promise.all(members.map(member => this.remove(member.Id)));
    });
    await this.removeContainer(id);
  }

  imageStatus(image: string): Promise<ImageInfo | null> {
    return imageStatus(this.quick, image);
  }

  async pullImage(image: string, options: PullOptions = {}): Promise<ImageInfo> {
    await pullImage(this.slow, image, options.signal);
    const info = await this.imageStatus(image);
    if (info) return info;
    throw new RuntimeError(
      'ErrImagePull',
      `the engine says that it pulled ${image}, but does not have it`,
    );
  }

  async createContainer(
    sandboxId: EngineId,
    pod: PodIdentity,
    spec: ContainerSpec,
  ): Promise<EngineId> {
    const { owner } = this.options;
    const options = containerOptions(pod, spec, { owner, sandboxId, oomFloor: this.oomFloor });
    const same = (info: ContainerInspectInfo) =>
      info.Config.Labels[LABEL.containerHash] === spec.hash &&
      countOf(info.Config.Labels, LABEL.restartCount) === spec.attempt &&
      info.Config.Labels[LABEL.sandboxId] === sandboxId &&
      (info.State.Running || info.State.Status === 'created');
    try {
      return await this.create(options, containerName(pod, spec), same);
    } catch (error) {
      if (isGone(error) && /no such image/i.test(messageOf(error))) {
        throw new RuntimeError('ErrImageNeverPull', `image ${spec.image} is not on this node`, {
          cause: error,
        });
      }
      throw runtimeErrorOf(error, 'CreateContainerError');
    }
  }

  async startContainer(id: EngineId): Promise<void> {
    await this.mustOwn(id);
    try {
      await this.slow.getContainer(id).start();
    } catch (error) {
      if (statusOf(error) === 304) return;
      if (mayBeOomScore(error) && this.oomFloor < NEVER_LOWERED) {
        // The next try, which the restart policy makes, is created with what every engine may set.
        this.oomFloor = NEVER_LOWERED;
        this.sayOomFloor();
      }
      throw runtimeErrorOf(error, 'RunContainerError');
    } finally {
      this.cache.drop(id);
    }
  }

  async stopContainer(id: EngineId, graceSeconds: number): Promise<void> {
    if (!(await this.mustOwn(id))) return;
    try {
      await this.slow.getContainer(id).stop({ t: Math.max(0, Math.round(graceSeconds)) });
    } catch (error) {
      if (!isGone(error) && statusOf(error) !== 304) throw runtimeErrorOf(error, 'EngineError');
    } finally {
      this.cache.drop(id);
    }
  }

  async removeContainer(id: EngineId): Promise<void> {
    if (!(await this.mustOwn(id))) return;
    await this.attempt('EngineError', () => this.remove(id));
  }

  async *logs(id: EngineId, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const info = await this.attempt('EngineError', () => this.quick.getContainer(id).inspect());
    const { socketPath, clock } = this.options;
    yield* containerLogs({ socketPath, id, tty: info.Config.Tty, clock }, options, signal);
  }

  // ---------------------------------------------------------------------------------------- inside

  private ownerLabel(): string {
    return `${LABEL.owner}=${this.options.owner}`;
  }

  private async attempt<T>(code: RuntimeErrorCode, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw runtimeErrorOf(error, code);
    }
  }

  /** One building of the image for all pods that ask at the same time; asked anew each time, for a person may remove it. */
  private ensureImage(): Promise<string> {
    this.pauseImage ??= ensurePauseImage(this.slow, this.options.arch).finally(
      () => (this.pauseImage = null),
    );
    return this.pauseImage;
  }

  private async createAndStartSandbox(spec: SandboxSpec, image: string): Promise<EngineId> {
    const options = sandboxOptions(spec, image, {
      owner: this.options.owner,
      oomFloor: this.oomFloor,
    });
    const id = await this.create(
      options,
      sandboxName(spec),
      info =>
        info.Config.Labels[LABEL.sandboxHash] === spec.hash &&
        (info.State.Running || (info.State.Status === 'created' && info.State.ExitCode === 0)),
    );
    try {
      await this.slow.getContainer(id).start();
    } catch (error) {
      if (statusOf(error) !== 304) {
        // A sandbox that did not start keeps its name and ports from the next attempt.
        await this.remove(id).catch(() => undefined);
        throw error;
      }
    } finally {
      this.cache.drop(id);
    }
    return id;
  }

  private create(
    options: Docker.ContainerCreateOptions,
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

  private async holderOf(name: string): Promise<ContainerInspectInfo | null> {
    try {
      return await this.quick.getContainer(name).inspect();
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  private async remove(id: EngineId): Promise<void> {
    try {
      await this.slow.getContainer(id).remove({ force: true, v: true });
    } catch (error) {
      // 409: another removal of the same container is under way.
      if (!isGone(error) && statusOf(error) !== 409) throw error;
    } finally {
      this.cache.drop(id);
      this.own.delete(id);
    }
  }

  /** False when it is gone. Throws for a container of somebody else. */
  private async mustOwn(id: EngineId): Promise<boolean> {
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

  private async repoDigests(imageId: string): Promise<readonly string[]> {
    const known = this.cache.imageDigests.get(imageId);
    if (known) return known;
    const info = await this.imageStatus(imageId).catch(() => null);
    const digests = info?.repoDigests ?? [];
    this.cache.imageDigests.set(imageId, digests);
    return digests;
  }

  /** A sandbox of ours that runs with less than it was to have: the engine said no before this agent started. */
  private learnOomFloor(info: ContainerInspectInfo): void {
    const given = info.HostConfig.OomScoreAdj ?? 0;
    if (info.State.Running && given > this.oomFloor) this.oomFloor = given;
  }

  private sayOomFloor(): void {
    this.options.log.warn(
      'the engine may not lower oom_score_adj (no CAP_SYS_RESOURCE); pods run with 0 or more',
    );
  }
}
