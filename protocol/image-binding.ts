/**
 * Images that a bundle binds to digests: which, how the owned file of a pod says it, and what satisfies it. The reference stays as
 * its author wrote it; what runs under it is one of the digests and nothing else. Pure.
 */
import type { ImageEntry } from './documents/bundle.js';
import { parseImageReference } from './pod-image.js';
import { allContainers, type Pod } from './pod.js';

/** Of an owned file: JSON, by image the digests that its bundle binds it to. */
export const IMAGE_DIGESTS_ANNOTATION = 'flotilla.dev/image-digests';

/** By image as the manifests name it: manifest digests and image ids, what is pulled first. Never an empty list. */
export type ImageBindings = ReadonlyMap<string, readonly string[]>;

export const NO_BINDINGS: ImageBindings = new Map();

/** What an engine knows of an image that it has. */
export interface KnownImage {
  readonly id: string;
  /** `name@sha256:…`. */
  readonly repoDigests: readonly string[];
}

function digestOf(image: string): string | null {
  return parseImageReference(image)?.digest ?? null;
}

/** Without the references that name a digest themselves: engines keep to those. */
export function boundImages(images: readonly ImageEntry[]): readonly ImageEntry[] {
  return images.filter(({ image, digests }) => digests.length > 0 && digestOf(image) === null);
}

export function bindingsOf(images: readonly ImageEntry[]): ImageBindings {
  return new Map(boundImages(images).map(({ image, digests }) => [image, digests]));
}

/** An image whose reference names another digest than those that it is bound to: nothing could satisfy both. */
export function contradiction(images: readonly ImageEntry[]): string | null {
  for (const { image, digests } of images) {
    const digest = digestOf(image);
    if (digest === null || digests.length === 0 || digests.includes(digest)) continue;
    return `image ${image} is bound to ${digests.join(', ')}, which its reference contradicts`;
  }
  return null;
}

function imagesOf(pod: Pod): string[] {
  return [...new Set(allContainers(pod).map(({ image = '' }) => image))].sort();
}

/** The annotation for the pod's file; null when none of its images is bound. */
export function bindingText(pod: Pod, bindings: ImageBindings): string | null {
  const own = imagesOf(pod).flatMap(image => {
    const digests = bindings.get(image);
    return digests === undefined ? [] : [[image, digests] as const];
  });
  return own.length === 0 ? null : JSON.stringify(Object.fromEntries(own));
}

function isDigestList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every(one => typeof one === 'string');
}

/** Of the annotation that `bindingText` gave; of anything else, none. Only for files that the agent wrote itself. */
export function bindingsFrom(text: string | undefined): ImageBindings {
  if (text === undefined) return NO_BINDINGS;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NO_BINDINGS;
  }
  const entries = Object.entries(value ?? {}) as [string, unknown][];
  return new Map(
    entries.flatMap(([image, digests]) => {
      return isDigestList(digests) ? [[image, digests] as const] : [];
    }),
  );
}

/** `docker` names an image by its configuration's digest, or by the manifest's it was pulled by: either is good. */
export function satisfies({ id, repoDigests }: KnownImage, digests: readonly string[]): boolean {
  // Podman leaves the algorithm out.
  if (digests.includes(id.replace(/^(?=[0-9a-f]{64}$)/, 'sha256:'))) return true;
  return repoDigests.some(one => digests.includes(one.slice(one.indexOf('@') + 1)));
}

/** What is asked of a registry: the first digest, under the image's name and without its tag. */
export function boundReference(image: string, digest: string): string {
  return `${parseImageReference(image)?.name ?? image}@${digest}`;
}
