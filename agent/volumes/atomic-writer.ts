/**
 * Writes the files of a volume so that a container sees either all old ones or all new ones.
 *
 * The layout of `V/util/atomic_writer.go`: files lie in a dated directory, `..data` is a symlink to it that is replaced
 * by rename, and each name in the volume is a relative symlink through `..data`. What is no longer wanted goes. A
 * writer that was killed at any moment leaves a volume that the next one finds its way in. Twice is the same as once.
 */
import {
  chmod,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { VolumeFiles } from './content.js';
import { wipe } from '../secrets/opened-bytes.js';
import { makeDirectory } from '../make-directory.js';

const DATA = '..data';
const NEW_DATA = '..data_tmp';
/** What the dated directories begin with; no user's file may. */
const RESERVED = '..';

export interface WriteOptions {
  /** Milliseconds since 1970, for the directory's name. */
  readonly now: number;
  /** Called with the finished directory before anyone sees it: owners and further permissions. */
  readonly own?: (directory: string) => Promise<void>;
}

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** True when a writer has finished there. */
export async function holdsFiles(volume: string): Promise<boolean> {
  return (await orNull(readlink(join(volume, DATA)))) !== null;
}

/** Paths of all files below a directory. */
async function pathsBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

async function isSame(directory: string, files: VolumeFiles): Promise<boolean> {
  const there = new Set(await pathsBelow(directory));
  if (there.size !== files.size) return false;
  for (const [path, file] of files) {
    if (!there.has(path)) return false;
    const at = join(directory, path);
    const [found, content] = [await lstat(at), await readFile(at)];
    const { bytes } = file;
    const isEqual = Buffer.compare(content, bytes) === 0;
    wipe(bytes);
    content.fill(0);
    // An fsGroup adds permissions and takes none away.
    if ((found.mode & file.mode) !== file.mode || !isEqual) return false;
  }
  return true;
}

/** `..2026_01_31_08_15_00.` as the kubelet names them. */
function prefixOf(now: number): string {
  return `..${new Date(now).toISOString().slice(0, 19).replace(/[-T:]/g, '_')}.`;
}

async function writeDated(volume: string, files: VolumeFiles, now: number): Promise<string> {
  const dated = await mkdtemp(join(volume, prefixOf(now)));
  await chmod(dated, 0o755);
  for (const [path, file] of files) {
    const at = join(dated, path);
    await makeDirectory(dirname(at), 0o755);
    const { bytes } = file;
    try {
      await writeFile(at, bytes, { mode: 0o600, flag: 'wx' });
    } finally {
      wipe(bytes);
    }
    // Whatever the umask says.
    await chmod(at, file.mode);
  }
  return dated;
}

/** Links that lead to nothing any more, and dated directories that nobody sees. */
async function clearAway(volume: string, files: VolumeFiles, dated: string): Promise<void> {
  const names = new Set([...files.keys()].map(path => path.split('/')[0] ?? ''));
  for (const name of await readdir(volume)) {
    if (names.has(name) || name === DATA || name === basename(dated)) continue;
    await rm(join(volume, name), { recursive: true, force: true });
  }
}

async function linkNames(volume: string, files: VolumeFiles): Promise<void> {
  for (const name of new Set([...files.keys()].map(path => path.split('/')[0] ?? ''))) {
    const at = join(volume, name);
    const target = join(DATA, name);
    const found = await orNull(lstat(at));
    if (found?.isSymbolicLink() === true && (await readlink(at)) === target) continue;
    if (found !== null) await rm(at, { recursive: true });
    await symlink(target, at);
  }
}

/** Resolves true when something was written. `volume` must be there. Throws what the file system says. */
export async function writeAtomically(
  volume: string,
  files: VolumeFiles,
  options: WriteOptions,
): Promise<boolean> {
  const old = await orNull(readlink(join(volume, DATA)));
  const isWhole =
    old !== null && old.startsWith(RESERVED) && (await orNull(isSame(join(volume, old), files)));
  if (old !== null && isWhole === true) {
    await linkNames(volume, files);
    await clearAway(volume, files, old);
    return false;
  }
  const dated = await writeDated(volume, files, options.now);
  try {
    await options.own?.(dated);
    await orNull(unlink(join(volume, NEW_DATA)));
    await symlink(basename(dated), join(volume, NEW_DATA));
    await rename(join(volume, NEW_DATA), join(volume, DATA));
  } catch (error) {
    await rm(dated, { recursive: true, force: true });
    throw error;
  }
  await linkNames(volume, files);
  await clearAway(volume, files, dated);
  return true;
}
