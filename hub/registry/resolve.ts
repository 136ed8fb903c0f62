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
  readonly unresolved: readonly Unresolved[];
}

function understood({ text, contentType }: ManifestAnswer): Exclude<Answer, { is: 'unknown' }> {
  const answer = readAnswer(text, contentType);
  if (answer.is !== 'unknown') return answer;
  throw new RegistryError('BadAnswer', `it is ${answer.type}, not an image of today's form`);
}

/** The digest of what the tag names first, then its platforms' and the image ids. */
async function digestsOf(image: string, options: ResolveOptions): Promise<readonly string[]> {
  const location = locationOf(image);
  if (location === null) return [];
  const { host, repository, tag } = location;
  const { keyring, signal } = options;
  const auths = authsFor(image, [keyring]);
  const source = new Repository(host, repository, { auths, send: registrySender(signal), signal });
  const first = await source.manifest(tag);
  const answer = understood(first);
  if (answer.is === 'manifest') return [first.digest, answer.imageId];
  const platforms = new Set(answer.manifests);
  // Before each of them is asked for.
  withinLimit(1 + platforms.size);
  const ids: string[] = [];
  for (const digest of platforms) {
    const platform = understood(await source.manifest(digest));
    if (platform.is === 'manifest') ids.push(platform.imageId);
  }
  const digests = [...new Set([first.digest, ...platforms, ...ids])];
  withinLimit(digests.length);
  return digests;
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
  const queue = [...images];
  const worker = async () => {
    for (let image = queue.shift(); image !== undefined; image = queue.shift()) {
      try {
        entries.push({ image, digests: [...(await digestsOf(image, options))] });
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        unresolved.push({ image, error });
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  const byImage = (a: { image: string }, b: { image: string }) => (a.image < b.image ? -1 : 1);
  return { entries: entries.sort(byImage), unresolved: unresolved.sort(byImage) };
}
