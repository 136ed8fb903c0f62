/** The loop that lets unused images go when the disk is full; `garbage.ts` decides which. */
import {
  findGarbage,
  noteUses,
  NO_USES,
  usedPercent,
  type ImageGarbagePolicy,
  type ImagesSeen,
  type ImageUses,
} from './garbage.js';
import type { Journal } from '../journal/journal.js';
import type { PodReport } from '../ports.js';
import type { ImageStore, StoredImage } from '../runtime/images.js';
import { boundReference } from '../../protocol/image-binding.js';
import type { Clock, Log } from '../../protocol/ports.js';

/** As the kubelet's. */
export const COLLECT_EVERY_MS = 300_000;

export interface CollectorOptions {
  readonly store: ImageStore;
  readonly policy: ImageGarbagePolicy;
  /** Names of images that must stay; null while it is not known which: then nothing goes. */
  readonly pinned: () => ReadonlySet<string> | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ImageCollector {
  stop(): Promise<void>;
}

/**
 * What must stay: the images of all pods that are reported, and those named besides: that of the sandboxes, those of bundle
 * revisions that may be gone back to.
 */
export function pinnedImages(
  reports: readonly PodReport[],
  others: readonly string[],
): ReadonlySet<string> {
  const ofPods = reports.flatMap(({ pod: { spec } }) =>
    [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map(({ image = '' }) => image),
  );
  return new Set([...ofPods, ...others].filter(image => image !== ''));
}

/** Of the revisions that bundles are at, come from, or may be gone back to: without a registry, if need be. */
export function bundleImages(journal: Pick<Journal, 'bundles' | 'content'>): readonly string[] {
  const digests = journal
    .bundles()
    .flatMap(({ digest, active, healthy, previous }) => [digest, active, healthy, previous]);
  return [...new Set(digests)]
    .flatMap(
      digest => (digest === null ? null : journal.content.bundleDocument(digest))?.images ?? [],
    )
    .flatMap(({ image, digests }) => {
      return [image, ...digests, ...digests.map(digest => boundReference(image, digest))];
    });
}

class Collector {
  readonly #options: CollectorOptions;
  #uses: ImageUses = NO_USES;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** One look, and what comes of it. */
  async collect(): Promise<void> {
    const { store, policy, pinned, clock, log } = this.#options;
    const names = pinned();
    if (names === null) return;
    const [images, inUse] = await Promise.all([store.images(), store.imagesInUse()]);
    const seen: ImagesSeen = { images, inUse, pinned: names };
    const now = clock.now();
    this.#uses = noteUses(this.#uses, seen, now);
    const filesystem = await store.imageFilesystem();
    const garbage = findGarbage({ seen, uses: this.#uses, filesystem, policy, now });
    for (const image of garbage.forAge) await this.#remove(image, 'not used for too long');
    if (garbage.freeBytes === 0) return;
    let freed = 0;
    for (const image of garbage.forSpace) {
      await this.#remove(image, 'the disk is full');
      // Layers are shared: the disk knows what an image was worth, its size does not.
      freed = (await store.imageFilesystem()).availableBytes - filesystem.availableBytes;
      if (freed >= garbage.freeBytes) return;
    }
    log.warn('images could not free enough of the disk', {
      path: filesystem.path,
      usedPercent: usedPercent(filesystem),
      wantedBytes: garbage.freeBytes,
      freedBytes: freed,
    });
  }

  async #remove(image: StoredImage, reason: string): Promise<void> {
    const { store, log } = this.#options;
    try {
      await store.removeImage(image.id);
      log.info('removed an image', { image: image.names[0] ?? image.id, reason });
    } catch (error) {
      // A container was made from it meanwhile.
      log.warn('an image could not be removed', { image: image.names[0] ?? image.id, error });
    }
  }
}

/** Looks at once and then every five minutes. */
export function startImageCollector(options: CollectorOptions): ImageCollector {
  const { clock, log } = options;
  const ending = new AbortController();
  const collector = new Collector(options);
  const running = (async () => {
    while (!ending.signal.aborted) {
      try {
        await collector.collect();
      } catch (error) {
        log.warn('unused images were not looked for', { error });
      }
      await clock.sleep(COLLECT_EVERY_MS, ending.signal);
    }
  })();
  return {
    stop: async () => {
      ending.abort();
      await running;
    },
  };
}
