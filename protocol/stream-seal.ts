/**
 * Sealed frames of one stream between hub and node: X25519 with a key of each side made for it alone, HKDF-SHA256 (RFC
 * 5869) to one key for each direction, ChaCha20-Poly1305 (RFC 8439) with the frame's number as nonce. Numbers begin at 0
 * and have no gaps, so that a frame left out, repeated, put elsewhere or forged ends the stream. Pure.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

/** Of a frame's content; sealed and with its head it stays well below a message. */
export const FRAME_PAYLOAD_MAX = 64 * 1024;
const VERSION = 1;
/** Version, number. */
const HEAD_BYTES = 9;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
/** SubjectPublicKeyInfo of X25519 up to the key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** What both sides know of the stream: mixed into its keys, so that no frame of another one fits. */
export interface StreamContext {
  readonly fleet: string;
  readonly node: string;
  readonly request: string;
  /** SHA-256 of the command's payload, hex. */
  readonly command: string;
  /** Raw X25519 public keys, hex. */
  readonly hubKey: string;
  readonly nodeKey: string;
}

export interface StreamKeys {
  readonly toNode: Buffer;
  readonly toHub: Buffer;
}

/** `own` is one side's private key; the other's public one is in the context. Null for a point of small order. */
export function streamKeys(
  side: 'hub' | 'node',
  own: KeyObject,
  context: StreamContext,
): StreamKeys | null {
  const { fleet, node, request, command, hubKey, nodeKey } = context;
  const peer = Buffer.from(side === 'hub' ? nodeKey : hubKey, 'hex');
  let shared: Buffer;
  try {
    const publicKey = createPublicKey({
      key: Buffer.concat([SPKI_PREFIX, peer]),
      format: 'der',
      type: 'spki',
    });
    shared = diffieHellman({ privateKey: own, publicKey });
  } catch {
    return null;
  }
  if (shared.every(byte => byte === 0)) return null;
  const info = ['flotilla stream v1', fleet, node, request, hubKey, nodeKey].join('\0');
  const salt = Buffer.from(command, 'hex');
  const keys = Buffer.from(hkdfSync('sha256', shared, salt, Buffer.from(info), 2 * KEY_BYTES));
  return { toNode: keys.subarray(0, KEY_BYTES), toHub: keys.subarray(KEY_BYTES) };
}

/** True for what can only be a frame: an envelope begins with a brace. */
export function isFrame(message: Uint8Array): boolean {
  return message[0] === VERSION;
}

function headOf(number: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(VERSION);
  head.writeBigUInt64BE(BigInt(number), 1);
  return head;
}

function nonceOf(head: Buffer): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  head.copy(nonce, NONCE_BYTES - 8, 1, HEAD_BYTES);
  return nonce;
}

const ALGORITHM = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG_BYTES };

export class FrameSealer {
  readonly #key: Buffer;
  #number = 0;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Frames must be sent in the order in which they were sealed. Throws for a payload above the limit. */
  seal(channel: number, payload: Uint8Array): Buffer {
    if (payload.byteLength > FRAME_PAYLOAD_MAX) throw new RangeError('frame: too large');
    const head = headOf(this.#number++);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonceOf(head), OPTIONS);
    const length = 1 + payload.byteLength;
    cipher.setAAD(head, { plaintextLength: length });
    const sealed = [cipher.update(Buffer.of(channel)), cipher.update(payload), cipher.final()];
    return Buffer.concat([head, ...sealed, cipher.getAuthTag()]);
  }
}

export const BROKEN_FRAMES = {
  Malformed: 'is no frame',
  TooLarge: 'is larger than a frame may be',
  Forged: 'was forged or is of another stream',
  Repeated: 'came again, or late',
  Skipped: 'came where another was due: one was lost, or the order was changed',
} as const;
export type BrokenFrame = keyof typeof BROKEN_FRAMES;

export type OpenedFrame =
  | { readonly is: 'frame'; readonly channel: number; readonly payload: Buffer }
  /** The very frame that came before it: delivered twice (MQTT QoS 1). */
  | { readonly is: 'duplicate' }
  | { readonly is: 'broken'; readonly why: BrokenFrame };

export class FrameOpener {
  readonly #key: Buffer;
  #due = 0;
  #last: Buffer | null = null;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** After `broken` the stream is over: nothing else is to be opened. */
  open(frame: Uint8Array): OpenedFrame {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    if (bytes.byteLength < HEAD_BYTES + 1 + TAG_BYTES || bytes[0] !== VERSION) {
      return { is: 'broken', why: 'Malformed' };
    }
    if (bytes.byteLength > HEAD_BYTES + 1 + FRAME_PAYLOAD_MAX + TAG_BYTES) {
      return { is: 'broken', why: 'TooLarge' };
    }
    const plain = this.#decrypt(bytes);
    if (plain === null) return { is: 'broken', why: 'Forged' };
    const number = bytes.readBigUInt64BE(1);
    const tag = bytes.subarray(bytes.byteLength - TAG_BYTES);
    if (number === BigInt(this.#due - 1) && this.#last?.equals(tag) === true) {
      return { is: 'duplicate' };
    }
    if (number < BigInt(this.#due)) return { is: 'broken', why: 'Repeated' };
    if (number > BigInt(this.#due)) return { is: 'broken', why: 'Skipped' };
    this.#due++;
    this.#last = Buffer.from(tag);
    return { is: 'frame', channel: plain.readUInt8(), payload: plain.subarray(1) };
  }

  #decrypt(bytes: Buffer): Buffer | null {
    const head = bytes.subarray(0, HEAD_BYTES);
    const end = bytes.byteLength - TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonceOf(head), OPTIONS);
    decipher.setAuthTag(bytes.subarray(end));
    decipher.setAAD(head, { plaintextLength: end - HEAD_BYTES });
    try {
      return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, end)), decipher.final()]);
    } catch {
      return null;
    }
  }
}
