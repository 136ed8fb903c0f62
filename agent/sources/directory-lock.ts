/**
 * One agent per static pod directory: two would run every pod twice, and each would write the bundles of its own hub.
 *
 * SQLite's lock on an empty file beside the manifests, which ends with the process, however it ends; so the file stays, and says nothing
 * by being there. Its name begins with a dot: no kubelet and no agent reads it. Nothing is ever written into it.
 */
import Database from 'better-sqlite3';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** No name of an owned file or of one that is being written: those are cleared away. */
const LOCK_NAME = '.flotilla-agent.lock';

export type DirectoryLock =
  | { readonly is: 'locked'; readonly release: () => void }
  /** `pid` is null where the kernel does not tell. */
  | { readonly is: 'held'; readonly pid: number | null }
  /** The directory is missing or cannot be written, or its file system has no locks. */
  | { readonly is: 'unlockable'; readonly detail: string };

/** True for the lock's own file, which is no manifest and no sign of a person. */
export function isLockName(name: string): boolean {
  return name.startsWith('.') && name.endsWith(LOCK_NAME);
}

/** Never waits. `path` is a directory, or one file: then the lock lies beside it. */
export function lockDirectory(path: string): DirectoryLock {
  let connection: Database.Database | null = null;
  try {
    const file = lockFileOf(path);
    closeSync(openSync(file, 'a', 0o600));
    connection = new Database(file, { timeout: 0 });
    const held = connection;
    try {
      // Else a journal's file would lie beside it.
      held.pragma('journal_mode = MEMORY');
      held.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      if (!isBusy(error)) throw error;
      held.close();
      return { is: 'held', pid: holderOf(file) };
    }
    return { is: 'locked', release: () => held.close() };
  } catch (error) {
    connection?.close();
    return { is: 'unlockable', detail: error instanceof Error ? error.message : String(error) };
  }
}

function lockFileOf(path: string): string {
  if (statSync(path).isDirectory()) return join(path, LOCK_NAME);
  return join(dirname(path), `.${basename(path)}${LOCK_NAME}`);
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

/** `1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 1073741824 1073742335` (proc_locks(5)). */
function holderOf(file: string): number | null {
  try {
    const { ino } = statSync(file, { bigint: true });
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, , , , pid, place = ''] = line.split(/\s+/);
      if (place.endsWith(`:${ino}`) && Number(pid) > 0) return Number(pid);
    }
  } catch {
    // Only who it is stays unknown.
  }
  return null;
}
