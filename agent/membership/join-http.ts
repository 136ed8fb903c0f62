/**
 * The few HTTPS requests of a join, each on a connection of its own, with a limit on the answer.
 * `trust: null` is the first meeting: nothing that comes over it is believed, and nothing secret
 * may be sent over it.
 */
import { request } from 'node:https';
import { speaksNoTls } from '../../protocol/no-tls.js';
import { hubTlsOptions } from './hub-tls.js';

const TIMEOUT_MS = 30_000;

export type JoinErrorCode =
  /** The file or line that the operator gave. */
  | 'BadLine'
  | 'BadNodeName'
  | 'AlreadyJoined'
  | 'Unreachable'
  /** The root is not the one of the join line, or not a chain from it. */
  | 'WrongRoot'
  /** The server is not the one whose authorities the root pins. */
  | 'WrongPin'
  /** The hub said no. */
  | 'Refused'
  /** The hub said something that no hub says. */
  | 'BadAnswer'
  /** This machine's disk. */
  | 'Local';

export class JoinError extends Error {
  override readonly name = 'JoinError';
  readonly code: JoinErrorCode;
  /** HTTP status of the hub's refusal. */
  readonly status: number | null;
  constructor(code: JoinErrorCode, message: string, status: number | null = null) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface HubRequest {
  readonly hubUrl: string;
  readonly path: string;
  /**
   * Authorities (PEM) that the server must chain to. Null: any server, for what verifies itself.
   */
  readonly trust: readonly string[] | null;
  readonly answerBytesMax: number;
  /** POSTs it as JSON; null: GET. */
  readonly body: Uint8Array | null;
}

/** Throws `JoinError`: Unreachable, WrongPin, BadAnswer. */
export function ask(query: HubRequest): Promise<Answer> {
  const { hubUrl, path, trust, answerBytesMax, body } = query;
  const tls = trust
    ? hubTlsOptions(trust)
    : ({ minVersion: 'TLSv1.3', rejectUnauthorized: false } as const);
  const headers = body && { 'Content-Type': 'application/json', 'Content-Length': body.byteLength };
  return new Promise((resolve, reject) => {
    const call = request(new URL(path, hubUrl), {
      ...tls,
      method: body ? 'POST' : 'GET',
      headers: headers ?? {},
      agent: false,
      timeout: TIMEOUT_MS,
    });
    call.on('timeout', () => call.destroy(new Error(`no answer for ${TIMEOUT_MS / 1000} s`)));
    call.on('error', error => reject(failureOf(error, query)));
    call.on('response', response => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size <= answerBytesMax) chunks.push(chunk);
        else call.destroy(new JoinError('BadAnswer', `${hubUrl}${path}: the answer is too large`));
      });
      response.on('error', error => reject(failureOf(error, query)));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    call.end(body);
  });
}

/** OpenSSL's and Node's codes for a server that is not the pinned one. */
const NOT_TRUSTED =
  /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT|INVALID_|HOSTNAME_MISMATCH)/;

function failureOf(error: Error, { hubUrl, trust }: HubRequest): JoinError {
  if (error instanceof JoinError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (trust && NOT_TRUSTED.test(code)) {
    return new JoinError(
      'WrongPin',
      `${hubUrl}: the server's certificate (${code}) is not one that the root pins: somebody is ` +
        'in the middle. Nothing secret was sent',
    );
  }
  const why = speaksNoTls(error) ? ', so what has this port speaks no HTTPS: is it the hub?' : '';
  return new JoinError(
    'Unreachable',
    `${hubUrl} cannot be reached: ${error.message || code}${why}`,
  );
}
