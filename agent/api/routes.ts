/**
 * What the agent's API answers: the kubelet's read-only endpoints (`/healthz`, `/pods`, `/configz`, `/metrics`,
 * `/containerLogs/<ns>/<pod>/<container>`, rows 218 to 222), `/status`, `/plan`, `/events`, and on the Unix socket
 * `POST /retry`, `/rotate`, `/import`, `/receipt`, `/leave`, `/activate`, `/hold`, `/release` and `/undo`. Paths that are not there are 404, methods
 * that do not fit 405.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EventRecord } from '../../protocol/documents/node.js';
import type { PodReport } from '../ports.js';
import { streamLogs, type LogSources } from './container-logs.js';
import type { SiteAnswer } from '../site.js';
import type { UndoWish } from '../site-undo.js';
import { HttpError } from './http-error.js';
import type { Figures } from './metrics.js';

export interface ApiSources extends LogSources {
  /** False when the loop that reconciles pods has stopped moving (row 219). */
  readonly healthy: () => boolean;
  /** May be a promise. */
  readonly status: () => unknown;
  /** What is being done and what waits for its time, line by line. */
  readonly plan: () => string;
  /** The settings in force, without secrets. */
  readonly configz: () => unknown;
  readonly figures: () => Promise<Figures>;
  /** The newest events, oldest first. */
  readonly events: () => readonly EventRecord[];
  /** Tries at once what waits for its time: all pods, or those of one key; false when there is no such pod. */
  readonly retry: (pod: string | null) => boolean;
  /** Gives this node other keys: a new identity key with a new sealing key, or that alone. */
  readonly rotate: (what: { readonly identity: boolean }) => Promise<unknown>;
  /** Takes a file that was carried here, by its path. */
  readonly import: (file: string) => Promise<unknown>;
  /** Takes this node out of its fleet. */
  readonly leave: () => Promise<unknown>;
  /** What a person at the device says of bundles; throws `HttpError`. */
  readonly site: (
    word: 'activate' | 'hold' | 'release' | 'undo' | 'redo',
    wish: UndoWish,
  ) => SiteAnswer;
  /** What goes back to the hub in a file. */
  readonly receipt: () => unknown;
}

export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** Only who may open the Unix socket may change anything. */
  readonly mayChange: boolean;
}

type Handler = (asked: Asked, url: URL, sources: ApiSources) => Promise<void> | void;

const READ: Readonly<Record<string, Handler>> = {
  '/healthz': ({ response }, _url, sources) => {
    if (!sources.healthy()) throw new HttpError(500, 'the loop that reconciles pods does not move');
    text(response, 'ok');
  },
  '/pods': ({ response }, _url, sources) => json(response, podListOf(sources.pods())),
  '/status': async ({ response }, _url, sources) => json(response, await sources.status()),
  '/plan': ({ response }, _url, sources) => text(response, sources.plan()),
  '/configz': ({ response }, _url, sources) => json(response, sources.configz()),
  '/events': ({ response }, _url, sources) => {
    json(response, eventListOf(sources.events(), sources.nodeName));
  },
  '/metrics': async ({ response }, _url, sources) => {
    // A library that only scrapers need is loaded by the first of them.
    const { exposition } = await import('./metrics.js');
    const { contentType, body } = await exposition(await sources.figures());
    response.writeHead(200, { 'content-type': contentType });
    response.end(body);
  },
};

const CHANGE: Readonly<Record<string, Handler>> = {
  '/retry': ({ response }, url, sources) => {
    const pod = url.searchParams.get('pod');
    if (!sources.retry(pod)) throw new HttpError(404, `no pod "${pod ?? ''}" on this node`);
    text(response, 'ok');
  },
  '/rotate': async ({ response }, url, sources) => {
    const what = url.searchParams.get('what') ?? 'identity';
    if (what !== 'identity' && what !== 'sealing') {
      throw new HttpError(400, 'what: one of identity, sealing');
    }
    json(response, await sources.rotate({ identity: what === 'identity' }));
  },
  '/import': async ({ response }, url, sources) => {
    const file = url.searchParams.get('file') ?? '';
    if (!file.startsWith('/')) throw new HttpError(400, 'file: an absolute path');
    json(response, await sources.import(file));
  },
  '/leave': async ({ response }, _url, sources) => json(response, await sources.leave()),
  '/activate': ({ response }, { searchParams }, sources) => {
    json(response, sources.site('activate', wishOf(searchParams)));
  },
  '/hold': ({ response }, { searchParams }, sources) => {
    json(response, sources.site('hold', wishOf(searchParams)));
  },
  '/release': ({ response }, { searchParams }, sources) => {
    json(response, sources.site('release', wishOf(searchParams)));
  },
  '/undo': ({ response }, { searchParams }, sources) => {
    json(response, sources.site('undo', wishOf(searchParams)));
  },
  '/redo': ({ response }, { searchParams }, sources) => {
    json(response, sources.site('redo', wishOf(searchParams)));
  },
  '/receipt': ({ response }, _url, sources) => json(response, sources.receipt()),
};

function wishOf(asked: URLSearchParams): UndoWish {
  const [by, reason] = [asked.get('by') ?? '', asked.get('reason') ?? ''];
  const from = asked.has('from') ? Number(asked.get('from')) : null;
  return { bundle: asked.get('bundle'), by, reason, isTrial: asked.has('trial'), from };
}

/** Throws `HttpError`. */
export async function answer(asked: Asked, sources: ApiSources): Promise<void> {
  const { request, response, signal } = asked;
  refuseOtherHosts(asked);
  const url = urlOf(request.url ?? '/');
  const path = url.pathname;
  const change = CHANGE[path];
  if (change !== undefined) {
    if (!asked.mayChange)
      throw new HttpError(403, 'only the Unix socket of the agent changes anything');
    if (request.method !== 'POST') throw new HttpError(405, `${path} is to be POSTed`);
    return change(asked, url, sources);
  }
  const read = READ[path];
  const isLogs = path.startsWith('/containerLogs/');
  if (read === undefined && !isLogs) throw new HttpError(404, `no ${path} here`);
  if (request.method !== 'GET') throw new HttpError(405, `${path} is for reading`);
  if (read !== undefined) return read(asked, url, sources);
  return streamLogs(url, response, { sources, signal });
}

function urlOf(target: string): URL {
  if (URL.canParse(target, 'http://agent')) return new URL(target, 'http://agent');
  throw new HttpError(400, 'the request has no readable path');
}

/** A page in a browser of this machine must not reach the loopback under a name of its own. */
function refuseOtherHosts({ request, mayChange }: Asked): void {
  if (mayChange) return;
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host);
  if (!isLoopback || request.headers.origin !== undefined) {
    throw new HttpError(403, 'ask under a loopback address, not from a page');
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function text(response: ServerResponse, value: string): void {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(value);
}

/** `items` is `[]`, never null, when there are none (row 221). */
export function podListOf(reports: readonly PodReport[]): unknown {
  const items = reports.map(report => ({ apiVersion: 'v1', kind: 'Pod', ...report.pod }));
  return { apiVersion: 'v1', kind: 'PodList', metadata: {}, items };
}

/** A v1 EventList; the name of an event is its number in this journal. */
export function eventListOf(events: readonly EventRecord[], nodeName: string): unknown {
  const component = 'flotilla-agent';
  const items = events.map(({ n, at, type, reason, message, involved }) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${involved.name}.${n}`, namespace: involved.namespace },
    involvedObject: involved,
    type,
    reason,
    message,
    source: { component, host: nodeName },
    reportingComponent: component,
    reportingInstance: nodeName,
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  }));
  return { apiVersion: 'v1', kind: 'EventList', metadata: {}, items };
}
