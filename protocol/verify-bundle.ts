/**
 * Acceptance of a bundle: exactly the content that the assignment names, signed by the release role responsible for it.
 * Pure.
 */
import { manifestKey } from './bundle-manifest.js';
import { sha256Hex } from './canonical.js';
import type { AssignedBundle } from './documents/assignment.js';
import type { BundleDocument } from './documents/bundle.js';
import type { ReleaseScope, RootDocument } from './documents/root.js';
import { openEnvelope } from './envelope.js';
import * as validate from './generated/validators.js';
import { BUNDLE_BYTES_MAX, BUNDLE_CONTENT_BYTES_MAX, MANIFEST_BYTES_MAX } from './limits.js';
import { accept, refuse, type Result } from './refusal.js';
import { strategyFault } from './strategy.js';
import {
  brand,
  envelopeBytesMax,
  readPayload,
  signedBy,
  type TrustedRoot,
  type Verified,
} from './verified.js';

export interface BundleContext {
  readonly root: TrustedRoot;
  /** How the assignment names it; a size that is null is not known, and the digest alone names the content. */
  readonly assigned: Omit<AssignedBundle, 'size'> & { readonly size: number | null };
  /** Kubernetes' word for the node's architecture. */
  readonly arch: string;
  readonly agentVersion: string;
}

/** The exact bundle that an assignment names, signed by the release role that is responsible for it. */
export function openBundle(
  bytes: Uint8Array,
  context: BundleContext,
): Result<Verified<BundleDocument>> {
  const { assigned, root } = context;
  const what = `bundle ${assigned.namespace}/${assigned.name}`;
  const opened = openEnvelope(bytes, {
    kind: 'bundle',
    bytesMax: envelopeBytesMax(BUNDLE_BYTES_MAX),
  });
  if (!opened.ok) return opened;
  const { payload } = opened.value;
  const isOfSize = assigned.size === null || payload.byteLength === assigned.size;
  if (!isOfSize || sha256Hex(payload) !== assigned.digest) {
    return refuse('MixMatch', `${what}: not the content that the assignment names`);
  }
  const role = releaseRoleOf(root.document, assigned);
  if (!role || !signedBy('bundle', opened.value, root.document, role)) {
    return notSigned(what);
  }
  const document = readPayload<BundleDocument>(payload, {
    what,
    bytesMax: BUNDLE_BYTES_MAX,
    validator: validate.validateBundleDocument,
  });
  if (!document.ok) return document;
  const fault = bundleFault(document.value, context, what);
  return fault ?? accept(brand(document.value, opened.value));
}

/**
 * The scopes that a bundle which is kept here has under the root in force: those of the role responsible for it that
 * were signed for. Refuses what this root's keys did not sign.
 */
export function scopesOf(
  envelope: Uint8Array,
  root: RootDocument,
  bundle: { readonly namespace: string; readonly name: string },
): Result<readonly ReleaseScope[]> {
  const what = `bundle ${bundle.namespace}/${bundle.name}`;
  const bytesMax = envelopeBytesMax(BUNDLE_BYTES_MAX);
  const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax });
  if (!opened.ok) return opened;
  const role = releaseRoleOf(root, bundle);
  if (!role || !signedBy('bundle', opened.value, root, role)) return notSigned(what);
  return accept(role.scopes.filter(scope => signedBy('bundle', opened.value, root, scope)));
}

function notSigned(what: string) {
  return refuse(
    'BadSignature',
    `${what}: not signed by a threshold of the release keys responsible for it`,
  );
}

/** The first release role whose patterns cover the bundle. */
export function releaseRoleOf(root: RootDocument, bundle: { namespace: string; name: string }) {
  return root.roles.release.find(role =>
    role.bundles.some(pattern => {
      const [namespace, name] = pattern.split('/');
      return (
        (namespace === '*' || namespace === bundle.namespace) &&
        (name === '*' || name === bundle.name)
      );
    }),
  );
}

function bundleFault(
  document: BundleDocument,
  { assigned, root, arch, agentVersion }: BundleContext,
  what: string,
): ReturnType<typeof refuse> | null {
  if (document.fleet !== root.document.fleet)
    return refuse('WrongFleet', `${what}: of another fleet`);
  if (
    document.namespace !== assigned.namespace ||
    document.name !== assigned.name ||
    document.revision !== assigned.revision
  ) {
    return refuse('MixMatch', `${what}: bears another name or revision than the assignment says`);
  }
  if (document.rollbackFloor > document.revision)
    return refuse('Malformed', `${what}: floor above its revision`);
  const unfit = strategyFault(document.strategy);
  if (unfit)
    return refuse(
      'Malformed',
      `${what}: strategy.${unfit.field}${unfit.at ?? ''} ${unfit.message}`,
    );
  const { requires } = document;
  if (requires.arch.length > 0 && !requires.arch.includes(arch)) {
    return refuse('Unsupported', `${what}: for ${requires.arch.join(', ')}, this node is ${arch}`);
  }
  if (requires.hardware.length > 0) return refuse('Unsupported', `${what}: for other hardware`);
  if (requires.minAgent && compareVersions(agentVersion, requires.minAgent) < 0) {
    return refuse('Unsupported', `${what}: needs agent ${requires.minAgent} or newer`);
  }
  const pods = document.manifests.filter(({ kind }) => kind === 'Pod');
  if (pods.length > root.document.limits.podsPerBundle) {
    return refuse('TooLarge', `${what}: more pods than the root allows`);
  }
  return contentFault(document, what);
}

function contentFault(document: BundleDocument, what: string): ReturnType<typeof refuse> | null {
  const names = new Set<string>();
  let total = 0;
  for (const entry of document.manifests) {
    const key = manifestKey(entry);
    if (names.has(key)) return refuse('Conflict', `${what}: two manifests named ${key}`);
    names.add(key);
    total += entry.size;
    if (entry.size > MANIFEST_BYTES_MAX)
      return refuse('TooLarge', `${what}: manifest of ${entry.name}`);
    const partsSize = entry.parts.reduce((sum, part) => sum + part.size, 0);
    if (entry.parts.length > 0 && partsSize !== entry.size) {
      return refuse('Malformed', `${what}: the parts of ${entry.name} do not add up to its size`);
    }
  }
  if (total > BUNDLE_CONTENT_BYTES_MAX)
    return refuse('TooLarge', `${what}: all manifests together`);
  return null;
}

/** Numeric comparison of `a.b.c`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}
