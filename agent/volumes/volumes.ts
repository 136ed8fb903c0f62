/**
 * The files of pods on this node: their volumes, what containers mount of them, and the agent's own files.
 *
 * Everything lies under `<data-dir>/pods/<uid>/` and lives as long as that uid (kubelet behaviour rows 129 to 140, 174).
 * Calls about one pod wait for each other. Nothing of a Secret is ever in a message. Decides nothing.
 */
import { constants } from 'node:fs';
import { open, readdir, rename, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerVolumes, type ContainerVolumes, type MountFacts } from './container-mounts.js';
import { holdsFiles } from './atomic-writer.js';
import { filesDigest, isWritten, volumeFiles } from './content.js';
import { diskUsage } from './disk-usage.js';
import { openHostMounts, type HostMounts } from './host-mounts.js';
import { OutsideError, readInside } from './inside.js';
import { MountError } from './mount-error.js';
import { PodPaths, type ManagedFile } from './pod-paths.js';
import { removeUnmounted } from './removal.js';
import { HostPathPatience } from './host-path-patience.js';
import { reachHostPath } from './host-path-reach.js';
import { isThere, setUpVolume, type HostPathTargets, type SetUpTools } from './set-up.js';
import { usedVolumes } from './used-volumes.js';
import type { DesiredPod } from '../pods/desired.js';
import type { NodeCapacity } from '../pods/field-values.js';
import { envFileKey } from '../pods/pod-env.js';
import { NEVER_CONNECTED, type ConnectedWord } from '../../protocol/pod-connected.js';
import { fileKeyRef, type Container, type Volume } from '../../protocol/pod.js';
import type { Clock } from '../../protocol/ports.js';
import { parseQuantityWhole } from '../../protocol/quantity.js';
import { makeDirectory } from '../make-directory.js';

/** A volume that holds more than its `sizeLimit`. */
export interface Overrun {
  readonly volume: string;
  /** As the manifest gives it. */
  readonly sizeLimit: string;
  readonly usedBytes: number;
}

export interface PodVolumes {
  /** Uids with a directory on this node; what `prepare` set aside has names of its own and is removed like them. */
  uids(): Promise<ReadonlySet<string>>;
  /** Why the agent cannot mount on this node; null when it can. Asked until there is an answer. */
  mountProblem(): Promise<string | null>;
  /** Of the file system that the pods' files are on. */
  capacityBytes(): Promise<number>;
  /**
   * Makes what is missing; twice is the same as once. What a condemned pod left is set aside for a pod that begins, and
   * kept for one that runs, as are its files whose ConfigMap or Secret is gone. Throws `MountError`.
   */
  prepare(desired: DesiredPod, node: NodeCapacity, isNew?: boolean): Promise<void>;
  /** The pod ends for good: no later one of the same uid finds its files (row 132). Survives the agent. */
  condemn(uid: string): Promise<void>;
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
  /** Those of the pods that have volumes set up. */
  withVolumes(uids: Iterable<string>): Promise<ReadonlySet<string>>;
  /** Unmounts and removes the volumes of a pod that has ended; its other files stay. Errors as `remove`. */
  removeVolumes(uid: string): Promise<void>;
  /** Unmounts and removes all files of the pod. Gone already = done. Throws `MountError` for what stays mounted. */
  remove(uid: string): Promise<void>;
}

export interface PodVolumesOptions {
  /** Canonical, and visible to the engine under the same path. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** As `SetUpTools`; absent: the node's owner lists none, and each path is taken as it is. */
  readonly hostPathTargets?: HostPathTargets;
  /** What pods are told of the hub; absent: that there is none. */
  readonly connection?: () => ConnectedWord;
  /** Where the engine listens, whose word on mounts counts; absent: anywhere. */
  readonly engineSocket?: string;
  /** Absent: those of the node. */
  readonly hostMounts?: HostMounts;
}

/** Longer files with variables are refused. */
const MAX_ENV_FILE_BYTES = 1024 * 1024;
const POD_MODE = 0o750;
const MANAGED_MODE = 0o644;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A container that reads it meanwhile finds the same lines or the new ones, never an empty file. */
async function writeInPlace(path: string, content: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW);
  try {
    // Whatever the umask says: processes that are not root read it too.
    await file.chmod(MANAGED_MODE);
    const bytes = Buffer.from(content);
    if (Buffer.compare(await file.readFile(), bytes) === 0) return;
    await file.write(bytes, 0, bytes.length, 0);
    await file.truncate(bytes.length);
  } finally {
    await file.close();
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

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
    const { dataDir, clock, engineSocket = null } = options;
    const { hostMounts = openHostMounts(engineSocket) } = options;
    const { connection = () => NEVER_CONNECTED } = options;
    const { hostPathTargets = () => Promise.resolve(new Map<string, string>()) } = options;
    this.#paths = new PodPaths(dataDir);
    this.#hostMounts = hostMounts;
    const mountProblem = () => this.mountProblem();
    this.#tools = {
      paths: this.#paths,
      hostMounts,
      clock,
      hostPathTargets,
      connection,
      hostPathPatience: new HostPathPatience(clock, reachHostPath),
      mountProblem,
    };
  }

  async uids(): Promise<ReadonlySet<string>> {
    return new Set((await namesIn(this.#paths.root)).filter(name => !name.startsWith('.')));
  }

  mountProblem(): Promise<string | null> {
    this.#problem ??= this.#hostMounts.probe(this.#paths.root).catch((error: unknown) => {
      // A full disk says nothing about mounts: asked again.
      this.#problem = null;
      throw error;
    });
    return this.#problem;
  }

  async capacityBytes(): Promise<number> {
    await makeDirectory(this.#paths.root, POD_MODE);
    const { blocks, bsize } = await statfs(this.#paths.root);
    return blocks * bsize;
  }

  prepare(desired: DesiredPod, node: NodeCapacity, isNew = false): Promise<void> {
    return this.#inTurn(desired.uid, async () => {
      await this.#leaveBehind(desired.uid, isNew);
      await makeDirectory(this.#paths.pod(desired.uid), POD_MODE);
      for (const { volume } of usedVolumes(desired.pod)) {
        try {
          await this.#setUp(volume, desired, node);
        } catch (error) {
          // A container begins again with what it had, as on a kubelet; `refresh` says what is missing.
          const holds = () => holdsFiles(this.#paths.volume(desired.uid, volume));
          if (isNew || !isWritten(volume) || !(await holds())) throw error;
        }
      }
    });
  }

  async condemn(uid: string): Promise<void> {
    // Not in turn: a call that hangs on a lost server must not hold up the pod's end.
    try {
      await writeFile(this.#paths.ending(uid), '');
    } catch (error) {
      // Without a directory there is nothing to be found.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  async refresh(desired: DesiredPod, node: NodeCapacity): Promise<void> {
    const { uid, pod, objects } = desired;
    const problems: string[] = [];
    for (const { volume } of usedVolumes(pod)) {
      if (!isWritten(volume)) continue;
      const written = this.#written.get(uid)?.get(volume.name);
      // Not before it was set up, and not after it was removed.
      const isSetUp = () => isThere(this.#paths.volume(uid, volume));
      try {
        if (written === undefined && !(await isSetUp())) continue;
        const digest = filesDigest(
          volumeFiles(volume, { pod, objects, node, connection: this.#tools.connection() }),
        );
        if (written === digest) continue;
        await this.#inTurn(uid, async () => {
          if (await isSetUp()) await this.#setUp(volume, desired, node);
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
    await makeDirectory(this.#paths.pod(uid), POD_MODE);
    await writeInPlace(this.#paths.managed(uid, file), content);
  }

  async withVolumes(uids: Iterable<string>): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const uid of uids) if (await isThere(this.#paths.volumes(uid))) found.add(uid);
    return found;
  }

  removeVolumes(uid: string): Promise<void> {
    // The volumes last: as long as they are there it is tried again.
    const of = [this.#paths.subPaths(uid), this.#paths.plugins(uid), this.#paths.volumes(uid)];
    return this.#inTurn(uid, () => this.#removeUnmounted(uid, of));
  }

  remove(uid: string): Promise<void> {
    return this.#inTurn(uid, async () => {
      const pod = this.#paths.pod(uid);
      const ending = this.#paths.ending(uid);
      const files = (await namesIn(pod)).map(name => join(pod, name));
      // The mark last: who is killed in between leaves nothing that a later pod takes for its own.
      return this.#removeUnmounted(uid, [...files.filter(file => file !== ending), pod]);
    });
  }

  #removeUnmounted(uid: string, directories: readonly string[]): Promise<void> {
    this.#written.delete(uid);
    const { root } = this.#paths;
    const [pod, hostMounts] = [this.#paths.pod(uid), this.#hostMounts];
    return removeUnmounted(directories, { pod, root, hostMounts });
  }

  /** Renamed with all mounts below it, so that files which cannot be removed hold no pod up. */
  async #leaveBehind(uid: string, isNew: boolean): Promise<void> {
    const ending = this.#paths.ending(uid);
    if (!(await isThere(ending))) return;
    if (!isNew) return unlink(ending);
    this.#written.delete(uid);
    let number = 1;
    while (await isThere(this.#paths.aside(uid, number))) number += 1;
    await rename(this.#paths.pod(uid), this.#paths.aside(uid, number));
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
