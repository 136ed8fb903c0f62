/**
 * Keeps in `<data-dir>/evictions.json` which pods were ended because a volume outgrew its limit, so that a new start of the
 * agent begins none of them as if nothing had been (behaviour row 134, pain P22).
 *
 * Written as a whole and renamed, when it changed; not synced: what a power cut takes costs patience and nothing else. A
 * file that cannot be read is as good as none. Decides nothing.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Eviction, Evictions } from './evictions.js';
import type { Log } from '../../protocol/ports.js';

type Entry = Eviction & { readonly uid: string };

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { uid, message, count, endedAt } = value as Record<string, unknown>;
  return (
    typeof uid === 'string' &&
    typeof message === 'string' &&
    typeof count === 'number' &&
    (endedAt === null || typeof endedAt === 'number')
  );
}

function load(file: string): Evictions {
  try {
    const { version, pods } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const entries = version === 1 && Array.isArray(pods) ? pods.filter(isEntry) : [];
    return new Map(entries.map(({ uid, ...eviction }) => [uid, eviction]));
  } catch {
    return new Map();
  }
}

export interface EvictionMemory {
  /** Of the agent's life before this one. */
  readonly before: Evictions;
  /** The same twice is written once. Never throws. */
  save(evictions: Evictions): void;
}

export function openEvictionMemory(dataDir: string, log: Log): EvictionMemory {
  const file = join(dataDir, 'evictions.json');
  const textOf = (evictions: Evictions) => {
    const pods = [...evictions].map(([uid, eviction]): Entry => ({ uid, ...eviction }));
    return JSON.stringify({ version: 1, pods });
  };
  const before = load(file);
  let known = textOf(before);
  return {
    before,
    save(evictions) {
      const text = textOf(evictions);
      if (text === known) return;
      known = text;
      try {
        writeFileSync(`${file}.new`, text, { mode: 0o600 });
        renameSync(`${file}.new`, file);
      } catch (error) {
        log.warn('which pods were evicted cannot be kept', { file, error });
      }
    },
  };
}
