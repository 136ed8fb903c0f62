/**
 * The agent's own API on a Unix socket in the data directory, for a person at the device and for scrapers: the
 * kubelet's read-only endpoints (`/healthz`, `/pods`, `/containerLogs/<ns>/<pod>/<container>`, rows 218–221) and
 * `/status`, `/plan`. File mode 0600 decides who may read. GET only; nothing here changes anything.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { PodReport } from './ports.js';
import { RuntimeError, type ContainerRuntime, type LogOptions } from './runtime/runtime.js';

/** The kernel's limit for the path of a Unix socket, in bytes. */
const SOCKET_PATH_MAX = 107;

export interface SocketSources {
  readonly nodeName: string;
  readonly pods: () => readonly PodReport[];
  /** False when the loop that reconciles pods has stopped moving (row 219). */
  readonly healthy: () => boolean;
  readonly status: () => unknown;
  /** What is being done and what waits for its time, line by line. */
  readonly plan: () => string;
  readonly logs: ContainerRuntime['logs'];
}

export interface SocketServer {
  close(): Promise<void>;
}

/** Why an agent cannot start, for a person. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}

class HttpError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

async function answersAlready(path: string): Promise<boolean> {
  return new Promise(done => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      done(true);
    });
    probe.on('error', () => done(false));
  });
}

/** Throws a sentence when the path is too long or another agent answers on it. A socket left by a crash is replaced. */
export async function serveSocket(path: string, sources: SocketSources): Promise<SocketServer> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw new AgentError(
      `${path}: longer than the ${SOCKET_PATH_MAX} bytes of a Unix socket; use a shorter --data-dir`,
    );
  }
  if (await answersAlready(path))
    throw new AgentError(`another agent runs on this data directory (${path} answers)`);
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    const closed = new AbortController();
    response.on('close', () => closed.abort());
    handle(request, response, { sources, signal: closed.signal }).catch((error: unknown) => {
      const code = error instanceof HttpError ? error.code : 500;
      if (response.headersSent) return void response.destroy();
      response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(path, done);
  });
  chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise(done => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

interface Handling {
  readonly sources: SocketSources;
  readonly signal: AbortSignal;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  h: Handling,
): Promise<void> {
  if (request.method !== 'GET') throw new HttpError(405, 'this socket is for reading');
  const url = new URL(request.url ?? '/', 'http://agent');
  const { sources } = h;
  switch (url.pathname) {
    case '/healthz':
      if (!sources.healthy())
        throw new HttpError(500, 'the loop that reconciles pods does not move');
      response.end('ok');
      return;
    case '/pods':
      json(response, podListOf(sources.pods()));
      return;
    case '/status':
      json(response, sources.status());
      return;
    case '/plan':
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(sources.plan());
      return;
  }
  if (url.pathname.startsWith('/containerLogs/')) return streamLogs(url, response, h);
  throw new HttpError(404, `no ${url.pathname} here`);
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

/** `items` is `[]`, never null, when there are none (row 221). */
export function podListOf(reports: readonly PodReport[]): unknown {
  const items = reports.map(report => ({ apiVersion: 'v1', kind: 'Pod', ...report.pod }));
  return { apiVersion: 'v1', kind: 'PodList', metadata: {}, items };
}

async function streamLogs(
  url: URL,
  response: ServerResponse,
  { sources, signal }: Handling,
): Promise<void> {
  const [, , namespace, pod, container] = url.pathname.split('/').map(decodeURIComponent);
  if (!namespace || !pod)
    throw new HttpError(400, 'say /containerLogs/<namespace>/<pod>/<container>');
  const query = url.searchParams;
  const id = containerIdOf(sources, {
    namespace,
    pod,
    container: container ?? '',
    previous: query.get('previous') === 'true',
  });
  const chunks = sources.logs(id, logOptionsOf(query), signal);
  try {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    response.flushHeaders();
    for await (const chunk of chunks) {
      if (!response.write(chunk))
        await new Promise(done => response.once('drain', done).once('close', done));
      if (signal.aborted) break;
    }
    response.end();
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NotFound') {
      response.end(`the container is gone: ${error.message}\n`);
    } else throw error;
  }
}

interface LogTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
}

/** The engine's id; the node's suffix of the pod's name and the name of an only container may be left out. */
function containerIdOf(sources: SocketSources, target: LogTarget): string {
  const { namespace, pod, container, previous } = target;
  const keys = [`${namespace}/${pod}`, `${namespace}/${pod}-${sources.nodeName}`];
  const report = sources.pods().find(r => keys.includes(r.key));
  if (!report) throw new HttpError(404, `no pod "${pod}" in namespace ${namespace}`);
  const names = (report.pod.spec?.containers ?? []).map(c => c.name);
  const name = container === '' && names.length === 1 ? names[0] : container;
  if (name === '') {
    throw new HttpError(
      400,
      `a container name must be specified for pod ${pod}, choose one of: [${names.join(' ')}]`,
    );
  }
  if (name === undefined || !names.includes(name)) {
    throw new HttpError(
      404,
      `no container "${container}" in pod ${pod}; it has: ${names.join(', ')}`,
    );
  }
  const status = report.pod.status?.containerStatuses?.find(s => s.name === name);
  const id = previous ? status?.lastState?.terminated?.containerID : status?.containerID;
  if (id === undefined || id === '') {
    const what = previous ? 'previous terminated container' : 'container';
    throw new HttpError(
      400,
      `${what} "${name}" in pod "${pod}" not found: it has not run${previous ? ' before' : ' yet'}`,
    );
  }
  return id.replace(/^[a-z]+:\/\//, '');
}

function logOptionsOf(query: URLSearchParams): LogOptions {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new HttpError(400, `${name} must be a number of 0 or more`);
    return Number(text);
  };
  const tailLines = number('tailLines');
  const sinceSeconds = number('sinceSeconds');
  const limitBytes = number('limitBytes');
  const since = query.get('sinceTime');
  if (since !== null && Number.isNaN(Date.parse(since)))
    throw new HttpError(400, 'sinceTime must be RFC 3339');
  return {
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === null ? {} : { sinceTime: new Date(since) }),
  };
}
