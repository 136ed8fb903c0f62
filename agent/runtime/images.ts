/** The third face of the container runtime port: images of the engine. Types only. */
import type { ImageInfo } from './runtime.js';
import type { RegistryAuth } from '../../protocol/registry-credentials.js';

/** Bytes as the registry sends them. */
export interface PullProgress {
  readonly doneBytes: number;
  /** Of the layers that the engine has spoken of so far. */
  readonly knownBytes: number;
}

export interface PullOptions {
  readonly signal?: AbortSignal;
  /** Tried in order, and then none at all, which is the engine's own way. */
  readonly auth?: readonly RegistryAuth[];
  /** Called as often as the engine says how far it is. */
  readonly onProgress?: (progress: PullProgress) => void;
}

/** An image on the node, for garbage collection. */
export interface StoredImage {
  readonly id: string;
  readonly names: readonly string[];
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

/** The file system on which the engine keeps images and containers. */
export interface ImageFilesystem {
  readonly path: string;
  readonly totalBytes: number;
  readonly availableBytes: number;
}

/** Images that come in a file. */
export interface ImageLoader {
  /** An archive as `docker save` writes it. Throws `ErrImagePull` with the engine's reason. */
  loadImages(archive: AsyncIterable<Uint8Array>): Promise<void>;
}

export interface ImageStore {
  imageStatus(image: string): Promise<ImageInfo | null>;
  /** Throws `ErrImagePull` with the registry's reason, `RegistryUnavailable`, `InvalidImageName`. */
  pullImage(image: string, options?: PullOptions): Promise<ImageInfo>;
  /** All images of the engine, whoever brought them. */
  images(): Promise<readonly StoredImage[]>;
  /** Of each image, the unpacked layers from the lowest (`sha256:…`). */
  layers(): Promise<readonly (readonly string[])[]>;
  /** Ids of images that any container of the engine, ours or not, running or not, was made from. */
  imagesInUse(): Promise<ReadonlySet<string>>;
  /** Gone already = done; throws when it is in use. Never forced. */
  removeImage(id: string): Promise<void>;
  imageFilesystem(): Promise<ImageFilesystem>;
}
