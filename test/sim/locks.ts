/**
 * Files with which pods of a simulated device ask not to be disturbed (`flotilla.dev/update-lock`), as the programs in their containers
 * touch and remove them.
 */
import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PodPaths } from '../../agent/volumes/pod-paths.js';
import type { Device } from './device.js';
import { LOCK_FILE, LOCK_PATH, LOCK_VOLUME } from './content.js';

/** The agent has seen by then that it is there. */
const SEEN_MS = 10_000;
/** An engine that was away is looked at again by then; of pods that nobody can see no lock is known. */
const UNSEEN_MS = 90_000;

interface Lock {
  readonly pod: string;
  readonly containerId: string;
  readonly path: string;
  readonly since: number;
}

export class Locks {
  readonly #device: Device;
  readonly #now: () => number;
  /** By path. */
  readonly #locks = new Map<string, Lock>();

  constructor(device: Device, now: () => number) {
    this.#device = device;
    this.#now = now;
  }

  /** Every pod that runs and may. */
  touch(): void {
    const { engine, dataDir, name } = this.#device;
    const paths = new PodPaths(dataDir);
    for (const { id, state, pod, spec, startedAt } of engine.containers.values()) {
      const isMounted = spec.mounts.some(({ containerPath }) => containerPath === LOCK_PATH);
      if (state !== 'running' || !isMounted) continue;
      const path = join(paths.volume(pod.uid, { name: LOCK_VOLUME, emptyDir: {} }), LOCK_FILE);
      const at = engine.clock.now();
      // Its clock was set back: what it touches is older than itself.
      if (!startedAt || at < startedAt.getTime() || at < 0 || this.#locks.has(path)) continue;
      writeFileSync(path, '');
      utimesSync(path, at / 1000, at / 1000);
      const own = pod.name.slice(0, -name.length - 1);
      this.#locks.set(path, { pod: own, containerId: id, path, since: this.#now() });
    }
  }

  clear(): void {
    for (const path of this.#locks.keys()) rmSync(path, { force: true });
    this.#locks.clear();
  }

  /** Names of pods that are not to be disturbed now, for certain. */
  held(): string[] {
    const { engine } = this.#device;
    if (!engine.up || !this.#device.isCalm(UNSEEN_MS)) return [];
    return [...this.#locks.values()].flatMap(({ pod, containerId, path, since }) => {
      const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
      const isRunning = engine.containers.get(containerId)?.state === 'running';
      return isThere && isRunning && this.#now() - since > SEEN_MS ? [pod] : [];
    });
  }
}
