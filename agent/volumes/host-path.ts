/**
 * What a hostPath volume asks of the node: that something is there, of the right kind (kubelet behaviour rows 129 to
 * 131). Touches nothing of the host but what is missing and may be made.
 */
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MountError } from './mount-error.js';
import type { HostPathVolumeSource } from '../../protocol/pod.js';

type FileKind = 'directory' | 'file' | 'socket file' | 'character device' | 'block device';

const KINDS: Readonly<Record<string, FileKind>> = {
  Directory: 'directory',
  DirectoryOrCreate: 'directory',
  File: 'file',
  FileOrCreate: 'file',
  Socket: 'socket file',
  CharDevice: 'character device',
  BlockDevice: 'block device',
};

async function kindOf(path: string): Promise<FileKind | 'other' | null> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return 'directory';
    if (found.isFile()) return 'file';
    if (found.isSocket()) return 'socket file';
    if (found.isCharacterDevice()) return 'character device';
    return found.isBlockDevice() ? 'block device' : 'other';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() ?? false;
}

/** A directory 0755 with its parents; an empty file 0644 whose parent must be there. */
async function createMissing(path: string, wanted: FileKind): Promise<void> {
  if (wanted === 'directory') {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    // Whatever the umask says.
    for (let made = path; made.startsWith(first); made = dirname(made)) await chmod(made, 0o755);
    return;
  }
  const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644);
  await file.chmod(0o644);
  await file.close();
}

/** Throws `MountError` when it is of another kind. */
export async function checkHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  const wanted = KINDS[type];
  const found = await kindOf(path);
  if (found === null && (await isLink(path))) {
    throw new MountError(`hostPath type check failed: ${path} is a link that leads nowhere`);
  }
  if (found === null && (wanted === undefined || type.endsWith('OrCreate'))) {
    // Row 129: what the engine's bind would do; its Mounts do not.
    return createMissing(path, wanted ?? 'directory');
  }
  if (wanted !== undefined && found !== wanted) {
    throw new MountError(`hostPath type check failed: ${path} is not a ${wanted}`);
  }
}

/** The path with all links followed, as far as there is something; the rest, which is to be made, is taken as it is. */
export async function whereItLeads(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    const place = await whereItLeads(parent);
    const target = await readlink(join(place, basename(path))).catch(() => null);
    return target === null ? join(place, basename(path)) : whereItLeads(resolve(place, target));
  }
}

/** True for a device that is named as one, so that containers may open it. */
export function isDevice({ type }: HostPathVolumeSource): boolean {
  return type === 'CharDevice' || type === 'BlockDevice';
}
