/**
 * Whether the three public keys of a join are fit to be a node's: sound, and nobody else's (S82).
 * Reads the store, and makes a throw-away key that tries the sealing key.
 */
import { createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import type { JoinDocument } from '../../protocol/documents/enrolment.js';
import { isSoundPublicKey } from '../../protocol/keys.js';
import { isOfType } from '../setup/keys.js';
import type { Store } from '../store/store.js';

type KeyHolders = Pick<Store, 'keyHolders'>;
type JoiningKeys = Pick<JoinDocument, 'identityKey' | 'tlsKey' | 'sealingKey' | 'node'>;

/** SubjectPublicKeyInfo of X25519 up to the key (RFC 8410). */
const X25519_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** Null, or which key is unfit. */
export function joiningKeyFault(keys: JoiningKeys): string | null {
  if (!isSoundPublicKey(keys.identityKey)) return 'identityKey is not a sound Ed25519 key';
  if (!isSoundSealingKey(keys.sealingKey)) return 'sealingKey is not a sound X25519 key';
  if (!isTlsKey(keys.tlsKey)) return 'tlsKey is not the SubjectPublicKeyInfo of a P-256 key';
  return null;
}

/** Raw X25519, hex. With a point of small order the shared secret is known to all: OpenSSL refuses to compute it. */
export function isSoundSealingKey(hex: string): boolean {
  try {
    const publicKey = createPublicKey({
      key: Buffer.concat([X25519_PREFIX, Buffer.from(hex, 'hex')]),
      format: 'der',
      type: 'spki',
    });
    diffieHellman({ privateKey: generateKeyPairSync('x25519').privateKey, publicKey });
    return true;
  } catch {
    return false;
  }
}

/** One spelling only, so that one key cannot pass for two. */
function isTlsKey(base64: string): boolean {
  try {
    const der = Buffer.from(base64, 'base64');
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    const again = key.export({ format: 'der', type: 'spki' });
    return isOfType(key, 'p256') && again.toString('base64') === base64;
  } catch {
    return false;
  }
}

/** Who else has one of the keys: `the hub`, a node's name, or null. */
export async function keyOwner(
  keys: JoiningKeys,
  { ownKeys, store }: { readonly ownKeys: ReadonlySet<string>; readonly store: KeyHolders },
): Promise<string | null> {
  const brought = [keys.identityKey, keys.tlsKey, keys.sealingKey];
  if (brought.some(key => ownKeys.has(key))) return 'the hub';
  const holders = await store.keyHolders(brought);
  return holders.find(({ node }) => node !== keys.node)?.node ?? null;
}
