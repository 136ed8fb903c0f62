/**
 * Removes what lies below a pod's directory, after everything that is mounted there; never through a mount (pain P24).
 * Twice is the same as once.
 */
import { rm, unlink } from 'node:fs/promises';
import type { HostMounts } from './host-mounts.js';
import { MountError } from './mount-error.js';

export interface RemovalPlace {
  /** The pod's directory: nothing below it may stay mounted. */
  readonly pod: string;
  /** Of all pods. */
  readonly root: string;
  readonly hostMounts: HostMounts;
}

/** Mounts that the agent itself makes below a pod's directory. */
const OWN_MOUNT = /^[^/]+\/(volumes\/kubernetes\.io~[a-z-]+\/[^/]+|volume-subpaths\/.+)$/;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A file that cannot be removed is taken for a directory, and the error says no more than that it is none. */
async function whyLeft(error: unknown): Promise<string> {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code !== 'ENOTDIR' || path === undefined) return messageOf(error);
  return unlink(path).then(() => 'it is tried again', messageOf);
}

/** Throws `MountError` for what stays mounted or cannot be removed. */
export async function removeUnmounted(
  directories: readonly string[],
  { pod, root, hostMounts }: RemovalPlace,
): Promise<void> {
  for (const { path } of await hostMounts.below(pod)) {
    const below = path.slice(root.length + 1);
    try {
      await hostMounts.unmount(path, OWN_MOUNT.test(below));
    } catch (error) {
      throw new MountError(`UnmountVolume failed for ${below}: ${messageOf(error)}`);
    }
  }
  // What is still mounted, whoever mounted it, must not be emptied.
  const [left] = await hostMounts.below(pod);
  if (left !== undefined) {
    throw new MountError(
      `UnmountVolume failed: ${left.path} is still mounted; unmount it, its files are left alone`,
    );
  }
  try {
    for (const one of directories) await rm(one, { recursive: true, force: true });
  } catch (error) {
    throw new MountError(`the files of the pod cannot be removed: ${await whyLeft(error)}`);
  }
}
