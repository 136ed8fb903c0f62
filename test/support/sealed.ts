/** Sealing keys and sealed Secrets for the node of `fleet.ts`. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { sealFor } from '../../hub/secrets/seal.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignedSecret } from '../../protocol/documents/assignment.js';
import type { SecretDocument } from '../../protocol/documents/secret.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, rawPublicKey, type Signer } from '../../protocol/keys.js';
import type { SecretContent, SecretContext } from '../../protocol/secret-content.js';
import { FLEET, HUB, NODE_NAME } from './fleet.js';

export interface SealingKey {
  readonly key: KeyObject;
  /** Raw, hex. */
  readonly publicKey: string;
}

/** An X25519 key made from a name: the same name, the same key. */
export function sealingKey(name: string): SealingKey {
  const seed = Buffer.from(sha256Hex(`flotilla test sealing key ${name}`), 'hex');
  const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { key, publicKey: rawPublicKey(key) };
}

export const SEALING = sealingKey('edge-1');

export const CONTEXT: SecretContext = {
  fleet: FLEET,
  node: NODE_NAME,
  namespace: 'default',
  bundle: 'shop',
  name: 'db',
  version: 1,
};

export function secretContent(data: Readonly<Record<string, string>>): SecretContent {
  const entries = Object.entries(data);
  return {
    type: 'Opaque',
    data: new Map(entries.map(([key, text]) => [key, Buffer.from(text)])),
  };
}

export interface Sealing {
  readonly data?: Readonly<Record<string, string>>;
  readonly type?: string;
  /** Of the document; `inside` too unless it is given. */
  readonly context?: Partial<SecretContext>;
  readonly inside?: Partial<SecretContext>;
  readonly to?: SealingKey;
  readonly change?: Partial<SecretDocument>;
  readonly signer?: Signer;
}

/** A sealed Secret as it stands on the wire, and how an assignment names it. */
export async function sealedSecret(
  options: Sealing = {},
): Promise<{ document: SecretDocument; envelope: Buffer; assigned: AssignedSecret }> {
  const { data = { password: 'hunter2' }, to = SEALING, signer = HUB } = options;
  const context = { ...CONTEXT, ...options.context };
  const content = { ...secretContent(data), type: options.type ?? 'Opaque' };
  const file = await sealFor(to.publicKey, { ...context, ...options.inside }, content);
  const document: SecretDocument = {
    ...context,
    recipient: keyId(to.publicKey),
    sealed: file.toString('base64'),
    ...options.change,
  };
  const { namespace, bundle, name, version } = document;
  const digest = sha256Hex(canonicalJson(document));
  return {
    document,
    envelope: seal('secret', document, [signer]),
    assigned: { namespace, bundle, name, version, digest },
  };
}
