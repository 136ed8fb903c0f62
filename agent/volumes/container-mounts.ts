/**
 * What one container sees of its pod's volumes: mounts, parts of volumes, devices, the agent's own files.
 *
 * Kubelet behaviour rows 138 and 139, `makeMounts` of `K/kubelet_pods.go`. A part of a volume is opened without leaving
 * the volume and bound as it was opened; where the agent may not mount, the engine gets the path that was found, and a
 * container of the pod that swaps a directory for a link in that moment could lead it astray.
 */
import { mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isWritten } from './content.js';
import { checkHostPath, isDevice } from './host-path.js';
import { makeInside, openInside, OutsideError, type Opened } from './inside.js';
import { MountError } from './mount-error.js';
import { MANAGED_FILES, type ManagedFile } from './pod-paths.js';
import type { SetUpTools } from './set-up.js';
import type { DesiredPod } from '../pods/desired.js';
import { expandPath } from '../pods/pod-env.js';
import { mountsItself } from '../pods/pod-spec.js';
import type { Device, EngineFeatures, Mount } from '../runtime/runtime.js';
import type { Container, Volume, VolumeMount } from '../../protocol/pod.js';
import { checkDescendingPath } from '../../protocol/pod-volume-paths.js';
import { makeDirectory } from '../make-directory.js';

export interface ContainerVolumes {
  readonly mounts: readonly Mount[];
  /** Device files of the host that it may open. */
  readonly devices: readonly Device[];
}

export interface MountFacts {
  /** The container's environment, for `subPathExpr`. */
  readonly env: ReadonlyMap<string, string>;
  /** Null while the engine has not told. */
  readonly features: EngineFeatures | null;
}

const PROPAGATION = {
  None: 'rprivate',
  HostToContainer: 'rslave',
  Bidirectional: 'rshared',
} as const;

const PERMISSIONS = 0o7777;
const PARENT_MODE = 0o750;

function isRecursive({ recursiveReadOnly = 'Disabled' }: VolumeMount, can: boolean): boolean {
  if (recursiveReadOnly !== 'Enabled') return recursiveReadOnly === 'IfPossible' && can;
  if (can) return true;
  throw new MountError('recursiveReadOnly: Enabled is not on this engine');
}

function subPathOf(
  { subPath = '', subPathExpr = '' }: VolumeMount,
  env: MountFacts['env'],
): string {
  if (subPathExpr === '') return subPath;
  const path = expandPath(subPathExpr, env);
  const [problem] = checkDescendingPath(path, 'subPathExpr');
  if (problem !== undefined) throw new MountError(problem.message);
  return path;
}

interface Part {
  readonly uid: string;
  readonly volume: Volume;
  readonly container: string;
  readonly index: number;
  readonly base: string;
  readonly subPath: string;
}

async function openPart({ base, subPath }: Part): Promise<Opened> {
  try {
    return await openInside(base, subPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // Made now, with the volume's own permissions: the engine would make it with others.
    await makeInside(base, subPath, (await stat(base)).mode & PERMISSIONS);
    return openInside(base, subPath);
  }
}

async function bindPart(part: Part, opened: Opened, tools: SetUpTools): Promise<string> {
  const { paths, hostMounts } = tools;
  const { uid, volume, container, index } = part;
  const target = paths.subPath(uid, { volume: volume.name, container, index });
  const wanted = await opened.handle.stat({ bigint: true });
  for (const mount of await hostMounts.below(target)) {
    const bound = await stat(target, { bigint: true });
    if (bound.dev === wanted.dev && bound.ino === wanted.ino) return target;
    await hostMounts.unmount(mount.path, true);
  }
  await rm(target, { recursive: true, force: true });
  await makeDirectory(dirname(target), PARENT_MODE);
  if (wanted.isDirectory()) await mkdir(target, { mode: PARENT_MODE });
  else await writeFile(target, '', { mode: 0o640 });
  await hostMounts.bindOpened(opened.handle.fd, target);
  return target;
}

/** What the engine is to mount for a part of a volume. Messages name nothing of the node, as the kubelet's do not. */
async function partPath(part: Part, tools: SetUpTools): Promise<string> {
  const { volume, container } = part;
  try {
    const opened = await openPart(part);
    try {
      if ((await tools.mountProblem()) === null) return await bindPart(part, opened, tools);
      return opened.path;
    } finally {
      await opened.handle.close();
    }
  } catch (error) {
    const why = error instanceof OutsideError || error instanceof MountError ? error.message : '';
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new MountError(
      `failed to prepare subPath for volumeMount "${volume.name}" of container "${container}": ` +
        (why !== '' ? why : code),
    );
  }
}

const absolute = (path: string) => (path.startsWith('/') ? path : `/${path}`);

function managedMounts(uid: string, container: Container, { paths }: SetUpTools): Mount[] {
  // As the engine's own of these files, with which they share the place.
  const readOnly = container.securityContext?.readOnlyRootFilesystem ?? false;
  const how = { readOnly, propagation: 'rprivate', recursiveReadOnly: false } as const;
  return (Object.keys(MANAGED_FILES) as ManagedFile[])
    .filter(file => !mountsItself(container, MANAGED_FILES[file]))
    .map(file => ({
      hostPath: paths.managed(uid, file),
      containerPath: MANAGED_FILES[file],
      ...how,
    }));
}

/** Throws `MountError`, and `EnvError` for a `subPathExpr` that names what is not set. */
export async function containerVolumes(
  desired: DesiredPod,
  container: Container,
  { env, features, ...tools }: MountFacts & SetUpTools,
): Promise<ContainerVolumes> {
  const { uid, pod } = desired;
  const mounts: Mount[] = [];
  const devices: Device[] = [];
  let targets: ReadonlyMap<string, string> = new Map();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volume = (pod.spec.volumes ?? []).find(({ name }) => name === mount.name);
    if (volume === undefined) throw new MountError(`there is no volume ${mount.name}`);
    const { hostPath } = volume;
    if (hostPath !== undefined) {
      targets = await tools.hostPathPatience.ask(hostPath.path, async () => {
        const found = await tools.hostPathTargets(desired);
        await checkHostPath(hostPath);
        return found;
      });
    }
    const base =
      hostPath === undefined
        ? tools.paths.volume(uid, volume)
        : (targets.get(hostPath.path) ?? hostPath.path);
    const subPath = subPathOf(mount, env);
    const part = { uid, volume, container: container.name, index, base, subPath };
    const containerPath = absolute(mount.mountPath);
    const readOnly = mount.readOnly === true || isWritten(volume);
    mounts.push({
      hostPath: subPath === '' ? base : await partPath(part, tools),
      containerPath,
      readOnly,
      propagation: PROPAGATION[(mount.mountPropagation ?? 'None') as keyof typeof PROPAGATION],
      recursiveReadOnly: readOnly && isRecursive(mount, features?.recursiveReadOnly ?? false),
    });
    if (hostPath === undefined || !isDevice(hostPath)) continue;
    const permissions = readOnly ? 'r' : 'rw';
    devices.push({ hostPath: await realpath(hostPath.path), containerPath, permissions });
  }
  return { mounts: [...mounts, ...managedMounts(uid, container, tools)], devices };
}
