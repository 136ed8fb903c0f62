/**
 * Seals one small text to one X25519 key as a file of age-encryption.org/v1 (https://c2sp.org/age), the counterpart of `openAge`:
 * made with `node:crypto`, so that an agent needs no library for it, in one chunk. Keys of the way are overwritten here.
 */
import {
  createCipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import { rawPublicKey } from './keys.js';

/** Of a text that is sealed here; far below one chunk of age (64 KiB). */
export const SEALED_TEXT_BYTES_MAX = 8 * 1024;

/** SubjectPublicKeyInfo of X25519 up to the key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

function derived(key: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32));
}

function enciphered(key: Buffer, nonce: Buffer, text: Uint8Array): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

const unpadded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

/** With a new key pair. Null: the shared secret of this key would be known to all, or it is no key. */
function agreed(recipient: Buffer): { readonly share: Buffer; readonly secret: Buffer } | null {
  if (recipient.byteLength !== 32) return null;
  const { privateKey } = generateKeyPairSync('x25519');
  const der = Buffer.concat([SPKI_PREFIX, recipient]);
  try {
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
    const secret = diffieHellman({ privateKey, publicKey });
    return { share: Buffer.from(rawPublicKey(privateKey), 'hex'), secret };
  } catch {
    return null;
  }
}

/**
 * The age file; each call makes another. Null when nothing can be sealed to the key. Throws RangeError beyond
 * `SEALED_TEXT_BYTES_MAX`.
 *
 * @param publicKeyHex raw X25519
 */
export function sealAge(plain: Uint8Array, publicKeyHex: string): Buffer | null {
  if (plain.byteLength > SEALED_TEXT_BYTES_MAX) {
    throw new RangeError(
      `${plain.byteLength} bytes to seal, the limit is ${SEALED_TEXT_BYTES_MAX}`,
    );
  }
  const recipient = Buffer.from(publicKeyHex, 'hex');
  const way = agreed(recipient);
  if (way === null) return null;
  const { share, secret } = way;
  const wrap = derived(secret, Buffer.concat([share, recipient]), 'age-encryption.org/v1/X25519');
  const fileKey = randomBytes(16);
  const body = enciphered(wrap, Buffer.alloc(12), fileKey);
  const covered = `age-encryption.org/v1\n-> X25519 ${unpadded(share)}\n${unpadded(body)}\n---`;
  const macKey = derived(fileKey, Buffer.alloc(0), 'header');
  const mac = createHmac('sha256', macKey).update(covered).digest();
  const nonce = randomBytes(16);
  const streamKey = derived(fileKey, nonce, 'payload');
  // The first chunk, which is the last.
  const chunkNonce = Buffer.alloc(12);
  chunkNonce[11] = 1;
  const chunk = enciphered(streamKey, chunkNonce, plain);
  for (const key of [secret, wrap, fileKey, macKey, streamKey]) key.fill(0);
  return Buffer.concat([Buffer.from(`${covered} ${unpadded(mac)}\n`), nonce, chunk]);
}
