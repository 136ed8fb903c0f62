/**
 * Looks once a minute how much room the node's file systems have, by `statfs` alone: nothing is written, so that a disk that fills is noticed
 * before somebody has to write. What does not answer is asked again, and holds nothing up. `pressure.ts` decides.
 */
import { stat, statfs } from 'node:fs/promises';
import {
  pressureConditions,
  shortages,
  type FileSystemRoom,
  type Place,
  type Shortage,
  type ShortPlace,
} from './pressure.js';
import type { SourceCondition } from '../ports.js';
import type { Clock, Log } from '../../protocol/ports.js';

export const LOOK_EVERY_MS = 60_000;
/** As on a file server that hangs. */
const PATIENCE_MS = 10_000;

/** One file system: `id` tells it from others. */
export interface Measured {
  readonly id: string;
  readonly room: FileSystemRoom;
}

export interface DiskWatchOptions {
  /** Where something of the node lies; asked at each look. */
  readonly places: () => readonly Place[];
  /** Throws what the file system says. Absent: the node's own. */
  readonly measure?: (path: string) => Promise<Measured>;
  readonly clock: Clock;
  readonly log: Log;
  /** The conditions changed. */
  readonly onChange: () => void;
}

export interface DiskWatch {
  conditions(): readonly SourceCondition[];
  stop(): void;
}

async function measureHere(path: string): Promise<Measured> {
  const [{ dev }, found] = await Promise.all([stat(path), statfs(path)]);
  const { blocks, bavail, bsize, files, ffree } = found;
  const [totalBytes, availableBytes] = [blocks * bsize, bavail * bsize];
  const room = { totalBytes, availableBytes, totalInodes: files, freeInodes: ffree };
  return { id: String(dev), room };
}

/** Looks at once. */
export function watchDisks(options: DiskWatchOptions): DiskWatch {
  const { places, measure = measureHere, clock, log, onChange } = options;
  const ending = new AbortController();
  const short = new Map<string, ReadonlySet<Shortage>>();
  /** By path: a question that was not answered in time is not asked again meanwhile. */
  const asking = new Map<string, Promise<Measured | null>>();
  const last = new Map<string, Measured>();
  let conditions: readonly SourceCondition[] = [];

  async function ask(path: string): Promise<Measured | null> {
    const open =
      asking.get(path) ??
      measure(path)
        .catch(() => null)
        .finally(() => asking.delete(path));
    asking.set(path, open);
    const enough = new AbortController();
    const late = clock.sleep(PATIENCE_MS, enough.signal).then(() => null);
    const answer = await Promise.race([open, late]);
    enough.abort();
    return answer;
  }

  async function look(): Promise<void> {
    const found = new Map<string, ShortPlace>();
    for (const place of places()) {
      // One that does not answer is taken for what it was when it did.
      const measured = (await ask(place.path)) ?? last.get(place.path);
      if (measured === undefined) continue;
      last.set(place.path, measured);
      const { id, room } = measured;
      const before = found.get(id);
      found.set(id, {
        places: [...(before?.places ?? []), place],
        room,
        short: before?.short ?? shortages(room, short.get(id) ?? new Set()),
      });
    }
    if (ending.signal.aborted) return;
    for (const [id, one] of found) short.set(id, one.short);
    const next = pressureConditions([...found.values()]);
    const [was, is] = [conditions[0], next[0]];
    conditions = next;
    if (was?.message === is?.message) return;
    if (is !== undefined && was === undefined) log.warn('a disk is nearly full', { ...is });
    if (is === undefined) log.info('there is room on the disks again');
    onChange();
  }

  const loop = (async () => {
    while (!ending.signal.aborted) {
      await look();
      await clock.sleep(LOOK_EVERY_MS, ending.signal);
    }
  })();
  loop.catch((error: unknown) => log.error('looking at the disks failed', { error }));
  return { conditions: () => conditions, stop: () => ending.abort() };
}
