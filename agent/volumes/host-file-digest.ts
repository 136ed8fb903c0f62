/**
 * One digest over a file or a folder of the host: names, kinds, contents, where links lead. Nothing but regular files is
 * opened. What is missing and what is empty are the same, so that a file or folder made for a mount is no change.
 *
 * A file above 1 MiB counts by its size and time. Throws when there are more than 1,000 names or the disk refuses.
 */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';

const CONTENT_BYTES_MAX = 1_048_576n;
const NAMES_MAX = 1_000;

type Line = readonly string[];

export class HostFileDigester {
  /** By path: what was read last, and what the file looked like then. */
  readonly #contents = new Map<string, { readonly seen: string; readonly digest: string }>();

  /** Empty for what is missing or empty. */
  async digest(path: string): Promise<string> {
    const lines: Line[] = [];
    try {
      await this.#add(path, '', { lines, info: await stat(path, { bigint: true }) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const isEmpty = lines.length === 0;
    return isEmpty ? '' : createHash('sha256').update(JSON.stringify(lines)).digest('hex');
  }

  /** Forgets what was read below other paths. */
  keepOnly(paths: readonly string[]): void {
    for (const one of this.#contents.keys()) {
      if (!paths.some(path => one === path || one.startsWith(join(path, '/')))) {
        this.#contents.delete(one);
      }
    }
  }

  async #add(
    path: string,
    name: string,
    { lines, info }: { lines: Line[]; info: BigIntStats },
  ): Promise<void> {
    if (lines.length >= NAMES_MAX) throw new Error(`more than ${NAMES_MAX} names`);
    if (info.isDirectory()) {
      if (name !== '') lines.push([name, 'folder']);
      for (const child of (await readdir(path)).sort()) {
        const below = join(path, child);
        const at = { lines, info: await lstat(below, { bigint: true }) };
        await this.#add(below, join(name, child), at);
      }
    } else if (info.isSymbolicLink()) lines.push([name, 'link', await readlink(path)]);
    else if (!info.isFile()) lines.push([name, 'other']);
    else if (info.size > 0n) lines.push([name, 'file', await this.#content(path, info)]);
    else if (name !== '') lines.push([name, 'file']);
  }

  async #content(path: string, info: BigIntStats): Promise<string> {
    const { dev, ino, size, mtimeNs, ctimeNs } = info;
    if (size > CONTENT_BYTES_MAX) return `${size} ${mtimeNs}`;
    const seen = [dev, ino, size, mtimeNs, ctimeNs].join();
    const known = this.#contents.get(path);
    if (known?.seen === seen) return known.digest;
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    this.#contents.set(path, { seen, digest });
    return digest;
  }
}
