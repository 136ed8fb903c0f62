/**
 * GET as probes and hooks make it: of Go's client with the kubelet's settings (`pkg/probe/http`, kubelet behaviour rows 99 to 101).
 *
 * No proxy, no connection that is kept, no trust in certificates asked for. Redirects on the same host are followed. At most 10 KiB
 * of a body are read, and dropped: a body never leaves this file. Decides nothing about the answer.
 */
import { request as httpRequest, type ClientRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { hostAndPort, hostOf, portNumber } from './address.js';
import type { Container, HTTPGetAction } from '../../protocol/pod.js';

const BODY_MAX_BYTES = 10 * 1024;
const REDIRECTS_MAX = 10;
/** Far above what servers send, far below what would hurt. */
const HEADERS_MAX_BYTES = 256 * 1024;
/** Those that Go's client follows; others, and those without a place to go to, are the answer. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Go writes these by itself. */
const NOT_TAKEN = new Set(['host', 'content-length', 'transfer-encoding', 'trailer']);

/** The version of Kubernetes whose kubelet this behaves as. */
const KUBERNETES_VERSION = '1.36';

export interface HttpTarget {
  readonly url: URL;
  /** As it goes over the wire: `URL` would clean the path up, and Go does not. */
  readonly path: string;
  /** Canonical names; several values of one name in their order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Header `Host`, if it is given. */
  readonly host: string | null;
}

export interface HttpAnswer {
  readonly status: number;
  /** A redirect that was not followed, because it leads to another host or nowhere. */
  readonly isRedirect: boolean;
}

/** As Go's `CanonicalHeaderKey`. */
function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(?<=^|-)[a-z]/g, letter => letter.toUpperCase());
}

/** Node writes headers in Latin-1: this way UTF-8 comes out as it went in. */
function headerBytes(value: string): string {
  return Buffer.from(value.trim(), 'utf8').toString('latin1');
}

function wirePath(path: string): string {
  const [beforeFragment = ''] = path.split('#');
  const rooted = beforeFragment.startsWith('/') ? beforeFragment : `/${beforeFragment}`;
  return rooted.replace(/[^\x21-\x7e]/gu, character =>
    [...Buffer.from(character, 'utf8')]
      .map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

function headersOf(action: HTTPGetAction, userAgent: string): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const { name, value } of action.httpHeaders ?? []) {
    const canonical = canonicalName(name);
    headers.set(canonical, [...(headers.get(canonical) ?? []), headerBytes(value)]);
  }
  if (!headers.has('User-Agent')) headers.set('User-Agent', [userAgent]);
  if (!headers.has('Accept')) headers.set('Accept', ['*/*']);
  // Row 101: an empty one removes them.
  for (const name of ['User-Agent', 'Accept'])
    if (headers.get(name)?.[0] === '') headers.delete(name);
  return headers;
}

export interface HttpCaller {
  readonly container: Container | null;
  /** The container's own address, where the action names no host. */
  readonly address: string;
  readonly agent: 'kube-probe' | 'kube-lifecycle';
}

/** Throws `AddressError`, or a `TypeError` for a host that no URL can have. */
export function httpTarget(action: HTTPGetAction, caller: HttpCaller): HttpTarget {
  const port = portNumber(action.port, caller.container);
  const authority = hostAndPort(hostOf(action.host, caller.address), port);
  const scheme = (action.scheme || 'HTTP').toLowerCase();
  const path = wirePath(action.path || '/');
  const headers = headersOf(action, `${caller.agent}/${KUBERNETES_VERSION}`);
  const host = headers.get('Host')?.[0] || null;
  return { url: new URL(`${scheme}://${authority}${path}`), path, headers, host };
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** Without brackets, as a socket takes it. */
function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** With the port, also where the scheme has it as its own: as Go shows and sends it. */
function authorityOf(url: URL): string {
  return hostAndPort(hostnameOf(url), portOf(url));
}

/** For messages. */
export function urlText({ url, path }: HttpTarget): string {
  return `${url.protocol}//${authorityOf(url)}${path}`;
}

function requestOf({ url, path, headers, host }: HttpTarget, signal: AbortSignal): ClientRequest {
  const hostname = hostnameOf(url);
  const options: RequestOptions = {
    host: hostname,
    port: portOf(url),
    path,
    agent: false,
    setHost: false,
    maxHeaderSize: HEADERS_MAX_BYTES,
    signal,
  };
  const request =
    url.protocol === 'https:'
      ? httpsRequest({
          ...options,
          rejectUnauthorized: false,
          minVersion: 'TLSv1',
          servername: isIP(hostname) === 0 ? hostname : '',
        })
      : httpRequest(options);
  request.setHeader('Host', host ?? authorityOf(url));
  for (const [name, values] of headers) {
    if (!NOT_TAKEN.has(name.toLowerCase())) request.setHeader(name, values);
  }
  return request;
}

interface Hop {
  readonly status: number;
  readonly location: string;
}

/** Rejects when the other side cannot be reached, breaks off, or takes longer than the signal lets it. */
function oneHop(target: HttpTarget, signal: AbortSignal): Promise<Hop> {
  return new Promise((resolve, reject) => {
    const request = requestOf(target, signal);
    const done = (hop: Hop) => {
      resolve(hop);
      request.destroy();
    };
    request.on('error', reject);
    request.on('close', () => reject(new Error('the server closed the connection')));
    // A switch of protocols that nobody asked for is an answer like any other.
    request.on('upgrade', ({ statusCode = 0 }) => done({ status: statusCode, location: '' }));
    request.on('response', response => {
      const hop = { status: response.statusCode ?? 0, location: response.headers.location ?? '' };
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes >= BODY_MAX_BYTES) done(hop);
      });
      response.on('end', () => done(hop));
      response.on('error', reject);
    });
    request.end();
  });
}

/** Null when it leads to another host name, or is not to be read. */
function nextTarget(target: HttpTarget, first: URL, location: string): HttpTarget | null {
  if (!URL.canParse(location, target.url.href)) throw new Error('a redirect that leads nowhere');
  const url = new URL(location, target.url);
  if (url.hostname !== first.hostname) return null;
  if (!['http:', 'https:'].includes(url.protocol)) throw new Error('a redirect out of HTTP');
  // A given Host goes on as long as the redirect does not name a host itself.
  const isRelative = !URL.canParse(location);
  const { pathname, search } = url;
  return { ...target, url, path: `${pathname}${search}`, host: isRelative ? target.host : null };
}

/** Rejects like `fetch`: an answer, whatever its status, is no error. */
export async function httpGet(target: HttpTarget, signal: AbortSignal): Promise<HttpAnswer> {
  let current = target;
  for (let hops = 1; ; hops += 1) {
    const { status, location } = await oneHop(current, signal);
    const isRedirect = status >= 300 && status < 400;
    if (!REDIRECTS.has(status) || location === '') return { status, isRedirect };
    const next = nextTarget(current, target.url, location);
    if (next === null) return { status, isRedirect };
    if (hops >= REDIRECTS_MAX) throw new Error(`stopped after ${REDIRECTS_MAX} redirects`);
    current = next;
  }
}
