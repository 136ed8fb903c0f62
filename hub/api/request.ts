/**
 * What a route is given and what it gives back. Routes are functions from `ApiRequest` to `Answer`; they never see
 * sockets. Bodies are read only when asked for, and never beyond their limit.
 */
import type { Actor } from '../store/store.js';
import type { Subject } from './status.js';
import type { Upgrade } from './upgrade.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface ApiRequest {
  readonly method: Method;
  /** The named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly accept: string;
  /** Without parameters, in lower case; empty if the client gives none. */
  readonly contentType: string;
  /** Whom to name in mutations; on routes for anyone the name is `system:anonymous`. */
  readonly actor: Actor;
  /** Of the client. */
  readonly address: string;
  /** Aborts when the client went away or the server closes. */
  readonly signal: AbortSignal;
  /** The whole body. Throws RequestEntityTooLarge above `bytesMax`. To be called once. */
  body(bytesMax: number): Promise<Buffer>;
  /**
   * The body as JSON of at most `JSON_BYTES_MAX`; undefined if it is empty. `type`: what it has to say it is, absent: `application/json`.
   * Throws BadRequest, UnsupportedMediaType.
   */
  json(type?: string): Promise<unknown>;
}

export type Answer =
  | {
      readonly type: 'json';
      readonly code: number;
      readonly body: object;
      /** For the person who asked, one sentence each: kubectl prints them. */
      readonly warnings?: readonly string[];
    }
  | {
      readonly type: 'bytes';
      readonly code: number;
      readonly contentType: string;
      readonly content: Uint8Array;
    }
  /** Headers go out at once. `live`: has no end of its own, so no time limit. */
  | {
      readonly type: 'stream';
      readonly live: boolean;
      readonly chunks: AsyncIterable<string | Uint8Array>;
      /** Absent: JSON. */
      readonly contentType?: string;
      /** How long a reader may take nothing; absent: half a minute. */
      readonly stalledMs?: number;
    };

export function json(body: object, code = 200): Answer {
  return { type: 'json', code, body };
}

export function text(
  content: string,
  contentType = 'text/plain; charset=utf-8',
  code = 200,
): Answer {
  return { type: 'bytes', code, contentType, content: Buffer.from(content) };
}

/** `anyone`: without a client certificate. `monitor`: administrators, and who may watch the hub and do nothing else. */
export type Access = 'admin' | 'monitor' | 'anyone';

export interface Route {
  readonly method: Method;
  /** `/api/v1/namespaces/:namespace/pods/:name`: a part that begins with a colon is a parameter. */
  readonly path: string;
  readonly access: Access;
  /** For the details of errors. */
  readonly subject?: Omit<Subject, 'name'>;
  handle(request: ApiRequest): Promise<Answer>;
  /**
   * Takes the connection over when the client asks for another protocol. Throws what is to be answered instead, as long as
   * nothing was; resolves when the connection may end.
   */
  upgrade?(request: ApiRequest, upgrade: Upgrade): Promise<void>;
}

/** A parameter that the route's own path names. */
export function param(request: ApiRequest, name: string): string {
  const value = request.params[name];
  if (value === undefined) throw new Error(`the route has no parameter ":${name}"`);
  return value;
}
