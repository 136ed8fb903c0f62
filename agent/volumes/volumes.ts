/**
 * The files of pods on this node: their volumes, what containers mount of them, and the agent's own files.
 *
 * Everything lies under `<data-dir>/pods/<uid>/` and lives as long as that uid (kubelet behaviour rows 129 to 140, 174).
 * Calls about one pod wait for each other. Nothing of a Secret is ever in a message. Decides nothing.
 */
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { containerVolumes, type ContainerVolumes, type MountFacts } from './container-mounts.js';
import { filesDigest, isWritten, volumeFiles } from './content.js';
import { diskUsage } from './disk-usage.js';
import { openHostMounts, type HostMounts } from './host-mounts.js';
import { OutsideError, readInside } from './inside.js';
import { MountError } from './mount-error.js';
import { PodPaths, type ManagedFile } from './pod-paths.js';
import { isThere, setUpVolume, type HostPathTargets, type SetUpTools } from './set-up.js';
import type { DesiredPod } from '../pods/desired.js';
import type { NodeCapacity } from '../pods/field-values.js';
import { envFileKey } from '../pods/pod-env.js';
import { fileKeyRef, type Container, type Volume } from '../../protocol/pod.js';
import type { Clock } from '../../protocol/ports.js';
import { parseQuantityWhole } from '../../protocol/quantity.js';

/** A volume that holds more than its `sizeLimit`. */
export interface Overrun {
  readonly volume: string;
  /** As the manifest gives it. */
  readonly sizeLimit: string;
  readonly usedBytes: number;
}

export interface PodVolumes {
  /** Uids with a directory on this node. */
  uids(): Promise<ReadonlySet<string>>;
  /** Why the agent cannot mount on this node; null when it can. Asked once. */
  mountProblem(): Promise<string | null>;
  /** Of the file system that the pods' files are on. */
  capacityBytes(): Promise<number>;
  /** Makes what is missing; twice is the same as once. Throws `MountError`. */
  prepare(desired: DesiredPod, node: NodeCapacity): Promise<void>;
  /**
   * Brings the files of a prepared pod up to date with its labels, ConfigMaps and Secrets. Cheap when nothing changed.
   * Throws `MountError` after all volumes were tried; those that failed keep their files.
   */
  refresh(desired: DesiredPod, node: NodeCapacity): Promise<void>;
  /** What a container sees of the pod's volumes, with its managed files; after `prepare`. Throws `MountError`. */
  mounts(desired: DesiredPod, container: Container, facts: MountFacts): Promise<ContainerVolumes>;
  /** The files that the container's variables come from, by `envFileKey`; those that are missing are left out. */
  envFiles(desired: DesiredPod, container: Container): Promise<ReadonlyMap<string, string>>;
  /** The emptyDirs on disk that are over their limit (row 134). */
  overruns(desired: DesiredPod): Promise<readonly Overrun[]>;
  /** Writes one of the agent's own files in place, so that running containers see it. */
  writeManaged(uid: string, file: ManagedFile, content: string): Promise<void>;
  /** Unmounts and removes all files of the pod. Gone already = done. Throws `MountError` for what stays mounted. */
  remove(uid: string): Promise<void>;
}

export interface PodVolumesOptions {
  /** Canonical, and visible to the engine under the same path. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** As `SetUpTools`; absent: the node's owner lists none, and each path is taken as it is. */
  readonly hostPathTargets?: HostPathTargets;
  /** Absent: those of the node. */
  readonly hostMounts?: HostMounts;
}

/** Longer files with variables are refused. */
const MAX_ENV_FILE_BYTES = 1024 * 1024;
const POD_MODE = 0o750;

/** Mounts that the agent itself makes below a pod's directory. */
const OWN_MOUNT = /^[^/]+\/(volumes\/kubernetes\.io~[a-z-]+\/[^/]+|volume-subpaths\/.+)$/;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

class PodVolumesOnDisk implements PodVolumes {
  readonly #paths: PodPaths;
  readonly #hostMounts: HostMounts;
  readonly #tools: SetUpTools;
  /** By uid: the last call about the pod. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** By uid and volume: what was written last. */
  readonly #written = new Map<string, Map<string, string>>();
  #problem: Promise<string | null> | null = null;

  constructor(options: PodVolumesOptions) {
    const { dataDir, clock, hostMounts = openHostMounts() } = options;
    const { hostPathTargets = () => Promise.resolve(new Map<string, string>()) } = options;
    this.#paths = new PodPaths(dataDir);
    this.#hostMounts = hostMounts;
    const mountProblem = () => this.mountProblem();
    this.#tools = { paths: this.#paths, hostMounts, clock, hostPathTargets, mountProblem };
  }

  async uids(): Promise<ReadonlySet<string>> {
    try {
      return new Set((await readdir(this.#paths.root)).filter(name => !name.startsWith('.')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
      throw error;
    }
  }

  mountProblem(): Promise<string | null> {
    this.#problem ??= this.#hostMounts.probe(this.#paths.root);
    return this.#problem;
  }

  async capacityBytes(): Promise<number> {
    await mkdir(this.#paths.root, { recursive: true, mode: POD_MODE });
    const { blocks, bsize } = await statfs(this.#paths.root);
    return blocks * bsize;
  }

  prepare(desired: DesiredPod, node: NodeCapacity): Promise<void> {
    return this.#inTurn(desired.uid, async () => {
      await mkdir(this.#paths.pod(desired.uid), { recursive: true, mode: POD_MODE });
      for (const volume of desired.pod.spec.volumes ?? []) {
        await this.#setUp(volume, desired, node);
      }
    });
  }

  async refresh(desired: DesiredPod, node: NodeCapacity): Promise<void> {
    const { uid, pod, objects } = desired;
    const problems: string[] = [];
    for (const volume of (pod.spec.volumes ?? []).filter(isWritten)) {
      try {
        const digest = filesDigest(volumeFiles(volume, { pod, objects, node }));
        if (this.#written.get(uid)?.get(volume.name) === digest) continue;
        await this.#inTurn(uid, async () => {
          // Not before it was set up, and not after it was removed.
          if (!(await isThere(this.#paths.volume(uid, volume)))) return;
          await this.#setUp(volume, desired, node);
        });
      } catch (error) {
        const isOurs = error instanceof MountError && error.message.startsWith('MountVolume');
        const detail = messageOf(error);
        problems.push(
          isOurs ? detail : `MountVolume.SetUp failed for volume "${volume.name}" : ${detail}`,
        );
      }
    }
    if (problems.length > 0) throw new MountError(problems.join('; '));
  }

  mounts(desired: DesiredPod, container: Container, facts: MountFacts): Promise<ContainerVolumes> {
    return this.#inTurn(desired.uid, () =>
      containerVolumes(desired, container, { ...facts, ...this.#tools }),
    );
  }

  async envFiles(
    { uid, pod }: DesiredPod,
    container: Container,
  ): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    for (const variable of container.env ?? []) {
      const reference = fileKeyRef(variable);
      if (reference === undefined) continue;
      const { volumeName, path } = reference;
      const volume = (pod.spec.volumes ?? []).find(({ name }) => name === volumeName);
      if (volume === undefined) throw new MountError(`there is no volume ${volumeName}`);
      try {
        const base = this.#paths.volume(uid, volume);
        const content = await readInside(base, path, MAX_ENV_FILE_BYTES);
        files.set(envFileKey(volumeName, path), content);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        const why = error instanceof OutsideError ? error.message : '';
        const code = (error as NodeJS.ErrnoException).code ?? 'it cannot be read';
        const detail = why === '' ? code : why;
        throw new MountError(`couldn't parse env file ${path} of volume ${volumeName}: ${detail}`);
      }
    }
    return files;
  }

  async overruns({ uid, pod }: DesiredPod): Promise<readonly Overrun[]> {
    const found: Overrun[] = [];
    for (const volume of pod.spec.volumes ?? []) {
      const { medium = '', sizeLimit = '0' } = volume.emptyDir ?? {};
      const limit = parseQuantityWhole(sizeLimit);
      if (limit === 0 || medium !== '') continue;
      const usedBytes = await diskUsage(this.#paths.volume(uid, volume));
      if (usedBytes === null || usedBytes <= limit) continue;
      found.push({ volume: volume.name, sizeLimit, usedBytes });
    }
    return found;
  }

  async writeManaged(uid: string, file: ManagedFile, content: string): Promise<void> {
    await mkdir(this.#paths.pod(uid), { recursive: true, mode: POD_MODE });
    await writeFile(this.#paths.managed(uid, file), content, { mode: 0o644 });
  }

  remove(uid: string): Promise<void> {
    return this.#inTurn(uid, async () => {
      const pod = this.#paths.pod(uid);
      this.#written.delete(uid);
      for (const { path } of await this.#hostMounts.below(pod)) {
        const below = path.slice(this.#paths.root.length + 1);
        try {
          await this.#hostMounts.unmount(path, OWN_MOUNT.test(below));
        } catch (error) {
          throw new MountError(`UnmountVolume failed for ${below}: ${messageOf(error)}`);
        }
      }
      // What is still mounted, whoever mounted it, must not be emptied.
      const [left] = await this.#hostMounts.below(pod);
      if (left !== undefined) {
        throw new MountError(
          `UnmountVolume failed: ${left.path} is still mounted; unmount it, its files are left alone`,
        );
      }
      await rm(pod, { recursive: true, force: true });
    });
  }

  async #setUp(volume: Volume, desired: DesiredPod, node: NodeCapacity): Promise<void> {
    const { uid } = desired;
    const digest = await setUpVolume(volume, desired, { ...this.#tools, node });
    if (digest === null) return;
    const digests = this.#written.get(uid) ?? new Map<string, string>();
    this.#written.set(uid, digests.set(volume.name, digest));
  }

  #inTurn<T>(uid: string, call: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(uid) ?? Promise.resolve()).then(call, call);
    this.#turns.set(uid, turn);
    const end = () => {
      if (this.#turns.get(uid) === turn) this.#turns.delete(uid);
    };
    turn.then(end, end);
    return turn;
  }
}

export function openPodVolumes(options: PodVolumesOptions): PodVolumes {
  return new PodVolumesOnDisk(options);
}
