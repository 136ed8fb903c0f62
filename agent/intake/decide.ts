/**
 * Decisions of the intake, as pure functions: whether a bundle may run here,
 * whether a manifest is what the bundle says, what its file holds, what stands in its way. Rules:
 * security.md 1.5, S19, S21, S24, S53.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import {
  isPod,
  keyOfManifest,
  manifestKey,
  validateBundleManifest,
  type BundleManifest,
} from '../../protocol/bundle-manifest.js';
import { canonicalJson, parseCanonical, sha256Hex } from '../../protocol/canonical.js';
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { ManifestEntry } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { FieldError } from '../../protocol/field-error.js';
import { describeHostPort, hostPortsOf, portsClash } from '../../protocol/host-ports.js';
import {
  bindingText,
  IMAGE_DIGESTS_ANNOTATION,
  type ImageBindings,
} from '../../protocol/image-binding.js';
import { MANIFEST_BYTES_MAX } from '../../protocol/limits.js';
import { ownedFileName } from '../../protocol/names.js';
import type { ValidPod } from '../../protocol/pod.js';
import {
  accept,
  refuse,
  type Refusal,
  type RefusalCode,
  type Result,
} from '../../protocol/refusal.js';
import { rootLife, rootLifeCondition } from '../../protocol/root-life.js';
import { compareVersions } from '../../protocol/verify-bundle.js';
import type { OwnedFile } from '../journal/journal.js';
import type { BundleName, SourceCondition } from '../ports.js';

export const BUNDLE_ANNOTATION = 'flotilla.dev/bundle';
export const MANIFEST_ANNOTATION = 'flotilla.dev/manifest';

export function bundleKey(bundle: BundleName): string {
  return `${bundle.namespace}/${bundle.name}`;
}

// -------------------------------------------------------------------------------------------
// the root's own terms

/** Why nothing new is accepted under a root, whoever signed it; what runs runs on (security.md 1.6). */
export function rootRefuses(root: RootDocument, now: number, agentVersion: string): Refusal | null {
  if (rootLife(root, now) === 'over') {
    return refuse('Expired', `assignment: root ${root.version} is past its end`).refusal;
  }
  if (isTooOld(root, agentVersion)) {
    const detail = `the root wants agent ${root.minAgent} or newer, this is ${agentVersion}`;
    return refuse('Unsupported', `assignment: ${detail}`).refusal;
  }
  return null;
}

/** The same as the owner should see it before it comes to that. */
export function rootConditions(
  root: RootDocument,
  now: number,
  agentVersion: string,
): SourceCondition[] {
  const life = rootLifeCondition(root, now);
  const message = `root ${root.version} wants agent ${root.minAgent} or newer, this is ${agentVersion}: nothing new is accepted`;
  return [
    ...(life ? [life] : []),
    ...(isTooOld(root, agentVersion)
      ? [{ type: 'AgentTooOld', status: 'True', reason: 'MinAgent', message } as const]
      : []),
  ];
}

function isTooOld({ minAgent }: RootDocument, agentVersion: string): boolean {
  return minAgent !== null && compareVersions(agentVersion, minAgent) < 0;
}

// -------------------------------------------------------------------------------------------
// bundles

/**
 * What the root says against a revision, at any time: denials and floors hold for what was accepted
 * earlier too.
 */
export function rootAllows(
  bundle: { namespace: string; name: string; revision: number; digest: string },
  root: RootDocument,
): Result<null> {
  const key = bundleKey(bundle);
  if (root.denied.includes(bundle.digest)) {
    return refuse('Denied', `bundle ${key}: revision ${bundle.revision} is denied by the root`);
  }
  if (bundle.revision < (root.floors[key] ?? 0)) {
    return refuse(
      'Rollback',
      `bundle ${key}: revision ${bundle.revision} is below the root's floor`,
    );
  }
  return accept(null);
}

/**
 * Why an assignment is refused that would begin with what the root withdrew. What was accepted before may be listed on: whether
 * it runs on is for the node's owner to say, and leaving it out would end it (S19).
 */
export function withdrawnRefusal(
  { bundles }: Pick<AssignmentDocument, 'bundles'>,
  known: { readonly accepted: AssignmentDocument | null; readonly root: RootDocument },
): Refusal | null {
  const had = new Set(known.accepted?.bundles.map(({ digest }) => digest));
  for (const bundle of bundles) {
    const allowed = rootAllows(bundle, known.root);
    if (!allowed.ok && !had.has(bundle.digest)) return allowed.refusal;
  }
  return null;
}

/** What this node's own memory says against a revision (S21, S24). */
export function memoryAllows(
  bundle: Pick<AssignedBundle, 'namespace' | 'name' | 'revision' | 'digest'>,
  memory: { readonly knownDigest: string | null; readonly rollbackFloor: number },
): Result<null> {
  const key = bundleKey(bundle);
  if (memory.knownDigest !== null && memory.knownDigest !== bundle.digest) {
    const both = `${bundle.digest} after ${memory.knownDigest}`;
    return refuse(
      'Equivocation',
      `bundle ${key}: other content for revision ${bundle.revision}: ${both}`,
    );
  }
  if (bundle.revision < memory.rollbackFloor) {
    const detail = `below ${memory.rollbackFloor}, the floor that a healthy revision set`;
    return refuse('Rollback', `bundle ${key}: revision ${bundle.revision} is ${detail}`);
  }
  return accept(null);
}

/**
 * True when the content is the one that was assigned, so that no other bytes could do better. Wrong
 * bytes and wrong signatures are the messenger's: the right ones may still come.
 */
export function isFinalRefusal(code: string, isAssignedContent: boolean): boolean {
  return isAssignedContent && code !== 'BadSignature';
}

// -----------------------------------------------------------------------------------------
// manifests

/** One manifest of a bundle, ready to lie in the static pod directory. */
export interface StagedManifest {
  readonly owned: OwnedFile;
  /** Null for a ConfigMap. */
  readonly pod: ValidPod | null;
  readonly bytes: Buffer;
}

/**
 * The signed content as a Pod or ConfigMap; refuses what is not that content, not canonical, or no
 * valid manifest of this bundle.
 */
export function stageManifest(
  content: Uint8Array,
  entry: ManifestEntry,
  { bundle, bindings }: { readonly bundle: BundleName; readonly bindings: ImageBindings },
): Result<StagedManifest> {
  const key = manifestKey(entry);
  const what = `bundle ${bundleKey(bundle)}, ${entry.kind === 'Pod' ? `pod ${key}` : key}`;
  if (content.byteLength !== entry.size || sha256Hex(content) !== entry.digest) {
    return refuse('MixMatch', `${what}: not the content that the bundle names`);
  }
  const parsed = parseCanonical(content, { bytesMax: MANIFEST_BYTES_MAX, what });
  if (!parsed.ok) return parsed;
  const { namespace, name } = bundle;
  const valid = validateBundleManifest(parsed.value, namespace);
  if (!valid.ok) {
    const where = valid.errors.slice(0, 5).map(error => `${error.path} (${error.code})`);
    return refuse(codeOf(valid.errors), `${what}: ${where.join(', ')}`);
  }
  if (valid.name !== entry.name || valid.kind !== entry.kind) {
    return refuse('MixMatch', `${what}: the manifest bears another name or kind`);
  }
  const bytes = ownedContent(parsed.value as BundleManifest, {
    ...{ bundle, bindings, digest: entry.digest },
  });
  const owned = {
    file: ownedFileName(bundle, key),
    namespace,
    name,
    pod: key,
    manifest: entry.digest,
    content: sha256Hex(bytes),
  };
  return accept({ owned, pod: valid.kind === 'Pod' ? valid.manifest : null, bytes });
}

function codeOf(errors: readonly FieldError[]): RefusalCode {
  if (errors.every(({ code }) => code === 'NotSupported')) return 'Unsupported';
  return errors.every(({ code }) => code === 'TooMany') ? 'TooLarge' : 'Malformed';
}

/** Where the content of an owned file comes from. */
export interface Origin {
  readonly bundle: BundleName;
  /** Of the manifest. */
  readonly digest: string;
  readonly bindings: ImageBindings;
}

/**
 * The signed manifest with the annotations that say where it comes from and what its images are bound to, canonical JSON. None
 * of them is the author's to set.
 */
export function ownedContent(
  manifest: BundleManifest,
  { bundle, digest, bindings }: Origin,
): Buffer {
  const { metadata } = manifest;
  const { [IMAGE_DIGESTS_ANNOTATION]: _said, ...written } = metadata?.annotations ?? {};
  const bound = isPod(manifest) ? bindingText(manifest, bindings) : null;
  const annotations = {
    ...written,
    [BUNDLE_ANNOTATION]: bundleKey(bundle),
    [MANIFEST_ANNOTATION]: digest,
    ...(bound === null ? {} : { [IMAGE_DIGESTS_ANNOTATION]: bound }),
  };
  return Buffer.from(canonicalJson({ ...manifest, metadata: { ...metadata, annotations } }));
}

/**
 * The bundle of a file that was written by this agent or a former life of it: its own content leads to its own name. Such a file may be
 * removed when nothing explains it; anything else under the prefix belongs to somebody: null.
 */
export function makerOf(file: string, bytes: Uint8Array): BundleName | null {
  let manifest: BundleManifest;
  try {
    manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as BundleManifest;
  } catch {
    return null;
  }
  const of = manifest?.metadata?.annotations?.[BUNDLE_ANNOTATION];
  if (typeof of !== 'string' || typeof manifest.metadata?.name !== 'string') return null;
  const [namespace, name, ...rest] = of.split('/');
  if (!namespace || !name || rest.length > 0) return null;
  const bundle = { namespace, name };
  return ownedFileName(bundle, keyOfManifest(manifest)) === file ? bundle : null;
}

// -----------------------------------------------------------------------------------------
// conflicts

/** What a pod occupies that another bundle's pod may want. */
export interface Occupied {
  readonly bundle: BundleName;
  readonly pods: readonly Pod[];
}

/**
 * Why a bundle cannot become active beside the others, or null. Its own former revision is no
 * obstacle.
 */
export function conflictWith(wanted: Occupied, running: readonly Occupied[]): string | null {
  const others = running.filter(other => bundleKey(other.bundle) !== bundleKey(wanted.bundle));
  for (const other of others) {
    const owner = `bundle ${bundleKey(other.bundle)}`;
    for (const pod of wanted.pods) {
      if (other.pods.some(taken => samePod(taken, pod))) {
        return `pod ${pod.metadata?.name ?? ''} is one of ${owner} already`;
      }
      const port = hostPortsOf(pod).find(own =>
        other.pods.flatMap(hostPortsOf).some(taken => portsClash(own, taken)),
      );
      if (port) return `host port ${describeHostPort(port)} is taken by ${owner}`;
    }
  }
  return null;
}

function samePod(a: Pod, b: Pod): boolean {
  const namespace = (pod: Pod) => pod.metadata?.namespace ?? 'default';
  return a.metadata?.name === b.metadata?.name && namespace(a) === namespace(b);
}

// ------------------------------------------------------------------------------------------
// refusals

const REFUSALS_A_MINUTE = 100;

/**
 * At most one line for each refused content in a minute, and 100 in all: a flood of garbage must
 * not fill a disk (S69). Forgets what is older.
 */
export function mayLogRefusal(logged: Map<string, number>, digest: string, now: number): boolean {
  for (const [key, at] of logged) if (now - at >= 60_000) logged.delete(key);
  return !logged.has(digest) && logged.size < REFUSALS_A_MINUTE;
}
