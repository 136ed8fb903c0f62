/**
 * Reads request bodies: never beyond the limit, whole or not at all, and JSON alone. Nesting is counted before the
 * parser runs. Requiring the JSON content type also keeps web pages from writing with a browser's certificate.
 */
import { excerpt } from '../../protocol/excerpt.js';
import type { IncomingMessage } from 'node:http';
import { nestingDepth } from '../../protocol/canonical.js';
import { RequestError } from '../ports.js';

/** As Kubernetes limits the bodies of requests. */
export const JSON_BYTES_MAX = 3 * 1024 * 1024;
const DEPTH_MAX = 64;

function tooLarge(bytesMax: number): RequestError {
  return new RequestError(
    'RequestEntityTooLarge',
    `the body is larger than ${bytesMax} bytes, the limit of this path`,
  );
}

/** Throws RequestEntityTooLarge, or BadRequest for a body that broke off. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    // Leaving the loop must not destroy the socket: the refusal is still to be written to it.
    for await (const piece of request.iterator({ destroyOnReturn: false })) {
      size += (piece as Buffer).length;
      if (size > bytesMax) throw tooLarge(bytesMax);
      pieces.push(piece as Buffer);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError('BadRequest', 'the body broke off');
  }
  return Buffer.concat(pieces);
}

function checkType(request: IncomingMessage, wanted: string): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new RequestError('UnsupportedMediaType', 'compressed bodies are not read');
  }
  const type = request.headers['content-type'] ?? '';
  if (type.split(';')[0]?.trim().toLowerCase() === wanted) return;
  throw new RequestError(
    'UnsupportedMediaType',
    `the body is "${excerpt(type)}": only ${wanted} is read`,
  );
}

function forbidPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('a key is "__proto__"');
  return value;
}

/** Undefined for an empty body. Throws BadRequest, UnsupportedMediaType, RequestEntityTooLarge. */
export async function readJson(
  request: IncomingMessage,
  type = 'application/json',
): Promise<unknown> {
  const length = request.headers['content-length'];
  if (length === '0' || (length === undefined && !request.headers['transfer-encoding'])) {
    return undefined;
  }
  checkType(request, type);
  const text = decode(await readBody(request, JSON_BYTES_MAX));
  if (text.trim() === '') return undefined;
  if (nestingDepth(text) > DEPTH_MAX) {
    throw new RequestError('BadRequest', `the body is nested deeper than ${DEPTH_MAX}`);
  }
  try {
    return JSON.parse(text, forbidPrototype);
  } catch (error) {
    throw new RequestError('BadRequest', `the body is not JSON: ${(error as Error).message}`);
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new RequestError('BadRequest', 'the body is not UTF-8');
  }
}
