/**
 * A directory with all above it, as `mkdir -p` makes them. Node's own (`recursive: true`) says `ENOENT` where the disk is full or fails, and
 * never ends where a file system that is there takes no directory (`/proc`); this says what the disk said.
 */
import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** One that is there stays as it is. `mode`: of each that is made, before the umask. */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  const make = async () => {
    try {
      await mkdir(path, { mode });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
    }
  };
  try {
    await make();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await makeDirectory(dirname(path), mode);
    // Once: what is not there now, below one that is, cannot be made.
    await make();
  }
}

/** The same, at once. */
export function makeDirectorySync(path: string, mode = 0o777): void {
  const make = () => {
    try {
      mkdirSync(path, { mode });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
    }
  };
  try {
    make();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    makeDirectorySync(dirname(path), mode);
    make();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
