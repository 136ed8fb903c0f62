/**
 * Acceptance of roots: the pinned one, and the chain N → N+1 (TUF 1.0.34 section 5.3). Pure: bytes and trusted state in,
 * the document or a refusal with a closed code out.
 */
import { excerpt } from './excerpt.js';
import { sha256Hex } from './canonical.js';
import type { RootDocument } from './documents/root.js';
import {
  countSignatures,
  openEnvelope,
  type OpenedEnvelope,
  type ReceivedEnvelope,
} from './envelope.js';
import * as validate from './generated/validators.js';
import { isSoundPublicKey, keyId } from './keys.js';
import { ROOT_BYTES_MAX } from './limits.js';
import { accept, refuse, type Refusal, type Result } from './refusal.js';
import { brand, envelopeBytesMax, readPayload, signedBy, type TrustedRoot } from './verified.js';

function openRootEnvelope(
  bytes: Uint8Array,
): Result<{ opened: ReceivedEnvelope; document: RootDocument }> {
  const opened = openEnvelope(bytes, { kind: 'root', bytesMax: envelopeBytesMax(ROOT_BYTES_MAX) });
  if (!opened.ok) return opened;
  const document = readRootPayload(opened.value.payload);
  if (!document.ok) return document;
  return accept({ opened: opened.value, document: document.value });
}

/** A root as it stands by itself: form, schema, keys and roles. Who signed it is another question. */
export function readRootPayload(payload: Uint8Array): Result<RootDocument> {
  const document = readPayload<RootDocument>(payload, {
    what: 'root',
    bytesMax: ROOT_BYTES_MAX,
    validator: validate.validateRootDocument,
  });
  if (!document.ok) return document;
  const bad = rootFault(document.value);
  if (bad) return refuse(bad.startsWith('key ') ? 'BadKey' : 'BadRoot', `root: ${bad}`);
  return document;
}

/** What a schema cannot say: ids recomputed, one role per key, thresholds that can be met. */
function rootFault(root: RootDocument): string | null {
  for (const field of ['issued', 'expires'] as const) {
    if (Number.isNaN(Date.parse(root[field]))) return `${field} is no such day or hour`;
  }
  for (const [id, publicKey] of Object.entries(root.keys)) {
    if (!isSoundPublicKey(publicKey)) return `key ${excerpt(id)} is not a sound Ed25519 key`;
    if (keyId(publicKey) !== id) return `the id ${excerpt(id)} is not the SHA-256 of its key`;
  }
  const roleOf = new Map<string, string>();
  const roles: [string, { threshold: number; keys: string[] }][] = [
    ['root', root.roles.root],
    ['hub', root.roles.hub],
    ...root.roles.release.map((role): [string, typeof role] => ['release', role]),
  ];
  if (root.roles.secrets) roles.push(['secrets', root.roles.secrets]);
  for (const [name, role] of roles) {
    if (new Set(role.keys).size !== role.keys.length) return `role ${name} lists a key twice`;
    if (role.threshold > role.keys.length)
      return `role ${name} wants more signatures than it has keys`;
    for (const id of role.keys) {
      if (!Object.hasOwn(root.keys, id)) return `role ${name} names a key that is not listed`;
      const other = roleOf.get(id);
      if (other !== undefined && other !== name)
        return `one key stands in the roles ${other} and ${name}`;
      roleOf.set(id, name);
    }
  }
  return scopeFault(root);
}

/** A scope that nobody can reach, or that reaches beyond its role, is a mistake of who wrote the root. */
function scopeFault({ roles }: RootDocument): string | null {
  for (const { keys, scopes } of roles.release) {
    for (const scope of scopes) {
      if (new Set(scope.keys).size !== scope.keys.length)
        return 'a release scope lists a key twice';
      if (scope.threshold > scope.keys.length)
        return 'a release scope wants more signatures than it has keys';
      if (!scope.keys.every(id => keys.includes(id)))
        return 'a release scope names a key that its role does not list';
    }
  }
  return null;
}

/** The root that a join line pins by the SHA-256 of its payload; it must be signed by its own root keys too. */
export function openPinnedRoot(bytes: Uint8Array, fingerprint: string): Result<TrustedRoot> {
  const read = openRootEnvelope(bytes);
  if (!read.ok) return read;
  const { opened, document } = read.value;
  if (sha256Hex(opened.payload) !== fingerprint) {
    return refuse('BadRoot', 'root: its hash is not the one that the join line gives');
  }
  if (!signedBy('root', opened, document, document.roles.root)) {
    return refuse('BadSignature', 'root: not signed by a threshold of its own root keys');
  }
  return accept(brand(document, opened));
}

/**
 * Root N+1, signed by a threshold of N's root keys and of its own (TUF 5.3.4–5.3.5). The same root again is
 * accepted and changes nothing.
 */
export function openNextRoot(bytes: Uint8Array, current: TrustedRoot): Result<TrustedRoot> {
  const read = openRootEnvelope(bytes);
  if (!read.ok) return read;
  const { opened, document } = read.value;
  const now = current.document;
  const digest = sha256Hex(opened.payload);
  if (document.version === now.version && digest === current.digest) return accept(current);
  if (!signedBy('root', opened, now, now.roles.root)) {
    return refuse('BadSignature', 'root: not signed by a threshold of the root keys in force');
  }
  if (!signedBy('root', opened, document, document.roles.root)) {
    return refuse('BadSignature', 'root: not signed by a threshold of its own root keys');
  }
  const refusal = rootStepRefusal(document, now);
  return refusal ? { ok: false, refusal } : accept(brand(document, opened));
}

/** Why one root cannot follow another, whoever signed it; null: it can. Other content for one version cannot. */
export function rootStepRefusal(document: RootDocument, now: RootDocument): Refusal | null {
  if (document.fleet !== now.fleet) return refuse('WrongFleet', 'root: of another fleet').refusal;
  if (document.version < now.version)
    return refuse('Rollback', 'root: older than the one in force').refusal;
  if (document.version === now.version)
    return refuse('Equivocation', 'root: other content for the same version').refusal;
  if (document.version > now.version + 1) {
    return refuse('RootRequired', `root: version ${now.version + 1} must come first`).refusal;
  }
  if (document.epoch < now.epoch) return refuse('Rollback', 'root: lowers the epoch').refusal;
  for (const [bundle, floor] of Object.entries(now.floors)) {
    if ((document.floors[bundle] ?? 0) < floor)
      return refuse('Rollback', `root: lowers the floor of ${bundle}`).refusal;
  }
  return null;
}

/** How many different root keys of a root signed an envelope, and how many it takes. */
export function rootSignatures(
  opened: OpenedEnvelope,
  { keys, roles }: Pick<RootDocument, 'keys' | 'roles'>,
): { readonly have: number; readonly need: number } {
  const listed = roles.root.keys.map(id => ({ id, publicKey: keys[id] ?? '' }));
  return { have: countSignatures('root', opened, listed), need: roles.root.threshold };
}

/**
 * The version that a root's envelope claims, whoever signed it; null for what is no root. A hint and nothing more: it may
 * be worth asking for the versions in between.
 */
export function claimedRootVersion(bytes: Uint8Array): number | null {
  const read = openRootEnvelope(bytes);
  return read.ok ? read.value.document.version : null;
}

/** A root that this very node accepted before, read back from its journal. */
export function reopenRoot(bytes: Uint8Array, digest: string): Result<TrustedRoot> {
  return openPinnedRoot(bytes, digest);
}
