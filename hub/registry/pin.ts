/**
 * What a registry's answers say about an image: which digests are the image, on whatever platform. Standards: OCI image
 * specification 1.1 (index, manifest), Docker image manifest v2 schema 2. Pure.
 */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { excerpt } from '../../protocol/excerpt.js';
import { completeImageName, parseImageReference } from '../../protocol/pod-image.js';
import { allContainers } from '../../protocol/pod.js';

const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const;
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

/** What is asked for, the whole before its parts. */
export const ACCEPTED_TYPES: readonly string[] = [...INDEX_TYPES, ...MANIFEST_TYPES];

/** Where an image lies. */
export interface ImageLocation {
  /** `host[:port]`. */
  readonly host: string;
  /** `library/busybox`. */
  readonly repository: string;
  readonly tag: string;
}

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_HOST = 'registry-1.docker.io';

/** Null for a reference that names a digest: nothing is to be found out. */
export function locationOf(image: string): ImageLocation | null {
  const reference = parseImageReference(image);
  if (reference === null || reference.digest !== null) return null;
  const name = completeImageName(reference.name);
  const slash = name.indexOf('/');
  const registry = name.slice(0, slash);
  return {
    host: registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry,
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

/** Manifests have some hundred values, the largest some thousand; as many take a few megabytes of memory. */
const VALUES_MAX = 50_000;

/** Of JSON, from its punctuation and before it is parsed: what is small in bytes may be large in memory. Never less than there are. */
function valuesIn(text: string): number {
  let values = 1;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString && code === BACKSLASH) at += 1;
    else if (!isInString && OPENING.has(code)) values += 1;
  }
  return values;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `,`, `[` and `{`. */
const OPENING: ReadonlySet<number> = new Set([0x2c, 0x5b, 0x7b]);

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Longer than any media type: it is part of a message. */
const TYPE_SHOWN = 128;

type Json = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

export type Answer =
  | { readonly is: 'index'; readonly manifests: readonly string[] }
  | { readonly is: 'manifest'; readonly imageId: string }
  | { readonly is: 'unknown'; readonly type: string };

/** Attestations and the like, and what no node of a fleet runs, are no platforms. */
function isPlatform(entry: Json): boolean {
  const { os } = objectOf(entry['platform']);
  return os === undefined || os === 'linux';
}

/** `text`: the body; `contentType`: for a document that does not say itself what it is. */
export function readAnswer(text: string, contentType: string): Answer {
  let document: Json;
  if (valuesIn(text) > VALUES_MAX)
    return { is: 'unknown', type: `JSON of more than ${VALUES_MAX} values` };
  try {
    document = objectOf(JSON.parse(text));
  } catch {
    return { is: 'unknown', type: excerpt(contentType, TYPE_SHOWN) || 'no media type' };
  }
  const said = document['mediaType'];
  const type = typeof said === 'string' ? said : (contentType.split(';')[0] ?? '').trim();
  const isOneOf = (types: readonly string[]) => types.includes(type);
  if (isOneOf(INDEX_TYPES)) {
    const entries = Array.isArray(document['manifests']) ? document['manifests'] : [];
    const manifests = entries.map(objectOf).filter(isPlatform);
    const digests = manifests.map(({ digest }) => String(digest));
    return { is: 'index', manifests: digests.filter(digest => DIGEST.test(digest)) };
  }
  const { digest } = objectOf(document['config']);
  if (isOneOf(MANIFEST_TYPES) && typeof digest === 'string' && DIGEST.test(digest)) {
    return { is: 'manifest', imageId: digest };
  }
  return { is: 'unknown', type: excerpt(type, TYPE_SHOWN) || 'no media type' };
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
