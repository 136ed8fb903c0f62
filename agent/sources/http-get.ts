/**
 * One GET with redirects, limits and a time limit, as Go's HTTP client makes it for the kubelet's URL source (rows 32,
 * 33, 35, 36).
 *
 * At most ten redirects; the configured headers go to no other host than the configured one and its subdomains, and
 * not from https to http. Through a proxy where the environment names one. Never says a header's value. Decides nothing about what comes back.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../protocol/ports.js';
import { MAX_MANIFEST_BYTES } from '../../protocol/manifest.js';
import { openHttp, ProxyError } from './http-open.js';
import type { Validators } from './last-body.js';
import { proxyFor, type ProxyVariables } from './proxy-choice.js';
import type { Outcome } from './url-decide.js';

export type Headers = Readonly<Record<string, readonly string[]>>;

export interface GetOptions {
  readonly url: string;
  readonly headers: Headers;
  /** Sent as If-None-Match and If-Modified-Since. */
  readonly validators: Validators;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Certificates in PEM that are trusted, in place of Node's own list; empty: that list. */
  readonly authorities: readonly string[];
  readonly proxies: ProxyVariables;
  readonly signal: AbortSignal;
}

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

class GetError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** Nobody between can read it. */
function isPrivateUrl({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || isLoopback(hostname);
}

/** As Go has it: the same host or a subdomain of it, whatever the port. */
function mayHaveHeaders(first: URL, next: URL): boolean {
  if (first.protocol === 'https:' && next.protocol !== 'https:') return false;
  return next.hostname === first.hostname || next.hostname.endsWith(`.${first.hostname}`);
}

async function readBody(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_MANIFEST_BYTES) {
      response.destroy();
      throw new GetError('TooLarge', `the answer is larger than ${MAX_MANIFEST_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  if (!response.complete) throw new GetError('Unreachable', 'the answer was cut off');
  return Buffer.concat(chunks);
}

function nextUrl(response: IncomingMessage, from: URL): URL {
  const { location } = response.headers;
  const status = response.statusCode ?? 0;
  if (location === undefined) {
    throw new GetError('BadStatus', `status ${status} without a Location`);
  }
  const next = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (next === null || !/^https?:$/.test(next.protocol)) {
    throw new GetError('BadRedirect', 'redirected to what is no http or https URL');
  }
  return next;
}

function chosenProxy(url: URL, { proxies }: GetOptions): URL | null {
  const choice = proxyFor(url, proxies);
  if (choice.is === 'unusable') throw new GetError('BadProxy', choice.message);
  return choice.is === 'proxy' ? choice.proxy : null;
}

async function get(options: GetOptions): Promise<Outcome> {
  const first = new URL(options.url);
  const { etag, lastModified } = options.validators;
  const conditional = {
    ...(etag === null ? {} : { 'If-None-Match': etag }),
    ...(lastModified === null ? {} : { 'If-Modified-Since': lastModified }),
  };
  let url = first;
  let isPrivate = isPrivateUrl(first);
  let withHeaders = true;
  for (let redirects = 0; ; redirects++) {
    const configured = Object.entries(withHeaders ? options.headers : {});
    const own = Object.fromEntries(configured.map(([name, values]) => [name, [...values]]));
    const base = { 'User-Agent': 'flotilla-agent', ...conditional };
    const response = await openHttp(url, {
      headers: { ...base, ...own },
      proxy: chosenProxy(url, options),
      authorities: options.authorities,
      signal: options.signal,
    });
    const status = response.statusCode ?? 0;
    if (REDIRECTS.has(status)) {
      response.destroy();
      if (redirects === MAX_REDIRECTS) {
        throw new GetError('BadRedirect', `stopped after ${MAX_REDIRECTS} redirects`);
      }
      url = nextUrl(response, url);
      withHeaders &&= mayHaveHeaders(first, url);
      isPrivate &&= isPrivateUrl(url);
      continue;
    }
    if (status === 304 && (etag !== null || lastModified !== null)) {
      response.destroy();
      return { is: 'unchanged' };
    }
    if (status !== 200) {
      response.destroy();
      throw new GetError('BadStatus', `status ${status}, only 200 counts`);
    }
    const bytes = await readBody(response);
    const given = { etag: response.headers.etag, at: response.headers['last-modified'] };
    const body = { bytes, etag: given.etag ?? null, lastModified: given.at ?? null };
    return { is: 'body', body, isPrivate };
  }
}

function reasonOf(error: unknown, isLate: boolean, timeoutMs: number): Outcome {
  if (isLate) {
    return { is: 'failed', reason: 'Timeout', message: `no answer within ${timeoutMs / 1000} s` };
  }
  if (error instanceof GetError) {
    return { is: 'failed', reason: error.reason, message: error.message };
  }
  if (error instanceof ProxyError) {
    return { is: 'failed', reason: 'ProxyFailed', message: error.message.slice(0, 300) };
  }
  const { code, message } = error as NodeJS.ErrnoException;
  const said = code !== undefined && !message.includes(code) ? `${message} (${code})` : message;
  return { is: 'failed', reason: 'Unreachable', message: said.slice(0, 300) };
}

/** Never rejects: an abort by `signal` is a failure like any other. */
export async function httpGet(options: GetOptions): Promise<Outcome> {
  const { clock, timeoutMs, signal } = options;
  const ended = new AbortController();
  const given = new AbortController();
  let isLate = false;
  const stop = () => {
    given.abort();
  };
  signal.addEventListener('abort', stop, { once: true });
  const limit = clock.sleep(timeoutMs, ended.signal).then(() => {
    if (ended.signal.aborted) return;
    isLate = true;
    given.abort();
  });
  try {
    return await get({ ...options, signal: given.signal });
  } catch (error) {
    return reasonOf(error, isLate, timeoutMs);
  } finally {
    signal.removeEventListener('abort', stop);
    ended.abort();
    await limit;
  }
}
