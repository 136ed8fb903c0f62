/**
 * In which mount namespaces the container engine lives. Asks /proc who listens on its socket: other engines on the node, and the
 * programs of a person who runs one without root in a namespace of her own, say nothing of it. Standard: proc(5), mount_namespaces(7).
 */
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';

export interface Listener {
  readonly inode: string;
  readonly path: string;
}

/** `__SO_ACCEPTCON`: the socket listens. */
const LISTENS = '00010000';

/** What listens, of a text as /proc/net/unix has it; names in the abstract namespace are left out. */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap(line => {
    const [, flags, inode, path] =
      /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ [0-9A-F]+ +(\d+) (\/.*)$/.exec(line) ??
      [];
    return flags !== LISTENS || inode === undefined || path === undefined ? [] : [{ inode, path }];
  });
}

const ENGINES: ReadonlySet<string> = new Set(['dockerd', 'containerd', 'podman']);
const INIT = '1';

export const namespaceOf = (pid: string) => readlink(`/proc/${pid}/ns/mnt`).catch(() => '');

const realOf = (path: string) => realpath(path).catch(() => path);

async function processes(): Promise<string[]> {
  return (await readdir('/proc')).filter(name => /^\d+$/.test(name));
}

async function holds(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  for (const file of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}

async function holders(pids: readonly string[], inodes: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  for (const pid of pids) if (await holds(pid, inodes)) found.push(pid);
  return found;
}

async function servers(socketPath: string, engines: readonly string[]): Promise<string[]> {
  const wanted = await realOf(socketPath);
  const text = await readFile('/proc/net/unix', 'utf8').catch(() => '');
  const inodes = new Set<string>();
  for (const { inode, path } of parseListeners(text)) {
    if (basename(path) === basename(wanted) && (await realOf(path)) === wanted) inodes.add(inode);
  }
  if (inodes.size === 0) return [];
  const known = await holders(engines, inodes);
  if (known.length > 0) return known;
  // Under socket activation init holds it as well, and alone until somebody asks.
  const all = await holders(await processes(), inodes);
  const own = all.filter(pid => pid !== INIT);
  return own.length > 0 ? own : all;
}

/** By their names; those of root alone. */
async function named(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await processes()) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (!ENGINES.has(name.trim())) continue;
    const owner = await stat(`/proc/${pid}`).catch(() => null);
    if (owner?.uid === 0) found.push(pid);
  }
  return found;
}

/**
 * Of the engine at that socket (null: at no known one); where nobody is known to serve it those of all engines of root, and where there
 * is none that of init. May be empty: none can be looked at.
 */
export async function engineNamespaces(socketPath: string | null): Promise<string[]> {
  const engines = await named();
  const serving = socketPath === null ? [] : await servers(socketPath, engines);
  const found = [serving, engines, [INIT]].find(pids => pids.length > 0) ?? [];
  const namespaces = await Promise.all(found.map(namespaceOf));
  return namespaces.filter(namespace => namespace !== '');
}
