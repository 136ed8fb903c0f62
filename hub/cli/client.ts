/**
 * The CLI's HTTPS client of the hub's API: JSON in, JSON out, watches as streams. The CLI reaches the hub no other way.
 */
import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { WebSocket } from 'ws';
import { CliError } from '../../protocol/cli-error.js';
import { speaksNoTls } from '../../protocol/no-tls.js';
import type { Connection } from './kubeconfig.js';

export interface ApiObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: unknown;
  status?: unknown;
}

export interface ApiList {
  kind: string;
  metadata: { resourceVersion?: string };
  items: ApiObject[];
}

export interface Table {
  kind: 'Table';
  metadata: { resourceVersion?: string };
  columnDefinitions: { name: string; priority?: number }[];
  rows: { cells: unknown[]; object: ApiObject }[];
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: unknown;
}

interface Status {
  kind: 'Status';
  message?: string;
  reason?: string;
  code?: number;
  details?: { causes?: { field?: string; message?: string }[] };
}

/** The hub answered, and refused. `reason` is Kubernetes' (NotFound, Conflict, Invalid …). */
export class ApiError extends CliError {
  readonly reason: string;
  readonly code: number;
  /** The fields at fault. */
  readonly fields: readonly string[];
  constructor(status: Status, code: number) {
    // As kubectl: what the message says already is not said again.
    const causes = (status.details?.causes ?? [])
      .filter(({ message = '' }) => status.message?.includes(message) !== true)
      .map(({ field, message = '' }) => `  ${field ? `${field}: ` : ''}${message}`);
    const reason = status.reason ?? 'Unknown';
    const text = `the hub refused: ${status.message ?? 'no reason given'} (${reason})`;
    super(code >= 500 ? 'failed' : 'refused', [text, ...causes].join('\n'));
    this.reason = reason;
    this.code = code;
    this.fields = (status.details?.causes ?? []).flatMap(cause => cause.field ?? []);
  }
}

/** Nobody answered, or not to the end: another try may do. */
export class HubUnreachable extends CliError {}

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
/** No answer of the hub takes longer, watches excepted. */
const ANSWER_MS = 30_000;
/** A stream opens when its node has answered, over whatever link it has. */
const OPEN_MS = 90_000;

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are, instead of `body`. */
  readonly bytes?: { readonly content: Buffer; readonly type: string };
  readonly table?: boolean;
  readonly signal?: AbortSignal;
}

export class ApiClient {
  readonly connection: Connection;
  private readonly agent: Agent;
  readonly #onWarning: (text: string) => void;
  readonly #warned = new Set<string>();
  readonly #signal: AbortSignal | undefined;
  readonly #answerMs: number;

  /** `onWarning`: what the hub says beside an answer, each sentence once. `signal`: of calls that have none of their own. */
  constructor(
    connection: Connection,
    {
      onWarning = () => undefined,
      signal,
      answerMs = ANSWER_MS,
    }: {
      readonly onWarning?: (text: string) => void;
      readonly signal?: AbortSignal;
      readonly answerMs?: number;
    } = {},
  ) {
    this.connection = connection;
    this.#onWarning = onWarning;
    this.#signal = signal;
    this.#answerMs = answerMs;
    this.agent = new Agent({ keepAlive: true, maxSockets: 8 });
  }

  /** Throws `ApiError` for a refusal, `HubUnreachable` when there is no whole answer. */
  async call<T>(call: Call): Promise<T> {
    const response = await this.open(call, this.#answerMs);
    const body = await readBody(response).catch((error: unknown) => {
      throw this.#failure(call, error as Error);
    });
    const code = response.statusCode ?? 0;
    for (const text of warningsIn(response.headers.warning)) this.#warn(text);
    if (code >= 200 && code < 300) return body as T;
    throw new ApiError(asStatus(body, code), code);
  }

  /** Whoever interrupts is told of no hub that cannot be reached. */
  #failure({ signal = this.#signal }: Call, error: Error): Error {
    return signal?.aborted ? error : unreachable(this.connection.server, error);
  }

  #warn(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#onWarning(text);
  }

  /** Null instead of NotFound. */
  async get<T>(path: string): Promise<T | null> {
    try {
      return await this.call<T>({ path });
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'NotFound') return null;
      throw error;
    }
  }

  /**
   * Ends when the hub ends it or the signal aborts. Throws `ApiError` for an `ERROR` event (410 …),
   * `HubUnreachable` when the connection is lost.
   */
  async *watch(call: Call): AsyncGenerator<WatchEvent> {
    const query = { ...call.query, watch: 'true' };
    const response = await this.open({ ...call, query }, 0);
    const code = response.statusCode ?? 0;
    if (code !== 200) throw new ApiError(asStatus(await readBody(response), code), code);
    let rest = '';
    response.setEncoding('utf8');
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line.trim() === '') continue;
          const event = JSON.parse(line) as WatchEvent;
          if (event.type === 'ERROR') {
            const status = event.object as Status;
            throw new ApiError(status, status.code ?? 500);
          }
          yield event;
        }
      }
    } catch (error) {
      if (call.signal?.aborted === true) return;
      throw error instanceof ApiError ? error : unreachable(this.connection.server, error as Error);
    } finally {
      response.destroy();
    }
  }

  /** Bytes as they come, to the end. Throws `ApiError` for a refusal, `HubUnreachable` when the connection is lost. */
  async *bytes(call: Call): AsyncGenerator<Buffer> {
    const response = await this.open(call, 0);
    const code = response.statusCode ?? 0;
    if (code !== 200) throw new ApiError(asStatus(await readBody(response), code), code);
    try {
      yield* response as AsyncIterable<Buffer>;
    } catch (error) {
      throw call.signal?.aborted ? error : unreachable(this.connection.server, error as Error);
    } finally {
      response.destroy();
    }
  }

  /**
   * Open, and paused: to be resumed by whoever listens to it. Throws `ApiError` for a refusal, `HubUnreachable` when
   * there is no answer.
   */
  async webSocket(call: Pick<Call, 'path' | 'signal'>, query: URLSearchParams): Promise<WebSocket> {
    // Few commands speak it.
    const { WebSocket } = await import('ws');
    const { server, ca, cert, key, token, serverName, skipVerify } = this.connection;
    const url = `${server.href.replace(/\/$/, '')}${call.path}?${query.toString()}`;
    const socket = new WebSocket(url.replace(/^http/, 'ws'), ['v5.channel.k8s.io'], {
      ...{ ca, cert, key, rejectUnauthorized: !skipVerify, perMessageDeflate: false },
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      handshakeTimeout: OPEN_MS,
    });
    const abort = () => socket.terminate();
    call.signal?.addEventListener('abort', abort, { once: true });
    socket.once('close', () => call.signal?.removeEventListener('abort', abort));
    return new Promise((done, fail) => {
      socket.once('unexpected-response', (_request, response) => {
        const code = response.statusCode ?? 0;
        const refused = (body: unknown) => fail(new ApiError(asStatus(body, code), code));
        readBody(response).then(refused, fail);
      });
      socket.on('error', error => {
        fail(call.signal?.aborted ? new Error('interrupted') : unreachable(server, error));
      });
      socket.once('open', () => {
        socket.pause();
        done(socket);
      });
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private open(call: Call, timeoutMs: number): Promise<IncomingMessage> {
    const { server, ca, cert, key, token, serverName, skipVerify } = this.connection;
    const url = new URL(server.href.replace(/\/$/, '') + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const { bytes } = call;
    const body = bytes?.content ?? (call.body === undefined ? undefined : jsonBytes(call.body));
    const headers: Record<string, string> = { accept: call.table ? TABLE : 'application/json' };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (body !== undefined) {
      headers['content-type'] = bytes?.type ?? 'application/json';
      headers['content-length'] = String(body.length);
    }
    const options: RequestOptions = {
      agent: this.agent,
      method: call.method ?? 'GET',
      headers,
      ca,
      cert,
      key,
      rejectUnauthorized: !skipVerify,
    };
    if (serverName !== undefined) options.servername = serverName;
    const signal = call.signal ?? this.#signal;
    if (signal) options.signal = signal;
    return new Promise((done, fail) => {
      const req = request(url, options, done);
      req.on('error', error => fail(this.#failure(call, error)));
      if (timeoutMs > 0) {
        const late = () => req.destroy(new Error(`no answer within ${timeoutMs / 1000} s`));
        req.setTimeout(timeoutMs, late);
        req.once('socket', socket => greeted(socket as TLSSocket, { timeoutMs, late }));
      }
      req.end(body);
    });
  }
}

const NO_HTTPS =
  'what has this port speaks no HTTPS: is it the port of the hub (see its hub.yaml), and not that of MQTT or of another program?';

/** Node's own timeout begins with the end of the handshake. */
function greeted(
  socket: TLSSocket,
  { timeoutMs, late }: { readonly timeoutMs: number; readonly late: () => void },
): void {
  if (!socket.connecting) return;
  const timer = setTimeout(late, timeoutMs);
  const done = () => clearTimeout(timer);
  socket.once('secureConnect', done);
  socket.once('close', done);
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function unreachable(server: URL, error: Error): HubUnreachable {
  const code = (error as NodeJS.ErrnoException).code;
  const hint =
    code === 'ECONNREFUSED'
      ? 'is the hub running? start it with `flotilla hub run --data-dir DIR`'
      : speaksNoTls(error)
        ? NO_HTTPS
        : 'does the kubeconfig belong to this hub?';
  return new HubUnreachable(
    'failed',
    `cannot reach the hub at ${server.origin}: ${error.message}`,
    hint,
  );
}

async function readBody(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return { kind: 'Status', message: text.slice(0, 200) };
  }
}

function asStatus(body: unknown, code: number): Status {
  const status = body as Status;
  if (body !== null && typeof body === 'object' && status.kind === 'Status') return status;
  return { kind: 'Status', message: `unexpected answer (HTTP ${code})`, code };
}

/** Of the header `Warning` (RFC 7234 section 5.5), as an API server sends it. Pure. */
export function warningsIn(header: string | undefined): string[] {
  const found = (header ?? '').matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return [...found].map(([, text = '']) => text.replace(/\\(.)/g, '$1'));
}
