/**
 * The frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.6): bytes to frames as they come in, frames to
 * bytes. Header blocks stay compressed here. The payload of a data frame is handed on in pieces, so that no frame's
 * length costs memory; a control frame has a limit. Pure.
 */

export const CONTROL_BYTES_MAX = 16 * 1024;

const HEAD_BYTES = 8;
const VERSION = 3;
const FIN = 0x01;
/** The high bit is reserved in every number of 31 bits. */
const LOW_31 = 0x7fffffff;

const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Of RST_STREAM. */
export const RESET = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;
/** Of GOAWAY. */
export const GOAWAY = { ok: 0, protocolError: 1 } as const;

export type Frame =
  | {
      readonly type: 'synStream';
      readonly id: number;
      readonly fin: boolean;
      readonly block: Buffer;
    }
  | {
      readonly type: 'synReply';
      readonly id: number;
      readonly fin: boolean;
      readonly block: Buffer;
    }
  | { readonly type: 'headers'; readonly id: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'rstStream'; readonly id: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway'; readonly lastId: number; readonly status: number }
  | { readonly type: 'windowUpdate'; readonly id: number; readonly delta: number }
  /** `fin` stands on the last piece of the last frame. */
  | { readonly type: 'data'; readonly id: number; readonly fin: boolean; readonly bytes: Buffer };

/** The peer does not speak SPDY/3.1, or overdoes it: the connection cannot go on. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

interface Head {
  readonly control: boolean;
  /** Of a control frame. */
  readonly type: number;
  /** Of a data frame. */
  readonly id: number;
  readonly fin: boolean;
  readonly length: number;
}

function readHead(bytes: Buffer): Head {
  const control = (bytes.readUInt8(0) & 0x80) !== 0;
  const version = bytes.readUInt16BE(0) & 0x7fff;
  if (control && version !== VERSION) throw new SpdyError(`SPDY version ${version}, not 3`);
  return {
    control,
    type: control ? bytes.readUInt16BE(2) : 0,
    id: bytes.readUInt32BE(0) & LOW_31,
    fin: (bytes.readUInt8(4) & FIN) !== 0,
    length: bytes.readUIntBE(5, 3),
  };
}

/** Null for a type that may be passed over (SETTINGS, CREDENTIAL, what is not known). */
function readControl({ type, fin }: Head, body: Buffer): Frame | null {
  const number = (offset: number) => {
    if (body.length < offset + 4) throw new SpdyError(`a frame of type ${type} is too short`);
    return body.readUInt32BE(offset) & LOW_31;
  };
  switch (type) {
    case TYPE.synStream: {
      if (body.length < 10) throw new SpdyError('a SYN_STREAM is too short');
      return { type: 'synStream', id: number(0), fin, block: body.subarray(10) };
    }
    case TYPE.synReply:
      return { type: 'synReply', id: number(0), fin, block: body.subarray(4) };
    case TYPE.headers:
      return { type: 'headers', id: number(0), fin, block: body.subarray(4) };
    case TYPE.rstStream:
      return { type: 'rstStream', id: number(0), status: number(4) };
    case TYPE.ping:
      number(0);
      // All 32 bits: it is echoed as it is.
      return { type: 'ping', id: body.readUInt32BE(0) };
    case TYPE.goAway:
      return { type: 'goAway', lastId: number(0), status: number(4) };
    case TYPE.windowUpdate:
      return { type: 'windowUpdate', id: number(0), delta: number(4) };
    default:
      return null;
  }
}

/** What has come of a stream of bytes so far. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  /** The data frame under way, and how much of it is still to come. */
  #data: { readonly id: number; readonly fin: boolean; left: number } | null = null;

  /** The frames that are complete with these bytes, in order. Throws `SpdyError`; nothing can be read after that. */
  push(bytes: Buffer): Frame[] {
    const frames: Frame[] = [];
    let at = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      if (this.#data) {
        const piece = at.subarray(0, this.#data.left);
        at = at.subarray(piece.length);
        this.#data.left -= piece.length;
        const { id, fin, left } = this.#data;
        if (left === 0) this.#data = null;
        if (piece.length > 0 || left === 0) {
          frames.push({ type: 'data', id, fin: fin && left === 0, bytes: piece });
        }
        if (left > 0) break;
      }
      if (at.length < HEAD_BYTES) break;
      const head = readHead(at);
      if (!head.control) {
        this.#data = { id: head.id, fin: head.fin, left: head.length };
        at = at.subarray(HEAD_BYTES);
        continue;
      }
      if (head.length > CONTROL_BYTES_MAX) {
        throw new SpdyError(
          `a control frame of ${head.length} bytes: at most ${CONTROL_BYTES_MAX}`,
        );
      }
      const end = HEAD_BYTES + head.length;
      if (at.length < end) break;
      const frame = readControl(head, at.subarray(HEAD_BYTES, end));
      if (frame) frames.push(frame);
      at = at.subarray(end);
    }
    // A copy: the rest must not keep the whole of a read alive.
    this.#rest = Buffer.from(at);
    return frames;
  }
}

function control(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

/** The bytes of a frame. Of a data frame at most 2^24 - 1 bytes go into one. */
export function encodeFrame(frame: Frame): Buffer {
  switch (frame.type) {
    case 'synStream': {
      const body = Buffer.concat([numbers(frame.id, 0), Buffer.alloc(2), frame.block]);
      return control(TYPE.synStream, frame.fin ? FIN : 0, body);
    }
    case 'synReply':
    case 'headers': {
      const body = Buffer.concat([numbers(frame.id), frame.block]);
      return control(TYPE[frame.type], frame.fin ? FIN : 0, body);
    }
    case 'rstStream':
      return control(TYPE.rstStream, 0, numbers(frame.id, frame.status));
    case 'ping':
      return control(TYPE.ping, 0, numbers(frame.id));
    case 'goAway':
      return control(TYPE.goAway, 0, numbers(frame.lastId, frame.status));
    case 'windowUpdate':
      return control(TYPE.windowUpdate, 0, numbers(frame.id, frame.delta));
    case 'data': {
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32BE(frame.id, 0);
      head.writeUInt8(frame.fin ? FIN : 0, 4);
      head.writeUIntBE(frame.bytes.length, 5, 3);
      return Buffer.concat([head, frame.bytes]);
    }
  }
}
