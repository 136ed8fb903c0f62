/**
 * Answers to commands: bytes of any length in numbered pieces that each fit into a message, and back. What is put together
 * is only as good as the node's word; who asked for content compares its digest. Pure.
 */
import type { ReplyDocument, StandingDocument } from './documents/node.js';
import { validateStandingDocument } from './generated/validators.js';
import { readPayload } from './verified.js';
import type { Result } from './refusal.js';

/** Base64 and the signature around it must still fit into a message. */
export const PIECE_BYTES = 54 * 1024;
export const STANDING_BYTES_MAX = 1024 * 1024;

export type Piece = Pick<ReplyDocument, 'n' | 'last' | 'found' | 'data'>;

/** Null: there is nothing of that name. Empty bytes are one empty piece. */
export function piecesOf(bytes: Uint8Array | null): Piece[] {
  if (bytes === null) return [{ n: 0, last: true, found: false, data: '' }];
  const count = Math.max(1, Math.ceil(bytes.byteLength / PIECE_BYTES));
  return Array.from({ length: count }, (_, n) => {
    const part = bytes.subarray(n * PIECE_BYTES, (n + 1) * PIECE_BYTES);
    const data = Buffer.from(part).toString('base64');
    return { n, last: n === count - 1, found: true, data };
  });
}

/** Gathers the pieces of one answer, in whatever order they come, up to a limit. */
export class PieceGatherer {
  readonly #parts = new Map<number, Buffer>();
  readonly #bytesMax: number;
  #count: number | null = null;
  #size = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** `more`: go on; `absent`: there is none; `bad`: not an answer that fits together; else the whole. */
  add({ n, last, found, data }: Piece): 'more' | 'absent' | 'bad' | Buffer {
    if (!found) return n === 0 && last && data === '' ? 'absent' : 'bad';
    if (this.#parts.has(n)) return 'more';
    const bytes = Buffer.from(data, 'base64');
    if (bytes.toString('base64') !== data || bytes.byteLength > PIECE_BYTES) return 'bad';
    this.#size += bytes.byteLength;
    if (this.#size > this.#bytesMax || n * PIECE_BYTES > this.#bytesMax) return 'bad';
    this.#parts.set(n, bytes);
    if (last) this.#count = n + 1;
    if (this.#count === null || this.#parts.size < this.#count) return 'more';
    const parts = Array.from({ length: this.#count }, (_, index) => this.#parts.get(index));
    return parts.every(part => part !== undefined) ? Buffer.concat(parts) : 'bad';
  }
}

export function parseStanding(bytes: Uint8Array): Result<StandingDocument> {
  return readPayload<StandingDocument>(bytes, {
    what: 'standing',
    bytesMax: STANDING_BYTES_MAX,
    validator: validateStandingDocument,
  });
}
