/**
 * The values of Secrets that a node has in the open: in memory, for its pods; and nowhere else. Reads what is mounted below the data
 * directory too.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PASSWORDS } from './chapters.js';

const FILE = 'password';

/** Null: the agent took it away meanwhile, in whose place another one came. */
function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** What pods find under that name, each value once. */
export function passwordsIn(dataDir: string): string[] {
  const pods = join(dataDir, 'pods');
  const found = filesBelow(pods).filter(path => path.endsWith(`/${FILE}`));
  return [...new Set(found.flatMap(path => ifThere(() => readFileSync(path, 'utf8')) ?? []))];
}

/** Files on the disk itself that hold a value, whole or within: nothing may be mounted there any more. */
export function leakedIn(dataDir: string): string[] {
  return filesBelow(dataDir).filter(path => {
    const bytes = readFileSync(path);
    return PASSWORDS.some(password => bytes.includes(password));
  });
}

function filesBelow(folder: string): string[] {
  return (ifThere(() => readdirSync(folder)) ?? []).flatMap(name => {
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return [];
    return found.isDirectory() ? filesBelow(path) : found.isFile() ? [path] : [];
  });
}
