/**
 * A file system of its own for one world, as small as is asked for: no call is refused but by the kernel. The agent's log lies elsewhere,
 * so that it can be read when nothing can be written. Needs the right to mount.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BadDisk } from './disk-trial.js';

const SIZE = 'size=64m';
const PAGE_BYTES = 4096;
/** Below it something is refused, or about to be. */
const SHORT_BYTES = 3 * PAGE_BYTES;

export class SmallDisk implements BadDisk {
  readonly folder: string;
  readonly isCertain = false;
  readonly #filler: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#filler = join(folder, 'filler');
  }

  /** Null: it may not be mounted. */
  static mount(folder: string): SmallDisk | null {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const options = ['-t', 'tmpfs', '-o', `${SIZE},mode=0700`, 'tmpfs', folder];
    if (spawnSync('mount', options).status !== 0) return null;
    const log = `${folder}.log`;
    writeFileSync(log, '');
    symlinkSync(log, join(folder, 'agent.log'));
    return new SmallDisk(folder);
  }

  /** But for so many bytes, in whole pages. */
  fill(room: number): void {
    const file = openSync(this.#filler, 'w');
    let length = 0;
    try {
      for (const size of [64 * 1024, PAGE_BYTES]) {
        try {
          for (;;) length += writeSync(file, Buffer.alloc(size));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
      ftruncateSync(file, length - room);
    } finally {
      closeSync(file);
    }
  }

  failed(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize < SHORT_BYTES ? 1 : 0;
  }

  mend(): void {
    rmSync(this.#filler, { force: true });
  }

  close(): void {
    spawnSync('umount', ['--lazy', this.folder]);
  }
}
