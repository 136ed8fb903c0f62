/**
 * Gives a volume to the pod's group, as `V/volume_linux.go` does (kubelet behaviour row 137).
 *
 * The group gets what it needs and loses nothing; directories hand the group on. Links are not followed.
 */
import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const READ_WRITE = 0o660;
const READ = 0o440;
const ENTER = 0o110;
const SET_GID = 0o2000;
const ALL_BITS = 0o7777;

export interface Ownership {
  readonly fsGroup: number;
  /** The volume can only be read: the group needs no more. */
  readonly isReadOnly: boolean;
}

async function give(path: string, { fsGroup, isReadOnly }: Ownership): Promise<boolean> {
  const found = await lstat(path);
  await lchown(path, found.uid, fsGroup);
  if (found.isSymbolicLink()) return false;
  const rights = isReadOnly ? READ : READ_WRITE;
  const wanted = found.isDirectory() ? rights | ENTER | SET_GID : rights;
  await chmod(path, (found.mode & ALL_BITS) | wanted);
  return found.isDirectory();
}

/** The directory and all that lies below it. */
export async function giveToGroup(directory: string, ownership: Ownership): Promise<void> {
  if (!(await give(directory, ownership))) return;
  for (const name of await readdir(directory)) {
    await giveToGroup(join(directory, name), ownership);
  }
}
