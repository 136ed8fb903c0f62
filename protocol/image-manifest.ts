/**
 * What a registry says of how large an image is: where it lies, which manifest is this machine's, its layers. Standards: OCI
 * image specification 1.1 (index, manifest, configuration), Docker image manifest v2 schema 2. What is not understood is
 * null: the answer is somebody else's. Pure.
 */
import { completeImageName, parseImageReference } from './pod-image.js';

export const INDEX_TYPES: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
export const MANIFEST_TYPES: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** What is asked for, the whole before its parts. */
export const ACCEPTED_TYPES: readonly string[] = [...INDEX_TYPES, ...MANIFEST_TYPES];

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_HOST = 'registry-1.docker.io';

export function isOneOf(types: readonly string[], type: string): boolean {
  return types.includes(type);
}

/** Where the registry of that name is spoken to. */
export function registryHost(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry;
}

export interface ImagePlace {
  /** `host[:port]`. */
  readonly host: string;
  /** `library/busybox`. */
  readonly repository: string;
  /** A digest, else a tag. */
  readonly reference: string;
}

/** Null for what is no reference. */
export function imagePlace(image: string): ImagePlace | null {
  const reference = parseImageReference(image);
  if (reference === null) return null;
  const name = completeImageName(reference.name);
  const slash = name.indexOf('/');
  return {
    host: registryHost(name.slice(0, slash)),
    repository: name.slice(slash + 1),
    reference: reference.digest ?? reference.tag ?? 'latest',
  };
}

type Json = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

/** Manifests have some hundred values, the largest some thousand; as many take a few megabytes of memory. */
const VALUES_MAX = 50_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `,`, `[` and `{`. */
const OPENING: ReadonlySet<number> = new Set([0x2c, 0x5b, 0x7b]);

/**
 * Why an answer is not parsed, or null: what is small in bytes may be large in memory. Counts values by their punctuation, never fewer
 * than there are.
 */
export function answerFault(text: string): string | null {
  let values = 1;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString && code === BACKSLASH) at += 1;
    else if (!isInString && OPENING.has(code)) values += 1;
  }
  return values > VALUES_MAX ? `JSON of more than ${VALUES_MAX} values` : null;
}

function parsed(text: string): Json {
  if (answerFault(text) !== null) return {};
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return {};
  }
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

function sizeOf({ size }: Json): number | null {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null;
}

/** The digest of the first manifest of an index that is for Linux on this architecture (Go's name); null: it is no index. */
export function platformManifest(text: string, arch: string): string | null {
  const found = listOf(parsed(text)['manifests']).find(entry => {
    const platform = objectOf(entry['platform']);
    return platform['os'] === 'linux' && platform['architecture'] === arch;
  });
  const digest = found?.['digest'];
  return typeof digest === 'string' && DIGEST.test(digest) ? digest : null;
}

export interface ManifestSizes {
  /** Digest of the configuration. */
  readonly config: string;
  /** Compressed, in bytes, from the lowest layer. */
  readonly layers: readonly number[];
}

export function manifestSizes(text: string): ManifestSizes | null {
  const manifest = parsed(text);
  const { digest } = objectOf(manifest['config']);
  const layers = listOf(manifest['layers']).map(sizeOf);
  const isWhole = Array.isArray(manifest['layers']) && layers.every(size => size !== null);
  if (!isWhole || typeof digest !== 'string' || !DIGEST.test(digest)) return null;
  return { config: digest, layers: layers.map(size => size ?? 0) };
}

/** Of a configuration: what its layers are once they are unpacked, from the lowest. */
export function diffIds(text: string): readonly string[] {
  const ids = objectOf(parsed(text)['rootfs'])['diff_ids'];
  return Array.isArray(ids) ? ids.filter((id): id is string => typeof id === 'string') : [];
}

/**
 * Bytes that a pull has to transfer: an engine that has an image with the same lowest layers takes those from there. `here`:
 * the unpacked layers of each image that it has.
 */
export function bytesToPull(
  { layers }: ManifestSizes,
  ids: readonly string[],
  here: readonly (readonly string[])[],
): number {
  const shared = (other: readonly string[]) => {
    const first = ids.findIndex((id, i) => other[i] !== id);
    return first === -1 ? ids.length : first;
  };
  const known = ids.length === layers.length ? Math.max(0, ...here.map(shared)) : 0;
  return layers.slice(known).reduce((sum, size) => sum + size, 0);
}
