/**
 * Watches what symbolic links lead to, wherever it lies: the final file, and each link on the way, whose swap leads
 * elsewhere (kubelet behaviour row 8 and users' pain P11 done better).
 *
 * Tells only of the names on the way, not of their neighbours. A hop that cannot be watched is left to the next whole
 * look. Decides nothing.
 */
import { watch, type FSWatcher } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Linux gives up here as well (path_resolution(7)). */
const MAX_LINKS = 40;
/** Directories watched beside the static pod directory. */
const MAX_WATCHES = 128;

interface Hop {
  readonly directory: string;
  readonly name: string;
}

/** Every link on the way to `path`, and what it ends at; empty when there is no link. `path` is absolute. */
export async function hopsOf(path: string): Promise<readonly Hop[]> {
  const hops: Hop[] = [];
  let at = '/';
  let rest = path.split('/').filter(part => part !== '');
  while (rest.length > 0 && hops.length <= MAX_LINKS) {
    const [name = '', ...more] = rest;
    rest = more;
    if (name === '.') continue;
    if (name === '..') {
      at = dirname(at);
      continue;
    }
    const target = await readlink(join(at, name)).catch(() => null);
    if (target === null) {
      at = join(at, name);
      continue;
    }
    hops.push({ directory: at, name });
    if (target.startsWith('/')) at = '/';
    rest = [...target.split('/').filter(part => part !== ''), ...more];
  }
  return hops.length === 0 ? [] : [...hops, { directory: dirname(at), name: basename(at) }];
}

export interface LinkWatch {
  /**
   * Paths that may be links; what was watched for others is let go. Twice the same is once. True when something is
   * watched that was not: what changed before nobody has seen.
   */
  follow(paths: readonly string[]): Promise<boolean>;
  close(): void;
}

export function openLinkWatch(onEvent: () => void): LinkWatch {
  const watchers = new Map<string, { watcher: FSWatcher; names: ReadonlySet<string> }>();

  function drop(directory: string): void {
    watchers.get(directory)?.watcher.close();
    watchers.delete(directory);
  }

  /** True when the watch is new. */
  function ensure(directory: string, names: ReadonlySet<string>): boolean {
    const known = watchers.get(directory);
    if (known !== undefined) {
      known.names = names;
      return false;
    }
    if (watchers.size >= MAX_WATCHES) return false;
    try {
      const watcher = watch(directory, (_kind, name) => {
        if (name === null || watchers.get(directory)?.names.has(name) === true) onEvent();
        // The directory itself was moved or removed: the way is walked again.
        if (name === basename(directory)) drop(directory);
      });
      watcher.on('error', () => {
        drop(directory);
        onEvent();
      });
      watchers.set(directory, { watcher, names });
      return true;
    } catch {
      return false;
    }
  }

  return {
    async follow(paths) {
      const wanted = new Map<string, Set<string>>();
      for (const { directory, name } of (await Promise.all(paths.map(hopsOf))).flat()) {
        wanted.set(directory, (wanted.get(directory) ?? new Set()).add(name));
      }
      for (const directory of [...watchers.keys()]) if (!wanted.has(directory)) drop(directory);
      return [...wanted].filter(([directory, names]) => ensure(directory, names)).length > 0;
    },
    close() {
      for (const directory of [...watchers.keys()]) drop(directory);
    },
  };
}
