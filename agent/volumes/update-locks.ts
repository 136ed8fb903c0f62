/**
 * Looks for the file with which a pod asks not to be disturbed (protocol/pod-update-lock.ts). Whether it is there, and since when:
 * nothing of it is read, and no link is followed, for a container writes there. Below a hostPath it is not waited for.
 */
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { UpdateLock } from '../../protocol/pod-update-lock.js';
import type { PodReport } from '../ports.js';
import type { HostPathLocks, LockLook } from './host-path-locks.js';
import { PodPaths } from './pod-paths.js';

/** Since when, milliseconds since 1970; null: nothing lies there, or it is of containers that ended; else nobody knows yet. */
export type ReadUpdateLock = (report: PodReport, lock: UpdateLock) => LockLook;

export function openUpdateLocks(
  dataDir: string,
  hostPaths: Pick<HostPathLocks, 'look'>,
): ReadUpdateLock {
  const paths = new PodPaths(dataDir);
  return ({ pod }, lock) => {
    const { volume: name, path, hostPath } = lock;
    const uid = pod.metadata?.uid;
    const began = runningSince(pod, name);
    if (uid === undefined || began === null) return null;
    const steps = path.split('/');
    const at =
      hostPath === undefined
        ? foundAt(paths.volume(uid, { name, emptyDir: {} }), steps)
        : hostPaths.look(hostPath, steps);
    return typeof at === 'number' && at < began ? null : at;
  };
}

/** When the first of the containers that may have made it, and still run, began; null: none runs. */
function runningSince({ spec, status }: PodReport['pod'], volume: string): number | null {
  const writers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].filter(
    ({ volumeMounts = [] }) =>
      volumeMounts.some(mount => mount.name === volume && mount.readOnly !== true),
  );
  const names = new Set(writers.map(({ name }) => name));
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const starts = statuses.flatMap(({ name, state }) =>
    names.has(name) && state?.running ? Date.parse(state.running.startedAt ?? '') || 0 : [],
  );
  // Times of files come from a coarser clock than the engine's.
  return starts.length === 0 ? null : Math.floor(Math.min(...starts) / 1000) * 1000;
}

/** Null: there is nothing, or a link is in the way. */
function foundAt(root: string, steps: readonly string[]): number | null {
  let path = root;
  let found: Stats | undefined;
  for (const step of steps) {
    path = join(path, step);
    try {
      found = lstatSync(path, { throwIfNoEntry: false });
    } catch {
      return null;
    }
    if (found === undefined || found.isSymbolicLink()) return null;
  }
  return found?.mtimeMs ?? null;
}
