/**
 * Whether a directory of this machine can be trusted, by the rule of protocol/shared-path.ts. Reads only.
 */
import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { sharedIn, type OwnedPath, type SharedPath } from '../protocol/shared-path.js';

/** `directory` must be there. `uid`: of this process, whose own directories are as good as root's. */
export function sharedPath(directory: string, uid: number): SharedPath | null {
  const chain: OwnedPath[] = [];
  for (let path = realpathSync(directory); ; path = dirname(path)) {
    const { uid: owner, mode } = statSync(path);
    chain.push({ path, uid: owner, mode });
    if (path === dirname(path)) return sharedIn(chain, uid);
  }
}

/** As above, for a path that may be a link: who may put another link in its place counts too. */
export function sharedPathOrLink(directory: string, uid: number): SharedPath | null {
  const found = sharedPath(directory, uid);
  if (found !== null || !lstatSync(directory).isSymbolicLink()) return found;
  return sharedPath(dirname(resolve(directory)), uid);
}

export interface PathFault {
  readonly what: string;
  /** What to type. */
  readonly mend: string;
}

/**
 * Why nothing may be taken from the static pod path as it is now; null: it is safe, or it is not there. Whoever may write into it
 * decides what runs on this node, as root if he likes.
 */
export function staticPodPathFault(path: string, uid: number): PathFault | null {
  const what = `the static pod directory ${path} is not safe`;
  try {
    const shared = existsSync(path) ? sharedPathOrLink(path, uid) : null;
    if (shared === null) return null;
    return { what: `${what}: ${shared.path}: ${shared.how}`, mend: shared.mend };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Taken away in between: whoever lists it says so.
    return code === 'ENOENT' ? null : { what: `${what}: ${message}`, mend: `ls -ld ${path}` };
  }
}

/** The same of one file: null when nobody but root and this process's user can change what it says. */
export function sharedFile(
  { owner, mode }: { readonly owner: number; readonly mode: number },
  uid: number,
): string | null {
  if (owner !== 0 && owner !== uid) return `it belongs to another user (uid ${owner})`;
  return (mode & 0o022) === 0 ? null : 'others may write to it';
}
