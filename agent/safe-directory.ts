/**
 * Whether a directory can be trusted: who may write there, or rename a parent, decides what a program that trusts it reads and writes.
 * A sticky parent (`/tmp`) is no danger. Reads only. Standard: sshd_config(5) StrictModes.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** `directory` must be there. `uid`: of this process, whose own directories are as good as root's. */
export function sharedPath(
  directory: string,
  uid: number,
): { readonly path: string; readonly how: string } | null {
  for (let path = realpathSync(directory), first = true; ; path = dirname(path), first = false) {
    const { uid: owner, mode } = statSync(path);
    const isShared = (mode & 0o022) !== 0 && (first || (mode & 0o1000) === 0);
    if (isShared) return { path, how: 'others may write to it' };
    if (owner !== 0 && owner !== uid) return { path, how: 'it belongs to another user' };
    if (path === dirname(path)) return null;
  }
}

/** As above, for a path that may be a link: who may put another link in its place counts too. */
export function sharedPathOrLink(directory: string, uid: number): ReturnType<typeof sharedPath> {
  const found = sharedPath(directory, uid);
  if (found !== null || !lstatSync(directory).isSymbolicLink()) return found;
  return sharedPath(dirname(resolve(directory)), uid);
}
