/** Bundle files on disk: read whole within their limit, replaced in one step. */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CliError } from '../../protocol/cli-error.js';
import { syncDirectory } from '../setup/private-files.js';
import { ARCHIVE_BYTES_MAX, isArchive } from '../signing/archive.js';
import { packBundleFile, readBundleFile, type BundleFile } from '../signing/bundle-file.js';

/** Of `isArchive`. */
const BEGINNING = 32;

/** Whether a path is a regular file that begins as an archive does; its ending does not matter. */
export function isBundlePath(path: string): boolean {
  let descriptor: number;
  try {
    if (!statSync(path).isFile()) return false;
    descriptor = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    const beginning = Buffer.alloc(BEGINNING);
    return isArchive(beginning.subarray(0, readSync(descriptor, beginning)));
  } finally {
    closeSync(descriptor);
  }
}

/** Throws `CliError`; `exit` is for what is in the file, a file that cannot be read is always `refused`. */
export async function readBundlePath(
  path: string,
  exit: 'failed' | 'refused' = 'refused',
): Promise<BundleFile> {
  let bytes: Buffer;
  try {
    if (statSync(path).size > ARCHIVE_BYTES_MAX) {
      throw new CliError(exit, `${path}: larger than ${ARCHIVE_BYTES_MAX} bytes, so no bundle`);
    }
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : (code ?? message);
    throw new CliError('refused', `cannot read ${path}: ${why}`);
  }
  return parseBundle(bytes, path, exit);
}

/** The same for bytes that came another way; `where` names them. */
export async function parseBundle(
  bytes: Buffer,
  where: string,
  exit: 'failed' | 'refused' = 'refused',
): Promise<BundleFile> {
  const file = await readBundleFile(bytes);
  if (file.ok) return file.value;
  if (!isArchive(bytes)) {
    throw new CliError(exit, `${where} is not a bundle file`, 'make one: flotilla bundle build');
  }
  const { code, detail } = file.refusal;
  throw new CliError(exit, `${where} is not a whole bundle: ${detail} (${code})`);
}

/** Readable for all; on disk before it returns. A reader sees the former content or the new one. */
export async function writeBundlePath(path: string, file: BundleFile): Promise<void> {
  const bytes = await packBundleFile(file);
  const draft = `${path}.new`;
  try {
    const descriptor = openSync(draft, 'w', 0o644);
    try {
      fchmodSync(descriptor, 0o644);
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(draft, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError('failed', `cannot write ${path}: ${code ?? message}`);
  }
}
