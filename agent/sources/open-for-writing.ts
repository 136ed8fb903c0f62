/**
 * Which files some process holds open for writing, as far as `/proc` shows it (proc(5), `fdinfo`).
 *
 * A best effort: what cannot be looked at counts as not held. Reads `/proc` only.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

const ACCESS_MODE = 0o3;

async function isWriting(process: string, descriptor: string): Promise<boolean> {
  const info = await readFile(join('/proc', process, 'fdinfo', descriptor), 'utf8').catch(() => '');
  const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1];
  return flags !== undefined && (parseInt(flags, 8) & ACCESS_MODE) !== 0;
}

/** Those of `paths` (absolute, without symlinks) that are held. */
export async function openForWriting(paths: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  const processes = await readdir('/proc').catch(() => []);
  for (const process of processes.filter(name => /^\d+$/.test(name))) {
    const descriptors = await readdir(join('/proc', process, 'fd')).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(join('/proc', process, 'fd', descriptor)).catch(() => '');
      if (!paths.has(target) || held.has(target)) continue;
      if (await isWriting(process, descriptor)) held.add(target);
    }
  }
  return held;
}
