/**
 * How many bytes a pull would transfer, as the image's registry says: its manifest for this machine, less the layers that the
 * engine has. A registry that does not answer here may answer the engine, which has settings of its own (mirrors, proxies,
 * authorities): then nobody knows, and nothing is held up by it.
 */
import {
  bytesToPull,
  diffIds,
  imagePlace,
  manifestSizes,
  platformManifest,
} from '../../protocol/image-manifest.js';
import type { Log } from '../../protocol/ports.js';
import { Repository, type SendRequest } from '../../protocol/registry-repository.js';
import type { RegistryAuth } from '../../protocol/registry-credentials.js';

const ANSWER_MS = 10_000;

export interface RegistrySizeOptions {
  /** Go's name. */
  readonly arch: string;
  /** Unpacked layers of each image that the engine has. */
  readonly layersHere: () => Promise<readonly (readonly string[])[]>;
  readonly log: Log;
}

function sender(signal: AbortSignal): SendRequest {
  return (url, headers) => {
    const limit = AbortSignal.timeout(ANSWER_MS);
    return fetch(url, { headers, signal: AbortSignal.any([signal, limit]) });
  };
}

/** As `PullLimits.bytesToPull`. */
export function registrySize({ arch, layersHere, log }: RegistrySizeOptions) {
  return async (
    image: string,
    auths: readonly RegistryAuth[],
    signal: AbortSignal,
  ): Promise<number | null> => {
    const place = imagePlace(image);
    if (place === null) return null;
    try {
      const source = new Repository(place.host, place.repository, {
        auths,
        send: sender(signal),
        signal,
      });
      const first = await source.manifest(place.reference);
      const platform = platformManifest(first.text, arch);
      const { text } = platform === null ? first : await source.manifest(platform);
      const sizes = manifestSizes(text);
      if (sizes === null) return null;
      const here = await layersHere();
      return bytesToPull(sizes, diffIds((await source.blob(sizes.config)).text), here);
    } catch (error) {
      signal.throwIfAborted();
      log.info('the registry does not say how large an image is', { image, error });
      return null;
    }
  };
}
