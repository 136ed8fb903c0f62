/**
 * What a pull may take: at most so many bytes from the registry, and only what the engine's disk can hold. Judged before the
 * first byte where the registry says how large the image is; pure but for those whom it asks.
 */
import type { RegistryAuth } from '../../protocol/registry-credentials.js';
import type { ImageFilesystem } from '../runtime/images.js';
import { RuntimeError } from '../runtime/runtime.js';

/** What must be left on the engine's file system before something is pulled onto it. */
export const RESERVE_BYTES = 64 * 1024 * 1024;
/** What a layer takes while it is unpacked: itself, compressed, and about twice that when it is not. */
export const UNPACKED_FACTOR = 3;

const MIB = 1024 * 1024;

export function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

export interface PullLimits {
  /** Of one pull, as the registry sends them; null: as many as it takes. */
  readonly maxBytes: number | null;
  /** Bytes that have to come, without the layers that are here; null: the registry does not say. Never throws but for the signal. */
  readonly bytesToPull: (
    image: string,
    auth: readonly RegistryAuth[],
    signal: AbortSignal,
  ) => Promise<number | null>;
  readonly filesystem: () => Promise<ImageFilesystem>;
}

export function tooLarge(maxBytes: number, bytes: number | null): RuntimeError {
  const size = bytes === null ? 'more than that' : `${bytes} bytes`;
  const message = `it is ${size} to pull, imagePullMaxBytes allows ${maxBytes}`;
  return new RuntimeError('ImageTooLarge', message);
}

/** Bytes to pull, null when nobody knows. Throws `RuntimeError` `ImageTooLarge`, `DiskPressure`. */
export async function judgePull(
  { maxBytes, bytesToPull, filesystem }: PullLimits,
  of: {
    readonly image: string;
    readonly auth: readonly RegistryAuth[];
    readonly signal: AbortSignal;
  },
): Promise<number | null> {
  const bytes = await bytesToPull(of.image, of.auth, of.signal);
  if (bytes === null) return null;
  if (maxBytes !== null && bytes > maxBytes) throw tooLarge(maxBytes, bytes);
  const { path, availableBytes } = await filesystem();
  const needed = bytes * UNPACKED_FACTOR + RESERVE_BYTES;
  if (bytes > 0 && availableBytes < needed) {
    const message =
      `${path} has ${mib(availableBytes)} left, ${mib(needed)} are needed ` +
      `(${UNPACKED_FACTOR} times the ${mib(bytes)} to pull, and ${mib(RESERVE_BYTES)})`;
    throw new RuntimeError('DiskPressure', message);
  }
  return bytes;
}
