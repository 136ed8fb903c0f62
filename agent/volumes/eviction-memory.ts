/**
 * Keeps in `<data-dir>/evictions.json` which pods were ended because a volume outgrew its limit, so that a new start of the
 * agent begins none of them as if nothing had been (behaviour row 134, pain P22).
 *
 * What a power cut takes costs patience and nothing else. Decides nothing.
 */
import { join } from 'node:path';
import type { Eviction, Evictions } from './evictions.js';
import type { Log } from '../../protocol/ports.js';
import { openFileMemory, type FileMemory } from '../file-memory.js';

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

function evictionsIn(json: unknown): Evictions {
  const { version, pods } = (json ?? {}) as Record<string, unknown>;
  const entries = version === 1 && Array.isArray(pods) ? pods.filter(isEntry) : [];
  return new Map(entries.map(({ uid, ...eviction }) => [uid, eviction]));
}

export type EvictionMemory = FileMemory<Evictions>;

export function openEvictionMemory(dataDir: string, log: Log): EvictionMemory {
  return openFileMemory({
    file: join(dataDir, 'evictions.json'),
    read: evictionsIn,
    write: evictions => ({
      version: 1,
      pods: [...evictions].map(([uid, eviction]): Entry => ({ uid, ...eviction })),
    }),
    what: 'which pods were evicted',
    log,
  });
}
