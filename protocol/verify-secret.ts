/**
 * Acceptance of a sealed Secret: exactly the document that the assignment names, signed by the role responsible for it, for this
 * node and a key that it has, and sealed for what it says (S87, S88, S90, S91). Pure.
 */
import type { KeyObject } from 'node:crypto';
import { openAge } from './age.js';
import type { AssignedSecret } from './documents/assignment.js';
import type { RootDocument } from './documents/root.js';
import type { SecretDocument } from './documents/secret.js';
import { openEnvelope } from './envelope.js';
import * as validate from './generated/validators.js';
import { keyId, rawPublicKey } from './keys.js';
import { PAYLOAD_BYTES_MAX } from './limits.js';
import { accept, refuse, type Result } from './refusal.js';
import { readSecretContent, type SecretContent } from './secret-content.js';
import {
  brand,
  envelopeBytesMax,
  readPayload,
  signedBy,
  type Role,
  type TrustedRoot,
  type Verified,
} from './verified.js';

export interface SecretReader {
  readonly node: string;
  /** The node's private X25519 keys, the newest first. */
  readonly sealingKeys: readonly KeyObject[];
}

/** The role that signs sealed Secrets. */
export function secretsRoleOf(root: RootDocument): Role {
  return root.roles.secrets ?? root.roles.hub;
}

const titleOf = ({ namespace, bundle, name }: Omit<AssignedSecret, 'digest' | 'version'>) =>
  `secret ${namespace}/${bundle}/${name}`;

/** Signature, form, fleet: what the hub checks of a document that an operator signed. */
export function openSecretDocument(
  bytes: Uint8Array,
  root: TrustedRoot,
): Result<Verified<SecretDocument>> {
  const bytesMax = envelopeBytesMax(PAYLOAD_BYTES_MAX);
  const opened = openEnvelope(bytes, { kind: 'secret', bytesMax });
  if (!opened.ok) return opened;
  const { payload } = opened.value;
  if (!signedBy('secret', opened.value, root.document, secretsRoleOf(root.document))) {
    return refuse('BadSignature', 'secret: not signed by the role responsible for secrets');
  }
  const document = readPayload<SecretDocument>(payload, {
    what: 'secret',
    bytesMax: PAYLOAD_BYTES_MAX,
    validator: validate.validateSecretDocument,
  });
  if (!document.ok) return document;
  if (document.value.fleet !== root.document.fleet) {
    return refuse('WrongFleet', `${titleOf(document.value)}: of another fleet`);
  }
  return accept(brand(document.value, opened.value));
}

/** The very document that an assignment names, which this node can open. Nothing of it is kept open. */
export function openSecret(
  bytes: Uint8Array,
  context: SecretReader & { readonly root: TrustedRoot; readonly assigned: AssignedSecret },
): Result<Verified<SecretDocument>> {
  const { assigned, root } = context;
  const what = titleOf(assigned);
  const opened = openSecretDocument(bytes, root);
  if (!opened.ok) return opened;
  const { document, digest } = opened.value;
  if (digest !== assigned.digest) {
    return refuse('MixMatch', `${what}: not the document that the assignment names`);
  }
  const { namespace, bundle, name, version } = document;
  if (
    namespace !== assigned.namespace ||
    bundle !== assigned.bundle ||
    name !== assigned.name ||
    version !== assigned.version
  ) {
    return refuse('MixMatch', `${what}: bears another name or version than the assignment says`);
  }
  const content = openSealed(document, context);
  if (!content.ok) return content;
  content.value.wipe();
  return opened;
}

/** What a document holds, until it is wiped. */
export interface OpenedSecret extends SecretContent {
  /** Overwrites the values; twice is safe. */
  readonly wipe: () => void;
}

/** Opens a document that was accepted. `SecretNotSealed`: for a key that this node does not have (any more). */
export function openSealed(document: SecretDocument, reader: SecretReader): Result<OpenedSecret> {
  const what = titleOf(document);
  if (document.node !== reader.node) return refuse('WrongNode', `${what}: for another node`);
  const key = reader.sealingKeys.find(one => keyId(rawPublicKey(one)) === document.recipient);
  if (key === undefined) {
    return refuse(
      'SecretNotSealed',
      `${what}: sealed for a key that this node does not have; seal it again: flotilla secret seal --missing`,
    );
  }
  const file = Buffer.from(document.sealed, 'base64');
  const plain = file.toString('base64') === document.sealed ? openAge(file, [key]) : null;
  if (plain === null) return refuse('Malformed', `${what}: is not sealed as it says`);
  const content = readSecretContent(plain, document);
  if (!content.ok) {
    plain.fill(0);
    return content;
  }
  return accept({ ...content.value, wipe: () => void plain.fill(0) });
}
