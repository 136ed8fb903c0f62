/**
 * What the node holds and has room for, for the price of a change: images of the engine and free bytes. Asked when images come or go and
 * every five minutes, by calls that write nothing; what does not answer is left out.
 */
import { statfs } from 'node:fs/promises';
import type { HoldingsReport } from '../../protocol/documents/node.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { ImageStore, StoredImage } from '../runtime/images.js';

const LOOK_EVERY_MS = 300_000;
/** Images come in bursts: layers, tags. */
const GATHER_MS = 500;
/** Limits of the document's schema. */
const IMAGES_MAX = 32;
const NAMES_MAX = 8;
const NAME_CHARACTERS_MAX = 256;
const ID_CHARACTERS_MAX = 128;
const MIB = 1024 * 1024;

export interface HoldingsOptions {
  /** Null: somebody else runs the pods. */
  readonly store: Pick<ImageStore, 'images' | 'imageFilesystem'> | null;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Holdings {
  /** As of the last look; null before the first. */
  now(): HoldingsReport | null;
  /** Images came or went: it is looked soon. */
  changed(): void;
  stop(): Promise<void>;
}

/** The newest first. Pure. */
export function heldImages(
  images: readonly StoredImage[],
): Pick<Required<HoldingsReport>, 'images' | 'isCut'> {
  const newest = images
    .filter(({ id }) => id.length <= ID_CHARACTERS_MAX)
    .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : 1));
  const isSaid = (name: string) => name.length <= NAME_CHARACTERS_MAX && !name.includes('<none>');
  return {
    images: newest.slice(0, IMAGES_MAX).map(({ id, names, sizeBytes }) => {
      return { id, names: names.filter(isSaid).slice(0, NAMES_MAX), size: Math.max(0, sizeBytes) };
    }),
    isCut: newest.length > IMAGES_MAX || newest.length < images.length,
  };
}

/** Each change would be another status. */
function wholeMiB(bytes: number): number {
  return Math.max(0, Math.floor(bytes / MIB) * MIB);
}

async function look({
  store,
  dataDir,
}: Pick<HoldingsOptions, 'store' | 'dataDir'>): Promise<HoldingsReport> {
  const [data, filesystem, images] = await Promise.all([
    statfs(dataDir).catch(() => null),
    store?.imageFilesystem().catch(() => null) ?? null,
    store?.images().catch(() => null) ?? null,
  ]);
  return {
    ...(data === null ? {} : { dataFree: wholeMiB(data.bavail * data.bsize) }),
    ...(filesystem === null ? {} : { imagesFree: wholeMiB(filesystem.availableBytes) }),
    ...(images === null ? { isCut: false } : heldImages(images)),
  };
}

/** Looks at once. */
export function watchHoldings(options: HoldingsOptions): Holdings {
  const { clock, log } = options;
  const ending = new AbortController();
  let found: HoldingsReport | null = null;
  let wake = new AbortController();
  const loop = (async () => {
    while (!ending.signal.aborted) {
      found = await look(options);
      const either = AbortSignal.any([ending.signal, wake.signal]);
      await clock.sleep(LOOK_EVERY_MS, either);
      if (wake.signal.aborted) await clock.sleep(GATHER_MS, ending.signal);
      wake = new AbortController();
    }
  })();
  loop.catch((error: unknown) => log.error('looking at what the node holds failed', { error }));
  return {
    now: () => found,
    changed: () => wake.abort(),
    stop: async () => {
      ending.abort();
      await loop.catch(() => undefined);
    },
  };
}
