/**
 * Opens files of age-encryption.org/v1 that are sealed to an X25519 key: header, MAC, one chunk of payload
 * (https://c2sp.org/age). Made with `node:crypto` so that what is opened lies in one Buffer, which its user can overwrite, and so
 * that a container's start waits for no promise. Keys of the way are overwritten here. Sealing is not done here.
 */
import {
  createCipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { rawPublicKey } from './keys.js';

/** An age file, whole. */
export const AGE_BYTES_MAX = 32 * 1024;

const VERSION_LINE = 'age-encryption.org/v1\n';
const TAG_BYTES = 16;
const NONCE_BYTES = 16;
/** SubjectPublicKeyInfo of X25519 up to the key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

interface Stanza {
  readonly args: readonly string[];
  readonly body: Buffer;
}

interface Header {
  readonly stanzas: readonly Stanza[];
  /** What the MAC covers: up to `---`. */
  readonly covered: Buffer;
  readonly mac: Buffer;
  readonly payload: Buffer;
}

/** Base64 without padding that re-encodes to itself. */
function unpadded(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text ? bytes : null;
}

function readHeader(file: Buffer): Header | null {
  if (!file.subarray(0, VERSION_LINE.length).equals(Buffer.from(VERSION_LINE))) return null;
  const stanzas: { args: string[]; body: string }[] = [];
  let at = VERSION_LINE.length;
  let isOpen = false;
  for (;;) {
    const end = file.indexOf(0x0a, at);
    if (end === -1) return null;
    const line = file.subarray(at, end).toString('latin1');
    const covered = file.subarray(0, at + 3);
    at = end + 1;
    if (isOpen) {
      const stanza = stanzas.at(-1);
      if (stanza === undefined || line.length > 64) return null;
      stanza.body += line;
      isOpen = line.length === 64;
    } else if (line.startsWith('-> ')) {
      stanzas.push({ args: line.slice(3).split(' '), body: '' });
      isOpen = true;
    } else {
      const mac = line.startsWith('--- ') ? unpadded(line.slice(4)) : null;
      const sound = stanzas.flatMap(({ args, body: text }): Stanza[] => {
        const body = unpadded(text);
        return body === null ? [] : [{ args, body }];
      });
      const isWhole = sound.length === stanzas.length && sound.length > 0;
      if (mac?.byteLength !== 32 || !isWhole) return null;
      return { stanzas: sound, covered, mac, payload: file.subarray(at) };
    }
  }
}

function derived(key: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32));
}

function cipherOf(key: Buffer, nonce: Buffer, text: Buffer): { out: Buffer; tag: Buffer } {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  const out = cipher.update(text);
  cipher.final();
  return { out, tag: cipher.getAuthTag() };
}

/**
 * Null when the tag is not that of these bytes under this key. Only ever enciphers, for Node leaves copies of what a (de)cipher
 * gives out in freed memory, where nobody can overwrite them: zeros, which gives the key stream to be applied here; and
 * then the text that came out, which gives the tag that it must have.
 */
function unsealed(sealed: Buffer, key: Buffer, nonce: Buffer): Buffer | null {
  if (sealed.byteLength < TAG_BYTES) return null;
  const cut = sealed.byteLength - TAG_BYTES;
  // Not from Buffer's shared pool.
  const plain = Buffer.alloc(cut);
  const stream = cipherOf(key, nonce, plain).out;
  for (let at = 0; at < cut; at += 1) plain[at] = (sealed[at] ?? 0) ^ (stream[at] ?? 0);
  stream.fill(0);
  if (timingSafeEqual(cipherOf(key, nonce, plain).tag, sealed.subarray(cut))) return plain;
  plain.fill(0);
  return null;
}

function unwrapped({ args, body }: Stanza, key: KeyObject): Buffer | null {
  const [type, share, ...more] = args;
  const ephemeral = unpadded(share ?? '');
  if (type !== 'X25519' || more.length > 0) return null;
  if (ephemeral?.byteLength !== 32 || body.byteLength !== 32) return null;
  const der = Buffer.concat([SPKI_PREFIX, ephemeral]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  let shared: Buffer;
  try {
    // OpenSSL refuses points of small order, as age demands.
    shared = diffieHellman({ privateKey: key, publicKey });
  } catch {
    return null;
  }
  const salt = Buffer.concat([ephemeral, Buffer.from(rawPublicKey(key), 'hex')]);
  const wrap = derived(shared, salt, 'age-encryption.org/v1/X25519');
  const fileKey = unsealed(body, wrap, Buffer.alloc(12));
  shared.fill(0);
  wrap.fill(0);
  return fileKey;
}

function opened({ covered, mac, payload }: Header, fileKey: Buffer): Buffer | null {
  const macKey = derived(fileKey, Buffer.alloc(0), 'header');
  const expected = createHmac('sha256', macKey).update(covered).digest();
  macKey.fill(0);
  if (!timingSafeEqual(expected, mac) || payload.byteLength < NONCE_BYTES) return null;
  const streamKey = derived(fileKey, payload.subarray(0, NONCE_BYTES), 'payload');
  // The first chunk, which is the last: more do not fit into the limit.
  const nonce = Buffer.alloc(12);
  nonce[11] = 1;
  const plain = unsealed(payload.subarray(NONCE_BYTES), streamKey, nonce);
  streamKey.fill(0);
  return plain;
}

/**
 * The content, for the caller to overwrite; null when the file is no age file, was changed, or is sealed to none of the keys.
 *
 * @param keys private X25519 keys
 */
export function openAge(file: Uint8Array, keys: readonly KeyObject[]): Buffer | null {
  if (file.byteLength > AGE_BYTES_MAX) return null;
  const header = readHeader(Buffer.from(file.buffer, file.byteOffset, file.byteLength));
  if (header === null) return null;
  for (const key of keys) {
    for (const stanza of header.stanzas) {
      const fileKey = unwrapped(stanza, key);
      if (fileKey === null) continue;
      const plain = opened(header, fileKey);
      fileKey.fill(0);
      return plain;
    }
  }
  return null;
}
