/**
 * A directory with all above it, as `mkdir -p` makes them. Node's own (`recursive: true`) says `ENOENT` where the disk is full or fails;
 * this says what the disk said.
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** One that is there stays as it is. `mode`: of each that is made, before the umask. */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      await makeDirectory(dirname(path), mode);
      return makeDirectory(path, mode);
    }
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    throw error;
  }
}
