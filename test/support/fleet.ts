/** A fleet with fixed keys: documents that are good, for tests to spoil one thing at a time. */
import { createPrivateKey } from 'node:crypto';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignedBundle, AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { ReleaseRole, RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, signerOf, type Signer } from '../../protocol/keys.js';
import { DEFAULT_GRANT } from '../../protocol/release-scope.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { type TrustedRoot } from '../../protocol/verified.js';
import { openPinnedRoot } from '../../protocol/verify-root.js';

/** An Ed25519 signer made from a name: the same name, the same key. */
export function signer(name: string): Signer {
  const seed = Buffer.from(sha256Hex(`flotilla test key ${name}`), 'hex');
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return signerOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

export const FLEET = 'f1007111a0000000000000000000000f';
export const ROOT = signer('root');
export const RELEASE = signer('release');
export const HUB = signer('hub');
export const NODE = signer('node edge-1');
export const NODE_NAME = 'edge-1';
export const NOW = Date.parse('2026-06-01T00:00:00.000Z');

export const idOf = (s: Signer): string => keyId(s.publicKey);

/** For all bundles, one signature enough, as much as `hub init` grants. */
export function releaseRole(
  signers: readonly Signer[],
  change: Partial<ReleaseRole> = {},
): ReleaseRole {
  const keys = signers.map(idOf);
  const role = { bundles: ['*/*'], threshold: 1, keys, ...change };
  const { threshold } = role;
  return { scopes: [{ threshold, keys, ...DEFAULT_GRANT }], ...role };
}

export function rootDocument(change: Partial<RootDocument> = {}): RootDocument {
  return {
    fleet: FLEET,
    version: 1,
    issued: '2026-01-01T00:00:00.000Z',
    expires: '2029-01-01T00:00:00.000Z',
    epoch: 1,
    keys: Object.fromEntries([ROOT, RELEASE, HUB].map(s => [idOf(s), s.publicKey])),
    roles: {
      root: { threshold: 1, keys: [idOf(ROOT)] },
      release: [releaseRole([RELEASE])],
      hub: { threshold: 1, keys: [idOf(HUB)] },
      secrets: null,
    },
    floors: {},
    denied: [],
    tls: [sha256Hex('authority')],
    development: true,
    minAgent: null,
    limits: { podsPerBundle: 100 },
    ...change,
  };
}

let usualRoot: TrustedRoot | null = null;

/** Pins and opens a root, the usual one once; throws when it is refused. */
export function trustedRoot(document?: RootDocument, signers = [ROOT]): TrustedRoot {
  if (document === undefined) return (usualRoot ??= trustedRoot(rootDocument()));
  const opened = openPinnedRoot(
    seal('root', document, signers),
    sha256Hex(canonicalJson(document)),
  );
  if (!opened.ok) throw new Error(opened.refusal.detail);
  return opened.value;
}

export function podManifest(name: string, image = 'web:1'): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'main', image }] },
  };
}

export function configMapManifest(name: string, value = 'x'): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { key: value },
  };
}

export function bundleDocument(
  pods: readonly Record<string, unknown>[] = [podManifest('web')],
  change: Partial<BundleDocument> = {},
): BundleDocument {
  return {
    fleet: FLEET,
    namespace: 'default',
    name: 'shop',
    revision: 1,
    rollbackFloor: 0,
    issued: '2026-05-01T00:00:00.000Z',
    requires: { arch: [], hardware: [], minAgent: null },
    strategy: DEFAULT_STRATEGY,
    manifests: pods.map(pod => {
      const text = canonicalJson(pod);
      const { name } = pod['metadata'] as { name: string };
      return {
        kind: pod['kind'] === 'ConfigMap' ? ('ConfigMap' as const) : ('Pod' as const),
        name,
        digest: sha256Hex(text),
        size: Buffer.byteLength(text),
        parts: [],
      };
    }),
    images: [],
    secrets: [],
    ...change,
  };
}

/** How an assignment names that bundle. */
export function assigned(
  document: BundleDocument,
  change: Partial<AssignedBundle> = {},
): AssignedBundle {
  const text = canonicalJson(document);
  return {
    namespace: document.namespace,
    name: document.name,
    revision: document.revision,
    digest: sha256Hex(text),
    size: Buffer.byteLength(text),
    attempt: 0,
    ...change,
  };
}

export function assignmentDocument(change: Partial<AssignmentDocument> = {}): AssignmentDocument {
  return {
    fleet: FLEET,
    node: NODE_NAME,
    nodeKey: idOf(NODE),
    epoch: 1,
    generation: 7,
    rootVersion: 1,
    issued: '2026-05-01T00:00:00.000Z',
    notAfter: '2026-08-01T00:00:00.000Z',
    nonce: null,
    bundles: [assigned(bundleDocument())],
    secrets: [],
    parameters: {},
    ...change,
  };
}
