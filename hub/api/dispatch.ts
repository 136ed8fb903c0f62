/**
 * One request through the house: authenticate, authorise, find the route, handle, answer. The caller is checked
 * before the path is looked up, so that a stranger learns nothing of which paths exist. Every error becomes a
 * Status; one that is not known is logged and told as "internal error" alone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Clock, Log } from '../../protocol/ports.js';
import { REQUEST_REASONS, RequestError } from '../ports.js';
import type { Actor } from '../store/store.js';
import { readBody, readJson } from './body.js';
import { authenticate, authorise, type PeerEvidence } from './client-auth.js';
import { json, type Answer, type ApiRequest, type Method } from './request.js';
import { respond } from './respond.js';
import type { Match, Router } from './router.js';
import { failure, isOfNode, knownError, type Status, type Subject } from './status.js';

export interface DispatchParts {
  readonly router: Router;
  readonly clock: Clock;
  readonly log: Log;
}

const ANONYMOUS = 'system:anonymous';

function evidence(socket: TLSSocket): PeerEvidence {
  // Types say it is always there; without a certificate it is an empty object.
  const subject = socket.getPeerCertificate().subject as PeerEvidence['subject'] | undefined;
  const { authorized, authorizationError } = socket;
  return {
    authorized,
    // A string, although the types say Error.
    authorizationError: authorizationError ? String(authorizationError) : null,
    subject: subject ?? null,
  };
}

export function parseUrl(raw: string | undefined): URL {
  try {
    return new URL(`https://hub${raw ?? '/'}`);
  } catch {
    throw new RequestError('BadRequest', 'the request has no readable path');
  }
}

/** Where strangers may go; a path that only looks like it ends in 404. */
function tryMatch(router: Router, method: string, path: string): Match | RequestError | null {
  try {
    return router.match(method, path);
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly url: URL;
  readonly signal: AbortSignal;
}

export function admit(parts: DispatchParts, exchange: Exchange): { match: Match; actor: Actor } {
  const { incoming, url } = exchange;
  const address = incoming.socket.remoteAddress ?? '';
  const found = tryMatch(parts.router, incoming.method ?? '', url.pathname);
  if (found !== null && !(found instanceof RequestError) && found.route.access === 'anyone') {
    return { match: found, actor: { kind: 'user', name: ANONYMOUS, address } };
  }
  const user = authenticate(evidence(incoming.socket as TLSSocket));
  const isFound = found !== null && !(found instanceof RequestError);
  authorise(user, isFound ? found.route.access : 'admin');
  if (found instanceof RequestError) throw found;
  if (found === null) {
    throw new RequestError('NotFound', 'the server could not find the requested resource');
  }
  return { match: found, actor: { kind: 'user', name: user.name, address } };
}

export function toRequest(exchange: Exchange, match: Match, actor: Actor): ApiRequest {
  const { incoming, url, signal } = exchange;
  return {
    method: incoming.method as Method,
    params: match.params,
    query: url.searchParams,
    accept: incoming.headers.accept ?? '',
    contentType: (incoming.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    actor,
    address: actor.address ?? '',
    signal,
    body: bytesMax => readBody(incoming, bytesMax),
    json: type => readJson(incoming, type),
  };
}

/** `named`: in the body, where the path names none. */
function subjectOf(match: Match | null, named: string | undefined): Subject | null {
  const subject = match?.route.subject;
  if (!subject) return null;
  const name = match.params['name'] ?? named;
  return name === undefined ? subject : { ...subject, name };
}

function nameIn(body: unknown): string | undefined {
  const { metadata } = (body ?? {}) as { metadata?: { name?: unknown } | null };
  return typeof metadata?.name === 'string' ? metadata.name : undefined;
}

/** Then the connection cannot be used again: the rest of the body would have to be read first. */
function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  const announced =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return announced && !complete;
}

/** What the client is told of an error; one of the hub's own goes into its log. */
export function describeFailure(
  { log }: DispatchParts,
  failed: { incoming: IncomingMessage; match: Match | null; error: unknown; named?: string },
): Status {
  const { incoming, match, error, named } = failed;
  const known =
    knownError(error) ??
    new RequestError('InternalError', 'internal error: see the log of the hub');
  if (REQUEST_REASONS[known.reason] >= 500 && !isOfNode(error)) {
    log.error('a request failed', { ...whereOf(incoming), error });
  }
  return failure(known, subjectOf(match, named));
}

function whereOf({ method, url }: IncomingMessage) {
  return { method, path: (url ?? '').split('?')[0] };
}

/** Never throws. */
export async function dispatch(
  parts: DispatchParts,
  request: { incoming: IncomingMessage; response: ServerResponse; signal: AbortSignal },
): Promise<void> {
  const { incoming, response, signal } = request;
  const { log, clock } = parts;
  let match: Match | null = null;
  let named: string | undefined;
  let answer: Answer;
  try {
    const exchange = { incoming, url: parseUrl(incoming.url), signal };
    const admitted = admit(parts, exchange);
    match = admitted.match;
    const asked = toRequest(exchange, match, admitted.actor);
    const read = async (type?: string) => {
      const body = await asked.json(type);
      named = nameIn(body);
      return body;
    };
    answer = await match.route.handle({ ...asked, json: read });
    if (incoming.method !== 'GET' && match.route.access === 'admin')
      log.info('write', { ...whereOf(incoming), user: admitted.actor.name });
  } catch (error) {
    const status = describeFailure(parts, { incoming, match, error, ...(named && { named }) });
    if (hasUnreadBody(incoming)) response.setHeader('connection', 'close');
    answer = json(status, status.code);
  }
  try {
    await respond(response, answer, clock);
  } catch (error) {
    log.error('an answer broke off', { ...whereOf(incoming), error });
    response.destroy();
  }
}
