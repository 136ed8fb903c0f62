/**
 * What the frames of a stream say. Channels 0–4 and 255 are those of Kubernetes (`v5.channel.k8s.io`); `begin` and `credit`
 * are ours. Authenticated bytes are still checked: the other side may be in a thief's hands. Pure.
 */
import { cutTo } from './excerpt.js';

export const CHANNEL = {
  /** To the node. */
  stdin: 0,
  /** To the hub; all that is said by a log, a terminal or a connection comes on stdout. */
  stdout: 1,
  stderr: 2,
  /** To the hub, its last frame: a Status as JSON. */
  status: 3,
  /** To the node: `{"Width":80,"Height":24}`. */
  resize: 4,
  /** Either way: bytes that the other may send beyond what it was given, unsigned 32 bits, big endian. */
  credit: 16,
  /** To the node, its first frame: what the command could not say in the open, and the first credit. */
  begin: 17,
  /** To the node: with one byte, that channel ends (0: end of stdin); empty: the hub is gone. */
  close: 255,
} as const;

/** Output and input travel in frames of at most this. */
export const CHUNK_BYTES = 16 * 1024;
/** A small frame costs more than its bytes. */
const FRAME_COST = 512;
/** Bytes, with their frames' costs, that are under way in one direction before the receiver has taken them. */
export const WINDOW_BYTES = 128 * 1024;

/** Of the program and its arguments together, as JSON. */
export const COMMAND_BYTES_MAX = 48 * 1024;

/** Of one frame of output or input, in credit. */
export function costOf(bytes: number): number {
  return bytes + FRAME_COST;
}

/** Never an empty list: empty bytes are no frame. */
export function chunksOf(bytes: Buffer): Buffer[] {
  const count = Math.ceil(bytes.byteLength / CHUNK_BYTES);
  return Array.from({ length: count }, (_, n) =>
    bytes.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES),
  );
}

export interface Begin {
  readonly window: number;
  /** Program and arguments of an exec; null for the rest. */
  readonly command: readonly string[] | null;
}

export function beginPayload({ window, command }: Begin): Buffer {
  return Buffer.from(JSON.stringify({ window, command }));
}

/** Null for anything else. */
export function readBegin(payload: Buffer): Begin | null {
  const value = jsonOf(payload);
  if (value === null) return null;
  const { window, command } = value as Record<keyof Begin, unknown>;
  if (!isCredit(window)) return null;
  if (command === null) return { window, command };
  if (!Array.isArray(command) || command.length === 0) return null;
  const isText = (word: unknown) => typeof word === 'string' && !word.includes('\0');
  return command.every(isText) ? { window, command: command as string[] } : null;
}

function isCredit(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= WINDOW_BYTES;
}

export function creditPayload(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return payload;
}

/** Null for anything else. */
export function readCredit(payload: Buffer): number | null {
  if (payload.byteLength !== 4) return null;
  const value = payload.readUInt32BE();
  return isCredit(value) ? value : null;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export function resizePayload({ width, height }: TerminalSize): Buffer {
  return Buffer.from(JSON.stringify({ Width: width, Height: height }));
}

/** Null for anything but two whole numbers of 16 bits. */
export function readResize(payload: Buffer): TerminalSize | null {
  const { Width: width, Height: height } = jsonOf(payload) ?? {};
  return isSide(width) && isSide(height) ? { width, height } : null;
}

function isSide(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= 0xffff;
}

/** A Kubernetes Status without its kind. */
export interface StreamStatus {
  readonly status: 'Success' | 'Failure';
  readonly reason?: string;
  readonly message?: string;
  /** HTTP. */
  readonly code?: number;
  readonly details?: {
    readonly causes?: readonly { readonly reason: string; readonly message: string }[];
  };
}

export const SUCCESS: StreamStatus = { status: 'Success' };

/** As the kubelet says it (`pkg/kubelet/cri/streaming/remotecommand`): kubectl exits with the number of `ExitCode`. */
export function exitStatus(code: number): StreamStatus {
  if (code === 0) return SUCCESS;
  return {
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** `reason`: CamelCase, for a program; a stream that broke, a limit that was met, a container that is gone. */
export function failure(reason: string, message: string): StreamStatus {
  return { status: 'Failure', reason, message, code: 500 };
}

const MESSAGE_MAX = 4096;

export function statusPayload(status: StreamStatus): Buffer {
  const { message } = status;
  const cut = message === undefined ? {} : { message: cutTo(message, MESSAGE_MAX) };
  return Buffer.from(JSON.stringify({ ...status, ...cut }));
}

/** Null for anything else. Unknown fields are left out. */
export function readStatus(payload: Buffer): StreamStatus | null {
  const value = jsonOf(payload);
  const status = value?.['status'];
  if (!value || (status !== 'Success' && status !== 'Failure')) return null;
  const { reason, message, code, details } = value;
  const causes = (details as { causes?: unknown } | null | undefined)?.causes;
  return {
    status,
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof message === 'string' ? { message } : {}),
    ...(isCode(code) ? { code } : {}),
    ...(Array.isArray(causes) ? { details: { causes: causes.flatMap(causeOf) } } : {}),
  };
}

function isCode(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function causeOf(value: unknown): { reason: string; message: string }[] {
  const { reason, message } = (value ?? {}) as Record<string, unknown>;
  return typeof reason === 'string' && typeof message === 'string' ? [{ reason, message }] : [];
}

function jsonOf(payload: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
