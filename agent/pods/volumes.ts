/**
 * The files of pods on this node: emptyDir volumes, hostPath checks, the hosts file.
 *
 * Everything lies under `<data-dir>/pods/<uid>/` and lives as long as that uid (kubelet behaviour rows 129 to
 * 132, 174). Touches nothing of the host but what a hostPath of type …OrCreate asks for. Decides nothing.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mountsItself } from './pod-spec.js';
import type { Mount } from '../runtime/runtime.js';
import type { Container, HostPathVolumeSource, ValidPod } from '../../protocol/pod.js';

const EMPTY_DIR = 'kubernetes.io~empty-dir';

/** A volume that cannot be mounted now; the same call may succeed later. */
export class MountError extends Error {
  override readonly name = 'MountError';
}

/** By the name of the file; where a container sees it. */
export const MANAGED_FILES = {
  'etc-hosts': '/etc/hosts',
  'resolv.conf': '/etc/resolv.conf',
} as const;

export type ManagedFile = keyof typeof MANAGED_FILES;

export interface PodVolumes {
  /** Uids with a directory on this node. */
  uids(): Promise<ReadonlySet<string>>;
  /** Makes what is missing; twice is the same as once. Throws `MountError`. */
  prepare(uid: string, pod: ValidPod): Promise<void>;
  /** What a container sees of the pod's volumes, with its managed files; after `prepare`. */
  mounts(uid: string, pod: ValidPod, container: Container): Promise<readonly Mount[]>;
  /** Writes one of the agent's own files in place, so that running containers see it. */
  writeManaged(uid: string, file: ManagedFile, content: string): Promise<void>;
  /** Removes all files of the pod. Gone already = done. */
  remove(uid: string): Promise<void>;
}

const PRIVATE = { propagation: 'rprivate', recursiveReadOnly: false } as const;

type FileKind = 'directory' | 'file' | 'socket' | 'character device' | 'block device';

const KINDS: Readonly<Record<string, FileKind>> = {
  Directory: 'directory',
  DirectoryOrCreate: 'directory',
  File: 'file',
  FileOrCreate: 'file',
  Socket: 'socket',
  CharDevice: 'character device',
  BlockDevice: 'block device',
};

async function kindOf(path: string): Promise<FileKind | 'other' | null> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return 'directory';
    if (found.isFile()) return 'file';
    if (found.isSocket()) return 'socket';
    if (found.isCharacterDevice()) return 'character device';
    return found.isBlockDevice() ? 'block device' : 'other';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Row 130: a directory 0755 with its parents; an empty file 0644 whose parent must be there. */
async function createMissing(path: string, type: string): Promise<void> {
  if (type === 'DirectoryOrCreate') {
    await mkdir(path, { recursive: true, mode: 0o755 });
    await chmod(path, 0o755);
    return;
  }
  const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644);
  await file.chmod(0o644);
  await file.close();
}

async function checkHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  const wanted = KINDS[type];
  if (wanted === undefined) return;
  const found = await kindOf(path);
  if (found === null && type.endsWith('OrCreate')) return createMissing(path, type);
  if (found !== wanted) {
    throw new MountError(`hostPath type check failed: ${path} is not a ${wanted}`);
  }
}

export function openPodVolumes(dataDir: string): PodVolumes {
  const root = join(dataDir, 'pods');
  const managedOf = (uid: string, file: ManagedFile) => join(root, uid, file);
  const emptyDirOf = (uid: string, name: string) => join(root, uid, 'volumes', EMPTY_DIR, name);

  /** 0777 whatever the umask; parents stay closed to other users' listing, not to the engine. */
  async function makeEmptyDir(path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    try {
      await mkdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
      throw error;
    }
    await chmod(path, 0o777);
  }

  async function prepareVolume(uid: string, volume: NonNullable<ValidPod['spec']['volumes']>[0]) {
    try {
      if (volume.hostPath !== undefined) await checkHostPath(volume.hostPath);
      else await makeEmptyDir(emptyDirOf(uid, volume.name));
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new MountError(`MountVolume.SetUp failed for volume "${volume.name}" : ${detail}`);
    }
  }

  return {
    async uids() {
      try {
        return new Set(await readdir(root));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
        throw error;
      }
    },
    async prepare(uid, pod) {
      await mkdir(join(root, uid), { recursive: true, mode: 0o750 });
      for (const volume of pod.spec.volumes ?? []) await prepareVolume(uid, volume);
    },
    mounts(uid, pod, container) {
      const sources = new Map(
        (pod.spec.volumes ?? []).map(({ name, hostPath }): [string, string] => [
          name,
          hostPath?.path ?? emptyDirOf(uid, name),
        ]),
      );
      const mounts = (container.volumeMounts ?? []).map(({ name, mountPath, readOnly = false }) => {
        const hostPath = sources.get(name);
        if (hostPath === undefined) throw new MountError(`volume ${name} was not prepared`);
        // A path in the container must be absolute for the engine.
        const containerPath = mountPath.startsWith('/') ? mountPath : `/${mountPath}`;
        return { ...PRIVATE, hostPath, containerPath, readOnly };
      });
      // As the engine's own of these files, with which they share the place.
      const readOnly = container.securityContext?.readOnlyRootFilesystem ?? false;
      const managed = (Object.keys(MANAGED_FILES) as ManagedFile[])
        .filter(file => !mountsItself(container, MANAGED_FILES[file]))
        .map(file => ({ hostPath: managedOf(uid, file), containerPath: MANAGED_FILES[file] }));
      return Promise.resolve([
        ...mounts,
        ...managed.map(mount => ({ ...PRIVATE, ...mount, readOnly })),
      ]);
    },
    async writeManaged(uid, file, content) {
      await mkdir(join(root, uid), { recursive: true, mode: 0o750 });
      await writeFile(managedOf(uid, file), content, { mode: 0o644 });
    },
    async remove(uid) {
      await rm(join(root, uid), { recursive: true, force: true });
    },
  };
}
