/**
 * Mounts of a simulated machine: a directory counts as a tmpfs, wherever it is renamed to, and what lies in it goes with the mount
 * or with the machine's power.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HostMounts, MountPoint } from '../../agent/volumes/host-mounts.js';

export class MemoryMounts implements HostMounts {
  /** Directories that are mount points, by inode. */
  readonly #mounted = new Set<number>();

  async probe(): Promise<string | null> {
    return null;
  }

  async mountTmpfs(path: string): Promise<void> {
    this.#mounted.add(statSync(path).ino);
  }

  async bindOpened(): Promise<void> {
    throw new Error('no pod here has anything to bind');
  }

  async below(directory: string): Promise<readonly MountPoint[]> {
    return this.within(directory).map(path => ({ path, type: 'tmpfs', isShared: true }));
  }

  async unmount(path: string): Promise<void> {
    if (this.isMounted(path)) this.#empty(path);
  }

  isMounted(path: string): boolean {
    const ino = statSync(path, { throwIfNoEntry: false })?.ino;
    return ino !== undefined && this.#mounted.has(ino);
  }

  /** The innermost first. */
  within(directory: string): string[] {
    if (this.#mounted.size === 0 || !isDirectory(directory)) return [];
    const below = readdirSync(directory, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .flatMap(({ name }) => this.within(join(directory, name)));
    return this.isMounted(directory) ? [...below, directory] : below;
  }

  /** The power goes. */
  loseAll(directory: string): void {
    for (const path of this.within(directory)) this.#empty(path);
  }

  #empty(path: string): void {
    this.#mounted.delete(statSync(path).ino);
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
