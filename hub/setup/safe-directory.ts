/**
 * The hub's data directory before anything is read from it or written to it: it holds the keys of the fleet, and whoever may write there,
 * or to a parent, could put others in their place (S55, S75). Reads only.
 */
import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  openToAll,
  sharedIn,
  type OwnedPath,
  type SharedPath,
} from '../../protocol/shared-path.js';
import { SetupError } from './setup-error.js';

/** From the directory, which must be there, up to `/`. */
function chainOf(directory: string): OwnedPath[] {
  const chain: OwnedPath[] = [];
  for (let path = realpathSync(directory); ; path = dirname(path)) {
    const { uid, mode } = statSync(path);
    chain.push({ path, uid, mode });
    if (path === dirname(path)) return chain;
  }
}

/** Who may put another link in the place of one counts too. */
function sharedOf(directory: string, uid: number): SharedPath | null {
  const found = sharedIn(chainOf(directory), uid);
  if (found !== null || !lstatSync(directory).isSymbolicLink()) return found;
  return sharedIn(chainOf(dirname(resolve(directory))), uid);
}

function refuse(dataDir: string, shared: SharedPath | null): void {
  if (shared === null) return;
  throw new SetupError(
    'Unsafe',
    `the data directory ${dataDir} is not safe: ${shared.path}: ${shared.how}, and could put other keys in the place of ` +
      `the hub's; run: ${shared.mend}`,
  );
}

/** Below the directory: whoever changes them has the hub. */
const WITHIN = ['keys', 'pki', 'hub.yaml', 'hub.db'];

function sharedWithin(dataDir: string, uid: number): SharedPath | null {
  for (const name of WITHIN) {
    const path = join(dataDir, name);
    const found = statSync(path, { throwIfNoEntry: false });
    const shared = found && sharedIn([{ path, uid: found.uid, mode: found.mode }], uid);
    if (shared) return shared;
  }
  return null;
}

/** Of a hub that is there; one that is not is for others to say. Throws `SetupError` (`Unsafe`) with what to type. */
export function refuseUnsafeDirectory(dataDir: string, uid = process.getuid?.() ?? 0): void {
  if (!existsSync(dataDir)) return;
  refuse(dataDir, sharedOf(dataDir, uid) ?? sharedWithin(dataDir, uid));
}

/**
 * Of a hub that is to be made, maybe in a directory that is not there yet: it will be made, or set, mode 0700, so that only owners and
 * parents matter. Throws as above.
 */
export function refuseUnsafePlace(dataDir: string, uid = process.getuid?.() ?? 0): void {
  let there = resolve(dataDir);
  while (!existsSync(there)) there = dirname(there);
  const chain = chainOf(there);
  const isItself = there === resolve(dataDir);
  const [first, ...parents] = chain;
  if (first === undefined) return;
  // A parent is judged as a parent: the place of a directory that is not there yet stands before it.
  const own = isItself ? { ...first, mode: 0o700 } : { path: dataDir, uid, mode: 0o700 };
  refuse(dataDir, sharedIn([own, ...(isItself ? parents : chain)], uid));
  if (isItself && lstatSync(there).isSymbolicLink()) {
    refuse(dataDir, sharedIn(chainOf(dirname(there)), uid));
  }
}

/** Of a file that is to be written there, and read again one day as what it was. Throws `SetupError` (`Unsafe`) with what to type. */
export function refuseOpenPlace(folder: string, what: string): void {
  const shared = openToAll(chainOf(folder));
  if (shared === null) return;
  throw new SetupError(
    'Unsafe',
    `${shared.path}: ${shared.how}, and could put another file in the place of ${what}; run: ${shared.mend} (or chmod +t), ` +
      'or choose another directory',
  );
}
