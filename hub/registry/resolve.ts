/**
 * From tags to digests: each image is looked up at its registry, all of its platforms included. All or nothing: whatever cannot be
 * resolved is named, and nothing comes back.
 */
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { IMAGE_DIGESTS_MAX } from '../../protocol/limits.js';
import { authsFor, type Keyring } from '../../protocol/registry-credentials.js';
import { locationOf, readAnswer, type Answer } from './pin.js';
import {
  RegistryError,
  Repository,
  type ManifestAnswer,
} from '../../protocol/registry-repository.js';
import { registrySender } from './registry.js';

/** Registries count requests. */
const SIDE_BY_SIDE = 4;

export interface ResolveOptions {
  readonly keyring: Keyring;
  readonly signal: AbortSignal;
}

export interface Unresolved {
  readonly image: string;
  readonly error: RegistryError;
}

export interface Resolved {
  readonly entries: readonly ImageEntry[];
  /** By image and architecture (empty: any), bytes as its registry sends them, as far as it says so. */
  readonly sizes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly unresolved: readonly Unresolved[];
}

function understood({ text, contentType }: ManifestAnswer): Exclude<Answer, { is: 'unknown' }> {
  const answer = readAnswer(text, contentType);
  if (answer.is !== 'unknown') return answer;
  throw new RegistryError('BadAnswer', `it is ${answer.type}, not an image of today's form`);
}

interface Found {
  /** Of what the tag names first, then its platforms' and the image ids. */
  readonly digests: readonly string[];
  /** By architecture. */
  readonly sizes: ReadonlyMap<string, number>;
}

async function lookUp(image: string, options: ResolveOptions): Promise<Found> {
  const sizes = new Map<string, number>();
  const location = locationOf(image);
  if (location === null) return { digests: [], sizes };
  const { host, repository, tag } = location;
  const { keyring, signal } = options;
  const auths = authsFor(image, [keyring]);
  const source = new Repository(host, repository, { auths, send: registrySender(signal), signal });
  const first = await source.manifest(tag);
  const answer = understood(first);
  if (answer.is === 'manifest') {
    if (answer.bytes !== null) sizes.set('', answer.bytes);
    return { digests: [first.digest, answer.imageId], sizes };
  }
  const platforms = new Set(answer.manifests);
  // Before each of them is asked for.
  withinLimit(1 + platforms.size);
  const ids: string[] = [];
  for (const digest of platforms) {
    const platform = understood(await source.manifest(digest));
    if (platform.is !== 'manifest') continue;
    ids.push(platform.imageId);
    const architecture = answer.architectures.get(digest);
    // Of an architecture's variants the largest.
    const known = sizes.get(architecture ?? '') ?? 0;
    if (architecture !== undefined && platform.bytes !== null) {
      sizes.set(architecture, Math.max(known, platform.bytes));
    }
  }
  const digests = [...new Set([first.digest, ...platforms, ...ids])];
  withinLimit(digests.length);
  return { digests, sizes };
}

function withinLimit(count: number): void {
  if (count <= IMAGE_DIGESTS_MAX) return;
  const message = `${count} digests for its platforms, the limit is ${IMAGE_DIGESTS_MAX}`;
  throw new RegistryError('BadAnswer', message);
}

export async function resolveImages(
  images: readonly string[],
  options: ResolveOptions,
): Promise<Resolved> {
  const entries: ImageEntry[] = [];
  const unresolved: Unresolved[] = [];
  const sizes = new Map<string, ReadonlyMap<string, number>>();
  const queue = [...images];
  const worker = async () => {
    for (let image = queue.shift(); image !== undefined; image = queue.shift()) {
      try {
        const found = await lookUp(image, options);
        entries.push({ image, digests: [...found.digests] });
        sizes.set(image, found.sizes);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        unresolved.push({ image, error });
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  const byImage = (a: { image: string }, b: { image: string }) => (a.image < b.image ? -1 : 1);
  return { entries: entries.sort(byImage), sizes, unresolved: unresolved.sort(byImage) };
}
