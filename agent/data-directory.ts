/**
 * The agent's data directory at its start: there, its own, and what it is taken for. It holds the node's keys, and its files are written
 * as root: whoever may write there could have anything written anywhere (S55, S75).
 */
import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../protocol/ports.js';
import { AgentError } from './api/server.js';
import { diskFault } from './disk-fault.js';
import { makeDirectorySync } from './make-directory.js';
import { sharedPathOrLink, staticPodPathFault } from './safe-directory.js';

export interface DataDirectoryOptions {
  /** Of this process. */
  readonly uid: number;
  /** Where an unsafe one is only told of: a stand-alone agent may run in a person's own folder. Null: refused, for a member has keys to lose. */
  readonly tolerated: Pick<Log, 'warn'> | null;
}

/**
 * Whoever may write into the static pod directory decides what runs on this node, as root if he likes. One that is missing is looked for
 * later, and never written to unless it is safe. False: others may write there. A member then takes nothing from it and puts nothing
 * there; what it accepted before, of which it has copies of its own, runs: a site must not stay dark after a power cut for a permission.
 */
export function checkStaticPodPath(
  path: string,
  { uid, isMember, log }: { uid: number; isMember: boolean; log: Pick<Log, 'warn'> },
): boolean {
  const fault = staticPodPathFault(path, uid);
  if (fault === null) return true;
  const { what, mend } = fault;
  const then = isMember
    ? 'what was accepted before runs, and nothing is taken from it until that is mended'
    : 'and could have anything run as root';
  log.warn(`${what}${isMember ? '; ' : ', '}${then}`, { mend });
  return false;
}

/** Its canonical path; made if it is not there. Throws `AgentError` with what to do. */
export function openDataDirectory(path: string, options: DataDirectoryOptions): string {
  const { uid, tolerated } = options;
  try {
    makeDirectorySync(path, 0o700);
  } catch (error) {
    const why = (error as Error).message;
    // A disk may be mounted, or have room again, at the next start.
    const exit = diskFault(error) === null ? 'refused' : 'failed';
    throw new AgentError(
      `the data directory cannot be made: ${why}; pass another --data-dir`,
      exit,
    );
  }
  const shared = sharedPathOrLink(path, uid);
  if (shared !== null) {
    const what = `the data directory ${path} is not safe: ${shared.path}: ${shared.how}`;
    const { mend } = shared;
    if (tolerated === null) throw new AgentError(`${what}; ${mend}`);
    tolerated.warn(`${what}, and could have files written anywhere as root`, { mend });
  }
  const directory = realpathSync(path);
  const pods = join(directory, 'pods');
  if (lstatSync(pods, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw new AgentError(
      `${pods} is a symbolic link, and mounts below it would lie elsewhere: ` +
        'mount that disk there instead, or move the whole data directory to it',
    );
  }
  return directory;
}
