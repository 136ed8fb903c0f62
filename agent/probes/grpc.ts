/**
 * The grpc probe: it passes when `grpc.health.v1.Health/Check` says SERVING (kubelet behaviour row 104; `pkg/probe/grpc`).
 *
 * One unary call over HTTP/2 without TLS (gRPC over HTTP2, PROTOCOL-HTTP2.md), on a connection of its own that is gone with its
 * answer: `@grpc/grpc-js` leaves the socket of a server that accepts and stays silent open for ever, once per probe. The two
 * messages have one field each, so they are read and written by hand. What the server says in words is not told.
 */
import type { ClientHttp2Session } from 'node:http2';
import { AddressError, causeOf, hostAndPort, hostOf } from './address.js';
import { failure, probeError, SUCCESS, type ProbeAnswer, type ProbeCall } from './answer.js';
import type { Probe } from '../../protocol/pod.js';

type Grpc = NonNullable<Probe['grpc']>;

export const HEALTH_CHECK = '/grpc.health.v1.Health/Check';
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
const SERVING = 1;

const CODE_NAMES = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND'],
  ...['ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION'],
  ...['ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'],
  'UNAUTHENTICATED',
] as const;

/** Flag and length in front of a message. */
const PREFIX_BYTES = 5;
const ANSWER_MAX_BYTES = 10 * 1024;
/** The header `grpc-timeout` has at most eight digits. */
const TIMEOUT_MAX = 99_999_999;

/** `HealthCheckRequest { string service = 1; }` */
export function healthCheckRequest(service: string): Buffer {
  const text = Buffer.from(service, 'utf8');
  if (text.length === 0) return Buffer.alloc(0);
  const length: number[] = [];
  for (let left = text.length; ; left >>>= 7) {
    if (left < 0x80) {
      length.push(left);
      break;
    }
    length.push((left & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), text]);
}

/** A varint of protobuf, and where it ends. Throws at the end of the bytes. */
function varint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes.readUInt8(start + index);
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  throw new RangeError('a number of more than ten bytes');
}

/**
 * `HealthCheckResponse { ServingStatus status = 1; }`; 0 when it is not there, as protobuf has it. Other fields are passed
 * over. Throws `RangeError` on bytes that are no message.
 */
export function servingStatus(bytes: Buffer): number {
  let status = 0;
  for (let at = 0; at < bytes.length;) {
    const { value: tag, end } = varint(bytes, at);
    const wireType = tag & 7;
    if (wireType === 0) {
      const number = varint(bytes, end);
      if (tag >>> 3 === 1) status = number.value;
      at = number.end;
    } else if (wireType === 2) {
      const length = varint(bytes, end);
      at = length.end + length.value;
    } else if (wireType === 1 || wireType === 5) {
      at = end + (wireType === 1 ? 8 : 4);
    } else {
      throw new RangeError(`wire type ${wireType}`);
    }
    if (at > bytes.length) throw new RangeError('the message is cut');
  }
  return status;
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Throws `RangeError` on what is no single, plain message. */
function unframed(bytes: Buffer): Buffer {
  const message = bytes.subarray(PREFIX_BYTES);
  if (bytes.readUInt8(0) !== 0 || bytes.readUInt32BE(1) !== message.length) {
    throw new RangeError('not one plain message');
  }
  return message;
}

interface Reply {
  readonly httpStatus: number;
  /** Null when the server did not say how the call went. */
  readonly code: string | null;
  readonly body: Buffer;
}

/** Rejects when there is no connection, or none any more before the reply is whole. */
function call(session: ClientHttp2Session, service: string, timeoutMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    session.on('close', () => reject(new Error('the server closed the connection')));
    const stream = session.request({
      ':method': 'POST',
      ':path': HEALTH_CHECK,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
      'grpc-timeout': `${Math.min(timeoutMs, TIMEOUT_MAX)}m`,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let httpStatus = 0;
    let code: string | null = null;
    const read = (headers: Readonly<Record<string, unknown>>) => {
      const given = headers['grpc-status'];
      if (typeof given === 'string') code = given;
    };
    stream.on('response', headers => {
      httpStatus = headers[':status'] ?? 0;
      read(headers);
    });
    stream.on('trailers', read);
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= ANSWER_MAX_BYTES) chunks.push(chunk);
      else reject(new Error('the answer is longer than an answer can be'));
    });
    // A stream that its connection took down names that as its cause.
    stream.on('error', (error: Error) =>
      reject(error.cause instanceof Error ? error.cause : error),
    );
    stream.on('close', () => resolve({ httpStatus, code, body: Buffer.concat(chunks) }));
    stream.end(framed(healthCheckRequest(service)));
  });
}

function answerOf({ httpStatus, code, body }: Reply): ProbeAnswer {
  if (httpStatus !== 200) return failure(`error: health rpc probe failed: status ${httpStatus}`);
  const name = CODE_NAMES[Number(code ?? 2)] ?? 'UNKNOWN';
  if (name === 'UNIMPLEMENTED') {
    return failure(
      'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)',
    );
  }
  if (name !== 'OK') return failure(`error: health rpc probe failed: ${name}`);
  try {
    const status = servingStatus(unframed(body));
    if (status === SERVING) return SUCCESS;
    return failure(`service unhealthy (responded with "${STATUS_NAMES[status] ?? status}")`);
  } catch {
    return failure('error: health rpc probe failed: the answer cannot be read');
  }
}

const tooLate = (timeoutMs: number) =>
  failure(`timeout: health rpc did not complete within ${timeoutMs / 1000}s`);

export async function grpcProbe(
  action: Grpc,
  { target, ...options }: ProbeCall,
): Promise<ProbeAnswer> {
  const { timeoutMs, signal } = options;
  let where: string;
  try {
    where = hostAndPort(hostOf(undefined, target.host), action.port);
  } catch (error) {
    if (error instanceof AddressError) return probeError(error.message);
    throw error;
  }
  // Loaded by the first probe that needs it: most nodes have none.
  const { connect } = await import('node:http2');
  const session = connect(`http://${where}`);
  const giveUp = () => session.destroy();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const reply = await call(session, action.service ?? '', timeoutMs);
    return signal.aborted ? tooLate(timeoutMs) : answerOf(reply);
  } catch (error) {
    if (signal.aborted) return tooLate(timeoutMs);
    return failure(`error: failed to connect service at "${where}": ${causeOf(error)}`);
  } finally {
    signal.removeEventListener('abort', giveUp);
    session.destroy();
  }
}
