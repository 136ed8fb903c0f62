/**
 * The image that a bundle binds a reference to: found on the engine by whatever name, or pulled by its digest; nothing else ever
 * counts. What the reference's tag means on the engine or at the registry does not matter.
 */
import type { ImagePulls } from './pulls.js';
import { RuntimeError, type ContainerRuntime, type ImageInfo } from '../runtime/runtime.js';
import { boundReference, satisfies } from '../../protocol/image-binding.js';
import type { RegistryAuth } from '../../protocol/registry-credentials.js';

/** Null when the engine has none of them. Throws as `imageStatus`. */
export async function findBoundImage(
  runtime: Pick<ContainerRuntime, 'imageStatus'>,
  image: string,
  digests: readonly string[],
): Promise<ImageInfo | null> {
  const names = [image, ...digests.map(digest => boundReference(image, digest)), ...digests];
  for (const name of names) {
    const found = await runtime.imageStatus(name);
    if (found !== null && satisfies(found, digests)) return found;
  }
  return null;
}

/**
 * By the first digest. Throws as `ImagePulls.pull`, and `ImageDigestMismatch` for an engine that took other content than it was
 * asked for.
 */
export async function pullBoundImage(
  images: Pick<ImagePulls, 'pull'>,
  { image, digests }: { readonly image: string; readonly digests: readonly string[] },
  { auth, signal }: { readonly auth: readonly RegistryAuth[]; readonly signal: AbortSignal },
): Promise<void> {
  const pulled = await images.pull(boundReference(image, digests[0] ?? ''), auth, signal);
  if (satisfies(pulled, digests)) return;
  const message = `image "${image}": the engine pulled ${pulled.id}, not what the bundle binds it to: ${digests.join(', ')}`;
  throw new RuntimeError('ImageDigestMismatch', message);
}
