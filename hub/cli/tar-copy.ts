/**
 * Files and folders as a tar stream, and back: for `flotilla cp`. What comes from a container is not trusted: nothing is written
 * outside of the destination, through a link, or as anything but a plain file or folder.
 */
import { constants, createReadStream, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, posix, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack, type Header, type Pack } from 'tar-stream';
import { CliError } from '../../protocol/cli-error.js';

const PERMISSIONS = 0o777;

function failed(what: string, error: unknown): CliError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new CliError('failed', `${what}: ${code ?? message}`);
}

/** What lies at `path`, under `name` in the archive. An error of reading destroys the stream with it. */
export function packTree(path: string, name: string): Readable {
  const archive = pack();
  addTree(archive, path, name)
    .then(() => archive.finalize())
    .catch((error: unknown) => archive.destroy(failed(`cannot read ${path}`, error)));
  return Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false });
}

async function addTree(archive: Pack, path: string, name: string): Promise<void> {
  const stats = await lstat(path);
  if (stats.isDirectory()) {
    await addEntry(archive, header(`${name}/`, stats, 'directory'));
    for (const child of (await readdir(path)).sort()) {
      await addTree(archive, join(path, child), `${name}/${child}`);
    }
  } else if (stats.isSymbolicLink()) {
    const linkname = await readlink(path);
    await addEntry(archive, { ...header(name, stats, 'symlink'), linkname });
  } else if (stats.isFile()) {
    const entry = archive.entry({ ...header(name, stats, 'file'), size: stats.size });
    // A file that grows meanwhile is copied as long as it was.
    const end = Math.max(0, stats.size - 1);
    if (stats.size > 0) await pipeline(createReadStream(path, { end }), entry);
    else entry.end(null);
  }
}

function header(name: string, { mode, mtime }: Stats, type: Header['type']) {
  return { name, mode: mode & PERMISSIONS, mtime, type };
}

function addEntry(archive: Pack, entry: Partial<Header> & { name: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(entry, error => (error ? reject(error) : resolve()));
  });
}

/**
 * Writes what an archive has of `source` (a path in the container) to `target`. Gives how many files and folders there
 * were; rejects with what is wrong with the archive or could not be written.
 */
export async function unpackTree(
  archive: Readable,
  { source, target }: { readonly source: string; readonly target: string },
  warn: (line: string) => void,
): Promise<number> {
  const tar = extract();
  const prefix = cleaned(source);
  const feeding = pipeline(archive, tar);
  // Told by the reading below.
  feeding.catch(() => undefined);
  let count = 0;
  for await (const entry of tar) {
    const { name, type } = entry.header;
    const place = placeOf(name, prefix, target);
    if (place === null) {
      throw new CliError('refused', `the container's tar names ${name}: not what was asked`);
    }
    const content = entry as unknown as Readable;
    if (type === 'directory') await makeFolder(place, target);
    else if (type === 'file') await writeFile(content, { place, mode: entry.header.mode, target });
    else warn(`skipped ${name}: a ${type ?? 'special file'}, neither file nor folder`);
    if (type === 'directory' || type === 'file') count++;
    content.resume();
  }
  await feeding;
  return count;
}

function cleaned(path: string): string {
  return posix.normalize(path).replace(/^\/+/, '').replace(/\/+$/, '');
}

/** Null for what is not below the prefix, or climbs out of it. */
function placeOf(name: string, prefix: string, target: string): string | null {
  if (name.split('/').includes('..')) return null;
  const clean = cleaned(name);
  if (clean === prefix) return target;
  if (prefix === '' || prefix === '.') return join(target, clean);
  return clean.startsWith(`${prefix}/`) ? join(target, clean.slice(prefix.length + 1)) : null;
}

/** Every folder from the target down. A link among them is not followed: it may have come with the archive's owner. */
async function makeFolder(place: string, target: string): Promise<void> {
  const steps = relative(target, place).split(sep);
  let folder = target;
  for (const step of ['', ...steps]) {
    folder = join(folder, step);
    const stats = await lstat(folder).catch(() => null);
    if (stats?.isSymbolicLink() && folder !== target) {
      throw new CliError('refused', `${folder} is a link: nothing is written behind it`);
    }
    if (!stats) {
      await mkdir(folder).catch((error: unknown) => {
        throw failed(`cannot make the folder ${folder}`, error);
      });
    }
  }
}

async function writeFile(
  entry: Readable,
  { place, mode, target }: { place: string; mode: number; target: string },
): Promise<void> {
  if (place !== target) await makeFolder(dirname(place), target);
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
  const file = await open(place, flags, mode & PERMISSIONS).catch((error: unknown) => {
    throw failed(`cannot write ${place}`, error);
  });
  try {
    // No pipeline: it would destroy an entry without content, and with it the archive.
    for await (const bytes of entry) await file.appendFile(bytes as Buffer);
  } catch (error) {
    throw failed(`cannot write ${place}`, error);
  } finally {
    await file.close();
  }
}

/** Where a copy goes: into a folder that is there already, under its own name. */
export async function localTarget(path: string, source: string): Promise<string> {
  const stats = await lstat(await realpath(path).catch(() => path)).catch(() => null);
  if (stats?.isDirectory()) return join(path, basename(posix.normalize(source)));
  if (path.endsWith(sep)) throw new CliError('refused', `there is no folder ${path}`);
  return path;
}
