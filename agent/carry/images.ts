/**
 * Whether an archive of images (`docker save`) may be given to the engine: every image in it is one that an accepted bundle binds,
 * under the very name of the binding. A name that moved to other content would change what unbound pods run. Pure but for the
 * archive's bytes, which are read once.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import { CarriedError } from '../../protocol/carried.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { completeImageName, parseImageReference } from '../../protocol/pod-image.js';
import { TarCutOff, tarEntries, wholeEntry } from '../../protocol/tar-entries.js';

/** Configurations and lists of images are smaller; layers are not looked at: the engine compares them with the configuration. */
const SMALL_BYTES = 1024 * 1024;
const ENTRIES_MAX = 10_000;
/** Where an index of an OCI layout names an image. */
const REF_NAMES = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/** Null when all is well, else why not, for a person. Throws what the reader of the bytes throws. */
export async function whyNotLoad(
  archive: AsyncIterable<Uint8Array>,
  bound: readonly ImageEntry[],
): Promise<string | null> {
  const read = await smallFiles(archive).catch((error: unknown) => {
    if (error instanceof TarCutOff) return 'it is cut off';
    // The disk's own errors have a code; the file that the archive lies in tells of itself.
    if (error instanceof CarriedError || typeof (error as { code?: unknown }).code === 'string') {
      throw error;
    }
    return `it is damaged (${error instanceof Error ? error.message : String(error)}): copy it again`;
  });
  if (typeof read === 'string') return read;
  const listed = jsonOf(read.get('manifest.json')?.text);
  if (!Array.isArray(listed) || listed.length === 0) return 'it has no manifest.json of images';
  const allowed = new Map(bound.map(({ image, digests }) => [fullName(image), digests]));
  for (const one of listed.map(objectOf)) {
    const digest = typeof one['Config'] === 'string' ? read.get(one['Config'])?.digest : undefined;
    const names: unknown[] = Array.isArray(one['RepoTags']) ? one['RepoTags'] : [];
    if (digest === undefined) return 'an image in it has no configuration';
    for (const name of names) {
      const digests = typeof name === 'string' ? allowed.get(fullName(name)) : undefined;
      if (digests === undefined) return `${text(name)} is bound by no bundle of this node`;
      if (!digests.includes(digest))
        return `${text(name)} is bound to other content than ${digest}`;
    }
    const isBound = [...allowed.values()].some(digests => digests.includes(digest));
    if (names.length === 0 && !isBound) return `${digest} is bound by no bundle of this node`;
  }
  return whyNotIndexed(read.get('index.json')?.text, allowed);
}

/** Newer engines read the OCI index beside the list: it must not name anything else. */
function whyNotIndexed(
  index: string | undefined,
  allowed: ReadonlyMap<string, readonly string[]>,
): string | null {
  if (index === undefined) return null;
  const { manifests } = (jsonOf(index) ?? {}) as { manifests?: unknown };
  if (!Array.isArray(manifests) || !manifests.every(isObject)) return 'its index cannot be read';
  for (const { annotations } of manifests) {
    // Go takes null for none.
    if (!isObject(annotations ?? {})) return 'its index cannot be read';
    const full = objectOf(annotations)[REF_NAMES[0] ?? ''];
    if (full !== undefined && !(typeof full === 'string' && allowed.has(fullName(full)))) {
      return `${text(full)} is bound by no bundle of this node`;
    }
  }
  return null;
}

interface SmallFile {
  readonly digest: string;
  readonly text: string;
}

async function smallFiles(
  archive: AsyncIterable<Uint8Array>,
): Promise<ReadonlyMap<string, SmallFile> | string> {
  const files = new Map<string, SmallFile>();
  const seen = new Set<string>();
  for await (const entry of tarEntries(archive)) {
    const name = entry.name.replace(/\/$/, '');
    // What two readers may read differently is not given to a second one.
    if (/(^|\/)\.{0,2}(\/|$)/.test(name)) return `an entry of it is named ${text(name)}`;
    if (seen.has(name)) return `two entries of it are named ${text(name)}`;
    if (seen.add(name).size > ENTRIES_MAX) return 'it has too many entries';
    if (entry.type !== 'file' || entry.size > SMALL_BYTES) continue;
    const bytes = await wholeEntry(entry);
    const digest = `sha256:${sha256Hex(bytes)}`;
    const isList = name === 'manifest.json' || name === 'index.json';
    files.set(name, { digest, text: isList ? bytes.toString('utf8') : '' });
  }
  return files;
}

function jsonOf(json: string | undefined): unknown {
  try {
    return json === undefined ? null : (JSON.parse(json) as unknown);
  } catch {
    return null;
  }
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Anything that is no object has no fields. */
function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

/** Two spellings of one name are one: `nginx` is `docker.io/library/nginx:latest`. */
function fullName(image: string): string {
  const parsed = parseImageReference(image);
  return parsed === null ? image : `${completeImageName(parsed.name)}:${parsed.tag ?? 'latest'}`;
}

/** What a stranger wrote is told short and without control characters. */
function text(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 200) ?? 'nothing';
}
