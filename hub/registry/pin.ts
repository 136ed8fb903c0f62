/**
 * What a registry's answers say about an image: which digests are the image, on whatever platform. Standards: OCI image
 * specification 1.1 (index, manifest), Docker image manifest v2 schema 2. Pure.
 */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { excerpt } from '../../protocol/excerpt.js';
import {
  answerFault,
  INDEX_TYPES,
  isOneOf,
  MANIFEST_TYPES,
  registryHost,
} from '../../protocol/image-manifest.js';
import { completeImageName, parseImageReference } from '../../protocol/pod-image.js';
import { allContainers } from '../../protocol/pod.js';

/** Where an image lies. */
export interface ImageLocation {
  /** `host[:port]`. */
  readonly host: string;
  /** `library/busybox`. */
  readonly repository: string;
  readonly tag: string;
}

/** Null for a reference that names a digest: nothing is to be found out. */
export function locationOf(image: string): ImageLocation | null {
  const reference = parseImageReference(image);
  if (reference === null || reference.digest !== null) return null;
  const name = completeImageName(reference.name);
  const slash = name.indexOf('/');
  return {
    host: registryHost(name.slice(0, slash)),
    repository: name.slice(slash + 1),
    tag: reference.tag ?? 'latest',
  };
}

/** Each once, sorted, those left out whose reference names a digest. */
export function tagsOf(manifests: readonly BundleManifest[]): readonly string[] {
  const images = manifests.filter(isPod).flatMap(pod => allContainers(pod));
  const tagged = images.flatMap(({ image = '' }) => (locationOf(image) === null ? [] : [image]));
  return [...new Set(tagged)].sort();
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Longer than any media type: it is part of a message. */
const TYPE_SHOWN = 128;

type Json = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

export type Answer =
  | {
      readonly is: 'index';
      readonly manifests: readonly string[];
      /** By digest, as far as the index says it: `amd64`. */
      readonly architectures: ReadonlyMap<string, string>;
    }
  /** `bytes`: of its configuration and layers as they are sent; null: it does not say. */
  | { readonly is: 'manifest'; readonly imageId: string; readonly bytes: number | null }
  | { readonly is: 'unknown'; readonly type: string };

/** Attestations and the like, and what no node of a fleet runs, are no platforms. */
function isPlatform(entry: Json): boolean {
  const { os } = objectOf(entry['platform']);
  return os === undefined || os === 'linux';
}

/** `text`: the body; `contentType`: for a document that does not say itself what it is. */
export function readAnswer(text: string, contentType: string): Answer {
  let document: Json;
  const fault = answerFault(text);
  if (fault !== null) return { is: 'unknown', type: fault };
  try {
    document = objectOf(JSON.parse(text));
  } catch {
    return { is: 'unknown', type: excerpt(contentType, TYPE_SHOWN) || 'no media type' };
  }
  const said = document['mediaType'];
  const type = typeof said === 'string' ? said : (contentType.split(';')[0] ?? '').trim();
  if (isOneOf(INDEX_TYPES, type)) {
    const entries = Array.isArray(document['manifests']) ? document['manifests'] : [];
    const manifests = entries.map(objectOf).filter(isPlatform);
    const digests = manifests.map(({ digest }) => String(digest));
    const architectures = manifests.flatMap(({ digest, platform }): [string, string][] => {
      const { architecture } = objectOf(platform);
      return typeof architecture === 'string' ? [[String(digest), architecture]] : [];
    });
    return {
      ...{ is: 'index', manifests: digests.filter(digest => DIGEST.test(digest)) },
      architectures: new Map(architectures),
    };
  }
  const { digest } = objectOf(document['config']);
  if (isOneOf(MANIFEST_TYPES, type) && typeof digest === 'string' && DIGEST.test(digest)) {
    return { is: 'manifest', imageId: digest, bytes: sentBytes(document) };
  }
  return { is: 'unknown', type: excerpt(type, TYPE_SHOWN) || 'no media type' };
}

function sentBytes({ config, layers }: Json): number | null {
  if (!Array.isArray(layers)) return null;
  const sizes = [config, ...(layers as readonly unknown[])].map(one => objectOf(one)['size']);
  const isSize = (size: unknown): size is number => Number.isSafeInteger(size) && Number(size) >= 0;
  return sizes.every(isSize) ? sizes.reduce((all, size) => all + size, 0) : null;
}

export interface PinChange {
  readonly image: string;
  /** Empty: it was not, or is no more, pinned. */
  readonly before: string;
  readonly after: string;
}

/** What an apply changes of the images that a bundle pins, by image. */
export function pinChanges(
  before: readonly ImageEntry[],
  after: readonly ImageEntry[],
): readonly PinChange[] {
  const firstOf = (entries: readonly ImageEntry[]) =>
    new Map(entries.map(({ image, digests }) => [image, digests[0] ?? '']));
  const [old, now] = [firstOf(before), firstOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap(image => {
    const change = { image, before: old.get(image) ?? '', after: now.get(image) ?? '' };
    return change.before === change.after ? [] : [change];
  });
}
