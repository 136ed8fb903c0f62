/**
 * Sets up one volume of a pod: directories, memory, files, owners. Each call may be repeated and picks up where a
 * killed one stopped. Kubelet behaviour rows 129 to 137. Decides nothing.
 */
import { chmod, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomically } from './atomic-writer.js';
import { belongsInMemory, filesDigest, holdsSealed, isWritten, volumeFiles } from './content.js';
import { checkHostPath } from './host-path.js';
import type { HostPathPatience } from './host-path-patience.js';
import type { HostMounts } from './host-mounts.js';
import { memoryVolumeSize } from './memory-size.js';
import { MountError } from './mount-error.js';
import { giveToGroup } from './ownership.js';
import type { PodPaths } from './pod-paths.js';
import type { DesiredPod } from '../pods/desired.js';
import type { NodeCapacity } from '../pods/field-values.js';
import type { Volume } from '../../protocol/pod.js';
import type { ConnectedWord } from '../../protocol/pod-connected.js';
import type { Clock } from '../../protocol/ports.js';
import { makeDirectory } from '../make-directory.js';

export type HostPathTargets = (desired: DesiredPod) => Promise<ReadonlyMap<string, string>>;

export interface SetUpTools {
  readonly paths: PodPaths;
  readonly hostMounts: HostMounts;
  readonly clock: Clock;
  /**
   * What stands for each host path of the pod, where the node's owner lists those that are allowed: itself with its links
   * followed. Throws `MountError` when that is not in the list.
   */
  readonly hostPathTargets: HostPathTargets;
  /** One for the whole node. */
  readonly hostPathPatience: HostPathPatience;
  /** What pods are told of the hub. */
  readonly connection: () => ConnectedWord;
  /** Why the agent may not mount; null when it may. */
  readonly mountProblem: () => Promise<string | null>;
}

/** A parent of volumes: closed to other users of the node, not to the engine. */
const PARENT_MODE = 0o750;
const VOLUME_MODE = 0o777;

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function isMounted(path: string, { hostMounts }: SetUpTools): Promise<boolean> {
  return (await hostMounts.below(path)).some(mount => mount.path === path);
}

/** 0777 whatever the umask. */
async function makeOpen(path: string): Promise<void> {
  await makeDirectory(dirname(path), PARENT_MODE);
  await makeDirectory(path);
  await chmod(path, VOLUME_MODE);
}

/** What lay there on the disk goes first: it would be hidden and stay. */
async function makeMemory(path: string, sizeBytes: number, tools: SetUpTools): Promise<void> {
  if (await isMounted(path, tools)) return;
  await rm(path, { recursive: true, force: true });
  await makeOpen(path);
  await tools.hostMounts.mountTmpfs(path, sizeBytes);
}

const groupOf = ({ pod }: DesiredPod) => pod.spec.securityContext?.fsGroup;

/** Set up once only: what the containers did to it since then holds. */
async function setUpEmptyDir(
  volume: Volume,
  desired: DesiredPod,
  { node, ...tools }: SetUpTools & { readonly node: NodeCapacity },
): Promise<void> {
  const { uid, pod } = desired;
  const path = tools.paths.volume(uid, volume);
  const ready = tools.paths.ready(uid, volume.name);
  const inMemory = volume.emptyDir?.medium === 'Memory';
  if (await isThere(ready)) {
    if (inMemory ? await isMounted(path, tools) : await isThere(path)) return;
  }
  if (inMemory) {
    const problem = await tools.mountProblem();
    if (problem !== null) throw new MountError(`emptyDir.medium: not on this engine: ${problem}`);
    await makeMemory(path, memoryVolumeSize(volume.emptyDir ?? {}, pod, node.memoryBytes), tools);
  } else await makeOpen(path);
  const fsGroup = groupOf(desired);
  if (fsGroup !== undefined) await giveToGroup(path, { fsGroup, isReadOnly: false });
  await makeDirectory(dirname(ready), PARENT_MODE);
  await writeFile(ready, '');
}

/** Resolves the digest of what the volume holds now. */
async function setUpWritten(
  volume: Volume,
  desired: DesiredPod,
  { node, ...tools }: SetUpTools & { readonly node: NodeCapacity },
): Promise<string> {
  const { uid, pod, objects } = desired;
  const files = volumeFiles(volume, { pod, objects, node, connection: tools.connection() });
  const path = tools.paths.volume(uid, volume);
  const problem = belongsInMemory(volume) ? await tools.mountProblem() : null;
  if (problem !== null && holdsSealed(volume, desired)) {
    throw new MountError(`a sealed Secret is kept in memory only: ${problem}`);
  }
  const inMemory = belongsInMemory(volume) && problem === null;
  if (inMemory) await makeMemory(path, 0, tools);
  else await makeOpen(path);
  const fsGroup = groupOf(desired);
  const own = async (directory: string) => {
    if (fsGroup !== undefined) await giveToGroup(directory, { fsGroup, isReadOnly: true });
  };
  await writeAtomically(path, files, { now: tools.clock.now(), own });
  await own(path);
  return filesDigest(files);
}

/** Resolves the digest of a written volume, null for others. Throws `MountError` in the kubelet's words. */
export async function setUpVolume(
  volume: Volume,
  desired: DesiredPod,
  tools: SetUpTools & { readonly node: NodeCapacity },
): Promise<string | null> {
  try {
    if (isWritten(volume)) return await setUpWritten(volume, desired, tools);
    if (volume.hostPath !== undefined) {
      const { hostPath } = volume;
      await tools.hostPathPatience.ask(hostPath.path, async () => {
        await tools.hostPathTargets(desired);
        await checkHostPath(hostPath);
      });
    } else await setUpEmptyDir(volume, desired, tools);
    return null;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new MountError(`MountVolume.SetUp failed for volume "${volume.name}" : ${detail}`);
  }
}
