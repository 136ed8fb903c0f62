/**
 * One inotify watch on the static pod path that follows the path when another directory stands there: Node's watch stays
 * with the old one (kubelet behaviour rows 3, 23). Says that something happened, never what it means.
 */
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** A path that cannot be watched is tried again this soon (row 3). */
export const WATCH_RETRY_MS = 1_000;

/** `name` is of the directory, or the directory's own; null when the watch itself ended. */
export type OnEvent = (kind: string, name: string | null) => void;

export interface Watch {
  /**
   * Makes a new watch unless one on the same directory is alive; true when it did. `file`: the path
   * names a file; null: there is nothing to watch.
   */
  ensure(identity: string | null): boolean;
  isAlive(): boolean;
  close(): void;
}

/** A path that names a file is watched through its directory: a rename over it is seen there. */
export function watchPath(path: string, onEvent: OnEvent): Watch {
  let watcher: FSWatcher | null = null;
  let watched: string | null = null;
  const close = () => {
    watcher?.close();
    watcher = null;
  };
  return {
    isAlive: () => watcher !== null,
    close,
    ensure(identity) {
      if (watcher !== null && watched === identity) return false;
      close();
      if (identity === null) return false;
      try {
        const made = watch(identity === 'file' ? dirname(path) : path, onEvent);
        made.on('error', () => {
          if (watcher === made) close();
          onEvent('rename', null);
        });
        watcher = made;
        watched = identity;
        return true;
      } catch {
        watcher = null;
        return false;
      }
    },
  };
}
