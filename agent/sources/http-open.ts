/**
 * One HTTP request, directly or through a proxy, as Go's transport makes it (rows 32, 36): an http URL is asked for at
 * the proxy by its whole address, an https URL in a tunnel that CONNECT opened, so that the proxy reads nothing of it.
 *
 * Credentials of the proxy go to the proxy alone and are in no message. Decides nothing about what comes back.
 */
import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import type { RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';

export interface OpenOptions {
  readonly headers: OutgoingHttpHeaders;
  /** Null: the server itself is asked. */
  readonly proxy: URL | null;
  /** Certificates in PEM that are trusted, in place of Node's own list; empty: that list. */
  readonly authorities: readonly string[];
  readonly signal: AbortSignal;
}

/** What the proxy answered in the server's place, or that it could not be reached; without its credentials. */
export class ProxyError extends Error {}

// An agent that polls no https URL need not load TLS.
async function requestOf(url: URL): Promise<typeof httpRequest> {
  return url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
}

function trusted(authorities: readonly string[]): { ca?: string[] } {
  return authorities.length > 0 ? { ca: [...authorities] } : {};
}

function answerOf(asked: ClientRequest): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    asked.on('response', done);
    asked.on('error', fail);
    asked.end();
  });
}

function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function proxyHeaders({ username, password }: URL): OutgoingHttpHeaders {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'Proxy-Authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function proxyOptions(proxy: URL, { authorities, signal }: OpenOptions): RequestOptions {
  const { port, protocol } = proxy;
  const host = bareHost(proxy);
  // Else Node takes the Host header for the name to verify, which is the server's.
  const servername = isIP(host) === 0 ? host : '';
  return {
    ...{ protocol, host, servername, agent: false, signal },
    ...(port === '' ? {} : { port }),
    ...trusted(authorities),
  };
}

function proxyFault(proxy: URL, detail: string): ProxyError {
  return new ProxyError(`the proxy ${proxy.protocol}//${proxy.host}: ${detail}`);
}

function detailOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code !== undefined && !message.includes(code) ? `${message} (${code})` : message;
}

async function throughProxy(url: URL, proxy: URL, options: OpenOptions): Promise<IncomingMessage> {
  const request = await requestOf(proxy);
  const { username, password } = url;
  const own = username === '' && password === '' ? {} : { auth: authOf(url) };
  const asked = request({
    ...proxyOptions(proxy, options),
    ...own,
    path: `${url.protocol}//${url.host}${url.pathname}${url.search}`,
    headers: { Host: url.host, ...proxyHeaders(proxy), ...options.headers },
  });
  try {
    return await answerOf(asked);
  } catch (error) {
    throw proxyFault(proxy, detailOf(error));
  }
}

function authOf({ username, password }: URL): string {
  return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
}

async function tunnel(url: URL, proxy: URL, options: OpenOptions): Promise<Duplex> {
  const request = await requestOf(proxy);
  const target = `${url.hostname}:${url.port || '443'}`;
  const asked = request({
    ...proxyOptions(proxy, options),
    method: 'CONNECT',
    path: target,
    headers: { Host: target, ...proxyHeaders(proxy) },
  });
  return new Promise((done, fail) => {
    asked.on('connect', (response, socket) => {
      if (response.statusCode === 200) return done(socket);
      socket.destroy();
      fail(proxyFault(proxy, `status ${response.statusCode ?? 0} to CONNECT ${target}`));
    });
    asked.on('error', error => fail(proxyFault(proxy, detailOf(error))));
    asked.end();
  });
}

async function throughTunnel(url: URL, proxy: URL, options: OpenOptions): Promise<IncomingMessage> {
  const { headers, authorities, signal } = options;
  const socket = await tunnel(url, proxy, options);
  const [{ request }, tls] = await Promise.all([import('node:https'), import('node:tls')]);
  const host = bareHost(url);
  const name = isIP(host) === 0 ? { servername: host } : {};
  const createConnection = () => tls.connect({ socket, host, ...name, ...trusted(authorities) });
  try {
    const response = await answerOf(request(url, { headers, signal, createConnection }));
    // Else the connection to the proxy would stay half open.
    response.once('close', () => socket.destroy());
    return response;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Resolves with the head of the answer, whatever its status. Rejects with the system's error or a `ProxyError`. */
export async function openHttp(url: URL, options: OpenOptions): Promise<IncomingMessage> {
  const { headers, proxy, authorities, signal } = options;
  if (proxy !== null) {
    const through = url.protocol === 'https:' ? throughTunnel : throughProxy;
    return through(url, proxy, options);
  }
  const request = await requestOf(url);
  return answerOf(request(url, { headers, agent: false, signal, ...trusted(authorities) }));
}
