/**
 * Whether a directory of this machine can be trusted, by the rule of protocol/shared-path.ts. Reads only.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs';
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
export function sharedPathOrLink(directory: string, uid: number): ReturnType<typeof sharedPath> {
  const found = sharedPath(directory, uid);
  if (found !== null || !lstatSync(directory).isSymbolicLink()) return found;
  return sharedPath(dirname(resolve(directory)), uid);
}
