/**
 * Which images go when the disk is full: those that nobody has used for longest, down to the low mark and no further (row 204,
 * `pkg/kubelet/images/image_gc_manager.go`). Off unless a policy is given. Pure.
 */
import type { ImageFilesystem, StoredImage } from '../runtime/images.js';
import { completeImageName, parseImageReference } from '../../protocol/pod-image.js';

export interface ImageGarbagePolicy {
  /** Above this the disk is cleared … */
  readonly highThresholdPercent: number;
  /** … down to this. */
  readonly lowThresholdPercent: number;
  /** An image that was seen first a shorter time ago stays. */
  readonly minimumAgeMs: number;
  /** One that nobody has used for longer goes, full disk or not; 0 = never. */
  readonly maximumAgeMs: number;
}

export const KUBELET_GARBAGE_POLICY: ImageGarbagePolicy = {
  highThresholdPercent: 85,
  lowThresholdPercent: 80,
  minimumAgeMs: 120_000,
  maximumAgeMs: 0,
};

interface Use {
  readonly firstSeenAt: number;
  /** Of an image that was never in use since the agent began: when that first saw it. */
  readonly lastUsedAt: number;
}

/** By image id. Kept in memory alone: after a restart of the agent all count as seen just now. */
export type ImageUses = ReadonlyMap<string, Use>;

export const NO_USES: ImageUses = new Map();

export interface ImagesSeen {
  readonly images: readonly StoredImage[];
  /** Ids: of any container, running or not. */
  readonly inUse: ReadonlySet<string>;
  /** Names or ids of what must stay: the sandbox's image, images of pods that are wanted. */
  readonly pinned: ReadonlySet<string>;
}

/**
 * `docker.io/library/busybox:latest` for `busybox`: engines write names in more than one way, and `web:1@sha256:…` as
 * `web@sha256:…`. What is no reference stays as it is.
 */
export function fullName(image: string): string {
  const reference = parseImageReference(image);
  if (reference === null) return image;
  const { name, tag, digest } = reference;
  return completeImageName(name) + (digest === null ? `:${tag ?? 'latest'}` : `@${digest}`);
}

function isHeld(image: StoredImage, { inUse, pinned }: ImagesSeen): boolean {
  if (inUse.has(image.id) || pinned.has(image.id)) return true;
  const names = new Set(image.names.map(fullName));
  return [...pinned].some(name => names.has(fullName(name)));
}

/** Images that went are forgotten; what is in use or pinned was used just now. */
export function noteUses(uses: ImageUses, seen: ImagesSeen, now: number): ImageUses {
  return new Map(
    seen.images.map(image => {
      const { firstSeenAt, lastUsedAt } = uses.get(image.id) ?? {
        firstSeenAt: now,
        lastUsedAt: now,
      };
      return [image.id, { firstSeenAt, lastUsedAt: isHeld(image, seen) ? now : lastUsedAt }];
    }),
  );
}

export interface GarbageInput {
  readonly seen: ImagesSeen;
  /** With what was noted of `seen`. */
  readonly uses: ImageUses;
  readonly filesystem: ImageFilesystem;
  readonly policy: ImageGarbagePolicy;
  readonly now: number;
}

export interface Garbage {
  /** In this order; `freeBytes` may be reached before its end. */
  readonly forSpace: readonly StoredImage[];
  /** How much must go; 0 while the disk is below the high mark. */
  readonly freeBytes: number;
  /** Go for their age. */
  readonly forAge: readonly StoredImage[];
}

/** Percent of the disk that is taken, as the kubelet rounds it. */
export function usedPercent({ totalBytes, availableBytes }: ImageFilesystem): number {
  return totalBytes === 0 ? 0 : 100 - Math.floor((availableBytes * 100) / totalBytes);
}

export function findGarbage({ seen, uses, filesystem, policy, now }: GarbageInput): Garbage {
  const useOf = ({ id }: StoredImage) => uses.get(id) ?? { firstSeenAt: now, lastUsedAt: now };
  const free = seen.images
    .filter(image => !isHeld(image, seen))
    .filter(image => now - useOf(image).firstSeenAt >= policy.minimumAgeMs)
    .sort((a, b) => {
      const byUse = useOf(a).lastUsedAt - useOf(b).lastUsedAt;
      return byUse === 0 ? a.createdAt.getTime() - b.createdAt.getTime() : byUse;
    });
  const isOld = (image: StoredImage) =>
    policy.maximumAgeMs > 0 && now - useOf(image).lastUsedAt > policy.maximumAgeMs;
  const isFull = usedPercent(filesystem) >= policy.highThresholdPercent;
  const { totalBytes, availableBytes } = filesystem;
  const wanted = Math.ceil((totalBytes * (100 - policy.lowThresholdPercent)) / 100);
  return {
    forSpace: isFull ? free.filter(image => !isOld(image)) : [],
    freeBytes: isFull ? Math.max(0, wanted - availableBytes) : 0,
    forAge: free.filter(isOld),
  };
}
