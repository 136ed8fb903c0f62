/** Each kind of document opened as its reader opens it: the node what the hub sends, the hub what a node sends. */
import { parseCanonical, sha256Hex } from '../../protocol/canonical.js';
import { DOCUMENT_KINDS, type DocumentKind } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import type { Result } from '../../protocol/refusal.js';
import type { Verified } from '../../protocol/verified.js';
import { openAssignment } from '../../protocol/verify-assignment.js';
import { openBundle } from '../../protocol/verify-bundle.js';
import { openHubDocument, openNodeDocument } from '../../protocol/verify-messages.js';
import { openNextRoot, openPinnedRoot } from '../../protocol/verify-root.js';
import { openSecretDocument } from '../../protocol/verify-secret.js';
import {
  FLEET,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  RELEASE,
  ROOT,
  trustedRoot,
} from '../support/fleet.js';

const root = trustedRoot();

const HUB_KINDS = ['hub', 'mark', 'answer', 'time', 'ack', 'command', 'joined'] as const;
type HubKind = (typeof HUB_KINDS)[number];
type NodeKind = Exclude<DocumentKind, HubKind | 'root' | 'bundle' | 'assignment' | 'secret'>;

const isHubKind = (kind: DocumentKind): kind is HubKind =>
  (HUB_KINDS as readonly string[]).includes(kind);
const isNodeKind = (kind: DocumentKind): kind is NodeKind =>
  !isHubKind(kind) && !['root', 'bundle', 'assignment', 'secret'].includes(kind);

/** Who signs documents of that kind. */
export function signerOfKind(kind: DocumentKind): Signer {
  if (kind === 'root') return ROOT;
  if (kind === 'bundle') return RELEASE;
  return isNodeKind(kind) ? NODE : HUB;
}

export function kindNamed(name: string): DocumentKind | null {
  return DOCUMENT_KINDS.find(kind => kind === name) ?? null;
}

function textAt(value: unknown, key: string): string {
  const found: unknown = (value as Record<string, unknown> | null | undefined)?.[key];
  // No longer than the schema of assignments lets a name be.
  return typeof found === 'string' ? found.slice(0, 63) : '';
}

/** Named by an assignment that was made for these very bytes, as a stolen hub would. */
function assignedTo(payload: Buffer) {
  const read = parseCanonical(payload, { bytesMax: payload.length, what: 'bundle' });
  const value = read.ok ? read.value : null;
  const revision: unknown = (value as { revision?: unknown } | null)?.revision;
  return {
    namespace: textAt(value, 'namespace'),
    name: textAt(value, 'name'),
    revision: typeof revision === 'number' ? revision : 0,
    ...{ digest: sha256Hex(payload), size: payload.length, attempt: 0 },
  };
}

/** `payload` is what the envelope holds; what pins it (a fingerprint, an assignment) is made for it. */
export function openAs(
  kind: DocumentKind,
  bytes: Buffer,
  payload: Buffer,
): Result<Verified<object>> {
  if (kind === 'root') return openPinnedRoot(bytes, sha256Hex(payload));
  if (kind === 'bundle') {
    const assigned = assignedTo(payload);
    return openBundle(bytes, { root, assigned, arch: 'amd64', agentVersion: '0.1.0' });
  }
  if (kind === 'secret') return openSecretDocument(bytes, root);
  if (kind === 'assignment') {
    const own = { node: NODE_NAME, nodeKey: idOf(NODE), now: NOW };
    const state = { accepted: null, nonce: null, freshOnly: false };
    return openAssignment(bytes, { root, ...own, ...state });
  }
  if (isHubKind(kind)) return openHubDocument(kind, bytes, { root, node: NODE_NAME });
  const identityKey = NODE.publicKey;
  return openNodeDocument(kind, bytes, { fleet: FLEET, node: NODE_NAME, identityKey });
}

/** What a node whose root is another one makes of it. */
export function openAsNextRoot(bytes: Buffer): Result<Verified<object>> {
  return openNextRoot(bytes, root);
}
