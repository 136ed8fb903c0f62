/**
 * The container runtime port over the Docker Engine API. One outside thing, no decisions: what is to be done comes from
 * `plan`. Touches only what carries this agent's owner label, however it came to know an id.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import { sha256Hex } from '../../protocol/canonical.js';
import type { AttachOptions, Attachment, ContainerAttach, ExecAttachOptions } from './attach.js';
import { openAttach, openExec } from './docker-attach.js';
import { DockerConnection, type DockerOptions } from './docker-connection.js';
import {
  isGone,
  messageOf,
  missingMountSource,
  runtimeErrorOf,
  statusOf,
} from './docker-errors.js';
import { engineEvents } from './docker-events.js';
import { execInContainer } from './docker-exec.js';
import * as imageCalls from './docker-images.js';
import { containerLogs } from './docker-logs.js';
import { containerName, countOf, LABEL } from './docker-names.js';
import {
  failedStart,
  isSandbox,
  observedContainer,
  observedSandbox,
  runtimeInfo,
} from './docker-observe.js';
import { containerOptions, type EngineKind, type SeccompProfile } from './docker-options.js';
import { DockerSandboxes } from './docker-sandbox.js';
import { readStats } from './docker-stats.js';
import type { ContainerExec, ContainerStats, ExecOptions, ExecResult } from './exec.js';
import { hostProcesses } from './host-processes.js';
import type {
  ImageFilesystem,
  ImageLoader,
  ImageStore,
  PullOptions,
  StoredImage,
} from './images.js';
import {
  RuntimeError,
  type ContainerRuntime,
  type ContainerSpec,
  type EngineId,
  type ImageInfo,
  type LogOptions,
  type ObservedPods,
  type PodIdentity,
  type RuntimeEvent,
  type RuntimeInfo,
  type SandboxSpec,
} from './runtime.js';

export type { DockerOptions } from './docker-connection.js';

/** Makes the directories that an older engine leaves to others (row 129). */
async function withMountSources<T>(create: () => Promise<T>, mounts: number): Promise<T> {
  for (let left = mounts; ; left--) {
    try {
      return await create();
    } catch (error) {
      const path = missingMountSource(error);
      if (path === null || left === 0) throw error;
      await mkdir(path, { recursive: true, mode: 0o755 });
    }
  }
}

export class DockerRuntime
  implements ContainerRuntime, ContainerExec, ContainerAttach, ImageStore, ImageLoader
{
  readonly #engine: DockerConnection;
  readonly #sandboxes: DockerSandboxes;

  constructor(options: DockerOptions) {
    this.#engine = new DockerConnection(options);
    this.#sandboxes = new DockerSandboxes(this.#engine);
  }

  async info(): Promise<RuntimeInfo> {
    const { quick } = this.#engine;
    const [version, info] = await this.#engine.attempt('EngineError', () =>
      Promise.all([quick.version(), quick.info() as Promise<Record<string, unknown>>]),
    );
    this.#engine.learnKind(version);
    return runtimeInfo(version, info);
  }

  async observe(): Promise<ObservedPods> {
    const { quick, cache, own } = this.#engine;
    return this.#engine.attempt('EngineError', async () => {
      const filters = { label: [this.#engine.ownerLabel()] };
      const kind = await this.#engine.kind();
      const listed = await quick.listContainers({ all: true, filters });
      cache.keepOnly(listed.map(entry => entry.Id));
      const inspected = await Promise.all(
        listed.map(entry => cache.get(entry.Id, entry.State, entry.Status)),
      );
      const found = inspected.filter((info): info is ContainerInspectInfo => info !== null);
      const sandboxes = found.filter(info => isSandbox(info.Config.Labels));
      const containers = found.filter(info => !isSandbox(info.Config.Labels));
      for (const info of found) own.add(info.Id);
      for (const info of sandboxes) this.#sandboxes.learnFrom(info);
      await Promise.all(containers.map(info => this.#engine.joinForMemory(info)));
      return {
        sandboxes: sandboxes.map(observedSandbox),
        containers: await Promise.all(
          containers.map(async info =>
            observedContainer(info, {
              kind,
              repoDigests: await this.#repoDigests(info.Image),
              failedStart: this.#engine.failedStarts.get(info.Id),
              oomKilled: await this.#engine.wasOomKilled(info),
            }),
          ),
        ),
      };
    });
  }

  async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const { slow, cache } = this.#engine;
    const filters = { type: ['container' as const], label: [this.#engine.ownerLabel()] };
    const watching = cache.watching();
    try {
      for await (const event of engineEvents(slow, filters, signal)) {
        watching.changed(event.containerId);
        yield event;
      }
    } finally {
      watching.end();
    }
  }

  runSandbox(spec: SandboxSpec): Promise<EngineId> {
    return this.#sandboxes.run(spec);
  }

  async stopSandbox(id: EngineId, graceSeconds: number): Promise<void> {
    await this.stopContainer(id, graceSeconds);
  }

  async removeSandbox(id: EngineId): Promise<void> {
    await this.#engine.attempt('EngineError', async () => {
      const filters = { label: [this.#engine.ownerLabel(), `${LABEL.sandboxId}=${id}`] };
      const members = await this.#engine.quick.listContainers({ all: true, filters });
      await Promise.all(members.map(member => this.#engine.remove(member.Id)));
    });
    await this.removeContainer(id);
  }

  async createContainer(
    sandboxId: EngineId,
    pod: PodIdentity,
    spec: ContainerSpec,
  ): Promise<EngineId> {
    const options = await this.#containerOptions(sandboxId, pod, spec);
    const same = (info: ContainerInspectInfo) =>
      info.Config.Labels[LABEL.containerHash] === spec.hash &&
      countOf(info.Config.Labels, LABEL.restartCount) === spec.attempt &&
      info.Config.Labels[LABEL.sandboxId] === sandboxId &&
      (info.State.Running || info.State.Status === 'created');
    const create = () => this.#engine.create(options, containerName(pod, spec), same);
    try {
      return await withMountSources(create, spec.mounts.length);
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
    await this.#engine.mustOwn(id);
    this.#engine.failedStarts.delete(id);
    try {
      await this.#engine.slow.getContainer(id).start();
    } catch (error) {
      if (statusOf(error) === 304) return;
      this.#sandboxes.learnFromFailure(error);
      const failure = runtimeErrorOf(error, 'RunContainerError');
      const { failedStarts } = this.#engine;
      if (failure.code === 'RunContainerError') failedStarts.set(id, failedStart(failure.message));
      throw failure;
    } finally {
      this.#engine.cache.drop(id);
    }
  }

  /** Images came, went or changed names: what happened is to be asked for. Throws `EngineUnavailable`. */
  async *imageEvents(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    yield* engineEvents(this.#engine.slow, { type: ['image' as const] }, signal);
  }

  async stopContainer(id: EngineId, graceSeconds: number): Promise<void> {
    if (!(await this.#engine.mustOwn(id))) return;
    const t = Math.max(0, Math.round(graceSeconds));
    try {
      await this.#engine.slow.getContainer(id).stop({ t });
    } catch (error) {
      if (!isGone(error) && statusOf(error) !== 304) throw runtimeErrorOf(error, 'EngineError');
    } finally {
      this.#engine.cache.drop(id);
    }
  }

  async removeContainer(id: EngineId): Promise<void> {
    if (!(await this.#engine.mustOwn(id))) return;
    await this.#engine.attempt('EngineError', () => this.#engine.remove(id));
  }

  async *logs(id: EngineId, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { quick } = this.#engine;
    const info = await this.#engine.attempt('EngineError', () => quick.getContainer(id).inspect());
    const { socketPath, clock } = this.#engine.options;
    yield* containerLogs({ socketPath, id, tty: info.Config.Tty, clock }, options, signal);
  }

  async exec(id: EngineId, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const isOwn = await this.#engine.mustOwn(id);
    if (!isOwn) throw new RuntimeError('NotFound', `no such container: ${id}`);
    const {
      slow,
      options: { clock },
    } = this.#engine;
    const tools = { docker: slow, clock, processes: hostProcesses };
    return execInContainer(tools, id, { command, options });
  }

  async openExec(id: EngineId, options: ExecAttachOptions): Promise<Attachment> {
    return openExec(await this.#attachTools(id), id, options);
  }

  async openAttach(id: EngineId, options: AttachOptions): Promise<Attachment> {
    return openAttach(await this.#attachTools(id), id, options);
  }

  async #attachTools(id: EngineId) {
    const { slow, options } = this.#engine;
    const { clock, socketPath } = options;
    if (await this.#engine.mustOwn(id)) return { docker: slow, clock, socketPath };
    throw new RuntimeError('NotFound', `no such container: ${id}`);
  }

  async stats(id: EngineId): Promise<ContainerStats | null> {
    return (await this.#engine.mustOwn(id)) ? readStats(this.#engine.quick, id) : null;
  }

  imageStatus(image: string): Promise<ImageInfo | null> {
    return imageCalls.imageStatus(this.#engine.quick, image);
  }

  async pullImage(image: string, options: PullOptions = {}): Promise<ImageInfo> {
    await imageCalls.pullImage(this.#engine.slow, image, options);
    const info = await this.imageStatus(image);
    if (info) return info;
    throw new RuntimeError(
      'ErrImagePull',
      `the engine says that it pulled ${image}, but does not have it`,
    );
  }

  loadImages(archive: AsyncIterable<Uint8Array>): Promise<void> {
    return imageCalls.loadImages(this.#engine.slow, archive);
  }

  images(): Promise<readonly StoredImage[]> {
    const { quick } = this.#engine;
    return this.#engine.attempt('EngineError', () => imageCalls.storedImages(quick));
  }

  layers(): Promise<readonly (readonly string[])[]> {
    const { quick } = this.#engine;
    return this.#engine.attempt('EngineError', () => imageCalls.storedLayers(quick));
  }

  imagesInUse(): Promise<ReadonlySet<string>> {
    const { quick } = this.#engine;
    return this.#engine.attempt('EngineError', () => imageCalls.imagesInUse(quick));
  }

  removeImage(id: string): Promise<void> {
    const { slow } = this.#engine;
    return this.#engine.attempt('EngineError', () => imageCalls.removeImage(slow, id));
  }

  imageFilesystem(): Promise<ImageFilesystem> {
    const { quick } = this.#engine;
    return this.#engine.attempt('EngineError', () => imageCalls.imageFilesystem(quick));
  }

  async #containerOptions(
    sandboxId: EngineId,
    pod: PodIdentity,
    spec: ContainerSpec,
  ): Promise<ContainerCreateOptions> {
    const { options, podLogs } = this.#engine;
    const kind = await this.#engine.attempt('CreateContainerError', () => this.#engine.kind());
    const where = {
      owner: options.owner,
      kind,
      sandboxId,
      podLogs,
      oomFloor: this.#sandboxes.oomFloor,
      seccompProfile: await this.#seccompProfile(kind, spec),
    };
    return containerOptions(pod, spec, where);
  }

  /** Docker takes a profile's text, Podman the path of a file: one named by its content. */
  async #seccompProfile(kind: EngineKind, { security }: ContainerSpec): Promise<SeccompProfile> {
    const { seccomp } = security;
    if (kind === 'docker' || typeof seccomp === 'string') return profile => profile;
    const directory = join(this.#engine.options.owner, 'seccomp');
    const path = join(directory, `${sha256Hex(Buffer.from(seccomp.profile))}.json`);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(path, seccomp.profile, { mode: 0o600 });
    return () => path;
  }

  async #repoDigests(imageId: string): Promise<readonly string[]> {
    const { imageDigests } = this.#engine.cache;
    const known = imageDigests.get(imageId);
    if (known) return known;
    const info = await this.imageStatus(imageId).catch(() => null);
    const digests = info?.repoDigests ?? [];
    imageDigests.set(imageId, digests);
    return digests;
  }
}
