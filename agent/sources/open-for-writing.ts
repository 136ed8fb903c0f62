/**
 * Which files some process holds open for writing, as far as `/proc` shows it (proc(5), `fdinfo`).
 *
 * Says when it cannot see all processes: then what is not found held may be. Reads `/proc` only.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

const ACCESS_MODE = 0o3;

export interface Writers {
  /** Those of the paths that are held. */
  readonly held: ReadonlySet<string>;
  /** True when a process of somebody else could not be looked at. */
  readonly isBlind: boolean;
}

async function isWriting(process: string, descriptor: string): Promise<boolean> {
  const info = await readFile(join(process, 'fdinfo', descriptor), 'utf8').catch(() => '');
  const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1];
  return flags !== undefined && (parseInt(flags, 8) & ACCESS_MODE) !== 0;
}

function isDenied(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EACCES' || code === 'EPERM';
}

/** `paths` are absolute, without symlinks. `root` is `/proc`, another one in tests. */
export async function openForWriting(paths: ReadonlySet<string>, root = '/proc'): Promise<Writers> {
  const held = new Set<string>();
  const processes = await readdir(root).catch(() => []);
  let isBlind = processes.length === 0;
  for (const process of processes.filter(name => /^\d+$/.test(name))) {
    const descriptors = await readdir(join(root, process, 'fd')).catch((error: unknown) => {
      isBlind ||= isDenied(error);
      return [];
    });
    for (const descriptor of descriptors) {
      const target = await readlink(join(root, process, 'fd', descriptor)).catch(() => '');
      if (!paths.has(target) || held.has(target)) continue;
      if (await isWriting(join(root, process), descriptor)) held.add(target);
    }
  }
  return { held, isBlind };
}
