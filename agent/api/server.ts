/**
 * The agent's own API: on a Unix socket in the data directory (mode 0600 decides who may) and, if configured, on a
 * loopback address for scrapers, where nothing can be changed. Listens and answers errors; what there is stands in
 * `routes.ts`.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { HttpError } from './http-error.js';
import { answer, type ApiSources } from './routes.js';

/** The kernel's limit for the path of a Unix socket, in bytes. */
const SOCKET_PATH_MAX = 107;

export interface ApiServer {
  close(): Promise<void>;
}

/** Why an agent cannot start, for a person. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  /** `failed`: another start may find it otherwise. */
  readonly exit: 'refused' | 'failed';
  constructor(message: string, exit: 'refused' | 'failed' = 'refused') {
    super(message);
    this.exit = exit;
  }
}

/** Throws a sentence when the path is too long or another agent answers on it. A socket left by a crash is replaced. */
export async function serveSocket(path: string, sources: ApiSources): Promise<ApiServer> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw new AgentError(
      `${path}: longer than the ${SOCKET_PATH_MAX} bytes of a Unix socket; use a shorter --data-dir`,
    );
  }
  if (await answersAlready(path))
    throw new AgentError(`another agent runs on this data directory (${path} answers)`);
  rmSync(path, { force: true });
  const server = serverOf(sources, { mayChange: true });
  await listening(server, () => server.listen(path));
  chmodSync(path, 0o600);
  return closable(server);
}

/** Throws a sentence when the port is taken. Reading only. */
export async function serveLoopback(
  { host, port }: { readonly host: string; readonly port: number },
  sources: ApiSources,
): Promise<ApiServer> {
  const server = serverOf(sources, { mayChange: false });
  try {
    await listening(server, () => server.listen(port, host));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new AgentError(`apiListen: cannot listen on ${host}:${port} (${code})`, 'failed');
  }
  return closable(server);
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

function serverOf(sources: ApiSources, options: { readonly mayChange: boolean }): Server {
  return createServer((request, response) => {
    const closed = new AbortController();
    response.on('close', () => closed.abort());
    const asked = { request, response, signal: closed.signal, ...options };
    answer(asked, sources).catch((error: unknown) => {
      const code = error instanceof HttpError ? error.code : 500;
      if (response.headersSent) return void response.destroy();
      response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
}

async function listening(server: Server, listen: () => void): Promise<void> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.once('listening', () => {
      server.off('error', fail);
      done();
    });
    listen();
  });
}

function closable(server: Server): ApiServer {
  return {
    close: () =>
      new Promise(done => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
