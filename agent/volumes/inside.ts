/**
 * Opens and makes what lies inside a volume without ever leaving it.
 *
 * A container writes the volume while the agent looks at it, so no path is trusted twice: each step is opened from the
 * directory opened before, links are not followed on the way (kubelet behaviour row 138, `V/util/subpath`). Links that
 * stay inside are allowed and are resolved first. Linux only: uses `/proc/self/fd` as `openat`.
 */
import { constants } from 'node:fs';
import { mkdir, open, realpath, type FileHandle } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** The path leads out of the volume, or is no file or directory that can be opened. Names nothing of the node. */
export class OutsideError extends Error {
  override readonly name = 'OutsideError';
}

/** Not among Node's constants; the same on every architecture that Node runs on under Linux. */
const O_PATH = 0o10000000;
const LOOK = O_PATH | constants.O_NOFOLLOW;

export interface Opened {
  /** Of `O_PATH`: it names the file and gives no access. The caller closes it. */
  readonly handle: FileHandle;
  /** Where it was found. */
  readonly path: string;
}

const stepsOf = (path: string) => path.split('/').filter(step => step !== '' && step !== '.');

function stepsInside(root: string, path: string): string[] {
  const between = relative(root, path);
  if (between === '..' || between.startsWith('../') || between.startsWith('/')) {
    throw new OutsideError('it leads out of the volume');
  }
  return stepsOf(between);
}

async function openStep(from: FileHandle, step: string): Promise<FileHandle> {
  const handle = await open(`/proc/self/fd/${from.fd}/${step}`, LOOK);
  if (!(await handle.stat()).isSymbolicLink()) return handle;
  await handle.close();
  throw new OutsideError('a symbolic link took the place of a directory');
}

async function walk(root: string, steps: readonly string[]): Promise<FileHandle> {
  let handle = await open(root, LOOK);
  for (const step of steps) {
    try {
      const next = await openStep(handle, step);
      await handle.close();
      handle = next;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
  return handle;
}

/** Throws `OutsideError`, or ENOENT when there is nothing. */
export async function openInside(volume: string, path: string): Promise<Opened> {
  const root = await realpath(volume);
  const found = await realpath(join(root, path));
  return { handle: await walk(root, stepsInside(root, found)), path: found };
}

/** The content of a file inside the volume; ENOENT and `OutsideError` as `openInside`. */
export async function readInside(volume: string, path: string, maxBytes: number): Promise<string> {
  const { handle } = await openInside(volume, path);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new OutsideError('it is no regular file');
    if (found.size > maxBytes) throw new OutsideError(`it is longer than ${maxBytes} bytes`);
    const file = await open(`/proc/self/fd/${handle.fd}`, constants.O_RDONLY);
    try {
      const bytes = Buffer.alloc(Math.min(found.size, maxBytes));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return bytes.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } finally {
    await handle.close();
  }
}

async function makeStep(from: FileHandle, step: string, mode: number): Promise<FileHandle> {
  const at = `/proc/self/fd/${from.fd}/${step}`;
  try {
    await mkdir(at, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return openStep(from, step);
  }
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const made = await open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  await made.chmod(mode);
  return made;
}

/** Makes the directories of `path` that are missing, each with `mode`. Twice is the same as once. */
export async function makeInside(volume: string, path: string, mode: number): Promise<void> {
  const root = await realpath(volume);
  const steps = stepsOf(path);
  let existing = root;
  while (steps.length > 0) {
    try {
      existing = await realpath(join(existing, steps[0] ?? ''));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      break;
    }
    steps.shift();
    stepsInside(root, existing);
  }
  let handle = await walk(root, stepsInside(root, existing));
  try {
    for (const step of steps) {
      const next = await makeStep(handle, step, mode);
      await handle.close();
      handle = next;
    }
  } finally {
    await handle.close();
  }
}
