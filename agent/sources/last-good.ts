/**
 * The last good content of each manifest file, kept on disk so that a file that is bad now keeps its pods over a
 * restart of the agent.
 *
 * One small JSON file per manifest file under `<data-dir>/last-good/`, replaced as a whole (written, synced,
 * renamed). A record that cannot be read is as good as none. Decides nothing.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../protocol/canonical.js';
import { writePrivate } from './write-private.js';

export interface LastGood {
  /** Files by name, and the directory's identity; only of the given static pod path. */
  load(): Promise<{
    readonly files: ReadonlyMap<string, Uint8Array>;
    readonly identity: string | null;
  }>;
  putIdentity(identity: string): Promise<void>;
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Gone already = done. */
  drop(name: string): Promise<void>;
}

interface LastGoodRecord {
  readonly version: 1;
  readonly path: string;
  readonly name: string;
  readonly text: string;
}

function isRecord(value: unknown): value is LastGoodRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { version, path, name, text } = value as Record<string, unknown>;
  return (
    version === 1 &&
    typeof path === 'string' &&
    typeof name === 'string' &&
    typeof text === 'string'
  );
}

/** The record of the directory itself: no file can have this name. */
const DIRECTORY = '/';

/** `path` is the static pod path: records of another one are not loaded. */
export function openLastGood(dataDir: string, path: string): LastGood {
  const root = join(dataDir, 'last-good');
  const fileOf = (name: string) => join(root, `${sha256Hex(`${path}\n${name}`).slice(0, 32)}.json`);

  async function read(file: string): Promise<LastGoodRecord | null> {
    try {
      const value: unknown = JSON.parse(await readFile(join(root, file), 'utf8'));
      return isRecord(value) && value.path === path ? value : null;
    } catch {
      return null;
    }
  }

  async function write(name: string, text: string): Promise<void> {
    const record: LastGoodRecord = { version: 1, path, name, text };
    await writePrivate(fileOf(name), JSON.stringify(record));
  }

  return {
    async load() {
      const names = await readdir(root).catch(() => []);
      const records = await Promise.all(names.filter(name => name.endsWith('.json')).map(read));
      const kept = records.filter(record => record !== null);
      const files = kept.filter(({ name }) => name !== DIRECTORY);
      return {
        files: new Map(files.map(({ name, text }) => [name, new TextEncoder().encode(text)])),
        identity: kept.find(({ name }) => name === DIRECTORY)?.text ?? null,
      };
    },
    putIdentity: identity => write(DIRECTORY, identity),
    put: (name, bytes) => write(name, new TextDecoder().decode(bytes)),
    async drop(name) {
      await rm(fileOf(name), { force: true });
    },
  };
}
