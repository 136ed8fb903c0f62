/**
 * Whether a directory can be trusted: who may write there, or rename a parent, decides what a program that trusts it reads and writes.
 * A sticky parent (`/tmp`) is no danger. Standard: sshd_config(5) StrictModes. Pure: the caller reads owners and modes.
 */

/** A directory as stat(2) tells it, links followed. */
export interface OwnedPath {
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
}

export interface SharedPath {
  readonly path: string;
  readonly how: string;
  /** What a person types against it. */
  readonly mend: string;
}

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/** `chain`: the directory, then its parents in order. `uid`: of this process, whose own directories are as good as root's. */
export function sharedIn(chain: readonly OwnedPath[], uid: number): SharedPath | null {
  for (const [index, { path, uid: owner, mode }] of chain.entries()) {
    const isShared = (mode & WRITABLE_BY_OTHERS) !== 0 && (index === 0 || (mode & STICKY) === 0);
    if (isShared) return { path, how: 'others may write to it', mend: `chmod go-w ${path}` };
    if (owner !== 0 && owner !== uid) {
      return { path, how: 'it belongs to another user', mend: `chown ${ownerWord(uid)} ${path}` };
    }
  }
  return null;
}

const WRITABLE_BY_ALL = 0o002;

/**
 * The first directory in which anybody at all may replace what somebody else put there. Milder than `sharedIn`: for what is written to a
 * place that may be another user's, such as a backup to somebody's home or stick. `chain`: as above.
 */
export function openToAll(chain: readonly OwnedPath[]): SharedPath | null {
  const found = chain.find(({ mode }) => (mode & WRITABLE_BY_ALL) !== 0 && (mode & STICKY) === 0);
  if (found === undefined) return null;
  const { path } = found;
  return { path, how: 'everybody may write to it', mend: `chmod o-w ${path}` };
}

function ownerWord(uid: number): string {
  return uid === 0 ? 'root' : String(uid);
}
