/**
 * The hub's HTTPS API: a subset of the Kubernetes API for kubectl and the flotilla CLI, and the enrolment of nodes.
 * TLS 1.2 or newer, HTTP/1.1, JSON; client certificates are asked for and judged per request. Every phase of a
 * connection has a limit of time and size, so that a slow or greedy client costs little.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock, Log } from '../../protocol/ports.js';
import {
  RequestError,
  type BundleActivate,
  type BundleRetry,
  type BundleWriter,
  type Carrier,
  type Enrolment,
  type NodeWriter,
  type SetNodeBudget,
  type RootWriter,
  type SecretWriter,
} from '../ports.js';
import type { NodeEditor } from '../enrolment/edit-node.js';
import type { RevisionAgain } from '../rollout/again.js';
import type { Foresight } from '../foresight/foresight.js';
import type { ReadLastWords } from '../last-words/last-words.js';
import type { RolloutDesk } from '../rollout/desk.js';
import type { Recovery } from '../recovery/recovery.js';
import type { NodeStreams } from '../streams/streams.js';
import type { Store } from '../store/store.js';
import type { Exposition } from '../metrics/exposition.js';
import { dispatch } from './dispatch.js';
import { meterRequest, type RequestMeter } from './request-meter.js';
import { buildRouter, type Router } from './router.js';
import { auditRoutes } from './routes/audit.js';
import { bundleRoutes } from './routes/bundles.js';
import { carriedRoutes } from './routes/carried.js';
import { discoveryRoutes } from './routes/discovery.js';
import { enrolmentRoutes } from './routes/enrolment.js';
import { healthRoutes, type ApiLoad, type HealthCheck } from './routes/health.js';
import { metricsRoutes } from './routes/metrics.js';
import { lastWordsRoutes } from './routes/last-words.js';
import { leaseRoutes } from './routes/leases.js';
import { mqttRoutes, type WebSocketBroker } from './routes/mqtt.js';
import { namespaceRoutes } from './routes/namespaces.js';
import { nodeEditRoutes } from './routes/node-edit.js';
import { nodeRoutes } from './routes/nodes.js';
import { objectRoutes } from './routes/objects.js';
import { podStreamRoutes } from './routes/pod-streams.js';
import { podRoutes } from './routes/pods.js';
import { recoveryRoutes } from './routes/recovery.js';
import { revisionAgainRoutes } from './routes/revision-again.js';
import { revisionRoutes } from './routes/revisions.js';
import { foresightRoutes } from './routes/foresight.js';
import { rolloutRoutes } from './routes/rollouts.js';
import { rootRoutes } from './routes/root.js';
import { secretRoutes } from './routes/secrets.js';
import type { NodeParametersDesk } from '../rollout/node-parameters.js';
import { nodeBudgetRoutes } from './routes/node-budget.js';
import { nodeParameterRoutes } from './routes/node-parameters.js';
import { standingRoutes } from './routes/standing.js';
import { tokenRoutes } from './routes/tokens.js';
import { failure } from './status.js';
import { dispatchUpgrade, Upgrade } from './upgrade.js';

/** PEM; `ca` is what client certificates must chain to. */
export interface ServerTls {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface ApiParts {
  /** Port 0: any free one. Host null: all addresses. */
  readonly listen: { readonly host: string | null; readonly port: number };
  readonly tls: ServerTls;
  readonly store: Store;
  readonly bundles: BundleWriter;
  readonly retry: BundleRetry;
  readonly activate: BundleActivate;
  readonly rollouts: RolloutDesk;
  readonly lastWords: ReadLastWords;
  readonly foresight: Foresight;
  readonly again: RevisionAgain;
  readonly nodes: NodeWriter;
  readonly nodeEditor: NodeEditor;
  readonly nodeBudget: SetNodeBudget;
  readonly nodeParameters: NodeParametersDesk;
  readonly secrets: SecretWriter;
  readonly enrolment: Enrolment;
  readonly recovery: Pick<Recovery, 'state' | 'finish'>;
  readonly streams: NodeStreams;
  readonly roots: RootWriter;
  readonly carrier: Carrier;
  /** Takes MQTT in the frames of WebSockets; null or absent: the broker is not part of the hub. */
  readonly mqtt?: WebSocketBroker | null;
  /** Whether the hub can do its work. */
  readonly checks: readonly HealthCheck[];
  /** The hub's figures. */
  readonly exposition: (api: ApiLoad) => Promise<Exposition>;
  /** Absent: nobody counts. */
  readonly meter?: RequestMeter;
  readonly clock: Clock;
  readonly log: Log;
  /** Of Flotilla, semver. */
  readonly version: string;
}

export interface Api {
  readonly port: number;
  /** For connections from now on; those that are open go on. */
  useTls(tls: ServerTls): void;
  /** Ends watches, lets other answers finish for a moment, then closes every connection. Safe to call twice. */
  close(): Promise<void>;
}

const LIMITS = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  /** Headers and body. */
  requestTimeout: 60_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
} as const;
/** Nothing sent and nothing received; lifted for watches. */
const IDLE_MS = 120_000;
const CONNECTIONS_MAX = 20_000;
const CLOSING_MS = 3_000;
/** Of exec, attach and port-forward; as kubelets' streamingConnectionIdleTimeout. */
const STREAM_IDLE_MS = 4 * 3_600_000;

const NO_LOAD = Promise.resolve({ connections: 0, upgraded: 0 });

/** All routes; those of a server are its own. */
export function buildRoutes(parts: ApiParts, load = (): Promise<ApiLoad> => NO_LOAD): Router {
  return buildRouter([
    ...healthRoutes(parts),
    ...metricsRoutes(async () => parts.exposition(await load())),
    ...enrolmentRoutes(parts.enrolment),
    ...discoveryRoutes(),
    ...objectRoutes(parts),
    ...namespaceRoutes(parts),
    ...leaseRoutes(parts.store),
    ...podRoutes(parts.store),
    ...podStreamRoutes(parts),
    ...nodeRoutes(parts),
    ...nodeEditRoutes(parts),
    ...bundleRoutes(parts),
    ...revisionRoutes(parts),
    ...rolloutRoutes(parts),
    ...lastWordsRoutes(parts),
    ...foresightRoutes(parts),
    ...revisionAgainRoutes(parts),
    ...secretRoutes(parts),
    ...tokenRoutes(parts),
    ...standingRoutes(parts),
    ...nodeBudgetRoutes(parts),
    ...nodeParameterRoutes(parts),
    ...recoveryRoutes(parts),
    ...auditRoutes(parts.store),
    ...rootRoutes(parts.roots),
    ...carriedRoutes(parts.carrier),
    ...mqttRoutes(parts.mqtt ?? null),
  ]);
}

/** What HTTP's parser or a limit of time refused, before there was a request. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const large = error.code === 'HPE_HEADER_OVERFLOW';
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const line = large
    ? '431 Request Header Fields Too Large'
    : late
      ? '408 Request Timeout'
      : '400 Bad Request';
  const reason = large
    ? 'the headers are too large'
    : late
      ? 'the request was too slow'
      : 'not HTTP';
  const code = Number(line.slice(0, 3));
  const body = JSON.stringify({ ...failure(new RequestError('BadRequest', reason), null), code });
  socket.end(
    `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function buildServer(
  parts: ApiParts,
  handle: (incoming: IncomingMessage, response: ServerResponse) => void,
): Server {
  const server = createServer(
    {
      ...contextOf(parts.tls),
      requestCert: true,
      // Judged per request: health, version and enrolment need no certificate.
      rejectUnauthorized: false,
      ...LIMITS,
    },
    handle,
  );
  server.timeout = IDLE_MS;
  server.maxConnections = CONNECTIONS_MAX;
  server.on('clientError', refuseConnection);
  // A failed handshake is the client's affair.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function contextOf({ key, cert, ca }: ServerTls) {
  return { key, cert, ca, minVersion: 'TLSv1.2' } as const;
}

function listen(server: Server, { host, port }: ApiParts['listen']): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Rejects when the address cannot be listened on. */
export async function startApi(parts: ApiParts): Promise<Api> {
  const upgraded = new Set<Duplex>();
  const router = buildRoutes(parts, async () => {
    const connections = await new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
    return { connections, upgraded: upgraded.size };
  });
  const { clock, log, meter } = parts;
  const open = new Set<AbortController>();
  const server = buildServer(parts, (incoming, response) => {
    const exchange = new AbortController();
    open.add(exchange);
    meterRequest(meter, clock, { incoming, response });
    response.once('close', () => {
      open.delete(exchange);
      exchange.abort();
      // Its connection is idle only after this event.
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
    response.on('error', error => log.warn('an answer could not be sent', { error }));
    void dispatch({ router, clock, log }, { incoming, response, signal: exchange.signal });
  });
  server.on('upgrade', (incoming: IncomingMessage, socket: TLSSocket, head: Buffer) => {
    const exchange = new AbortController();
    open.add(exchange);
    upgraded.add(socket);
    socket.once('close', () => {
      open.delete(exchange);
      upgraded.delete(socket);
      exchange.abort();
    });
    // A client that breaks off: whoever has the connection sees it close.
    socket.on('error', () => undefined);
    socket.setTimeout(STREAM_IDLE_MS, () => socket.destroy());
    const upgrade = new Upgrade(incoming, socket, head);
    const { signal } = exchange;
    void dispatchUpgrade({ router, clock, log, meter }, { incoming, upgrade, signal });
  });
  let closing: Promise<void> | null = null;
  const port = await listen(server, parts.listen);
  server.on('error', error => log.error('the API server has an error', { error }));
  const close = async () => {
    const closed = new AbortController();
    const done = new Promise<void>(resolve => {
      server.close(() => {
        closed.abort();
        resolve();
      });
    });
    for (const exchange of open) exchange.abort();
    server.closeIdleConnections();
    await clock.sleep(CLOSING_MS, closed.signal);
    server.closeAllConnections();
    // Those are no connections of HTTP any more.
    for (const socket of upgraded) socket.destroy();
    await done;
  };
  return {
    port,
    useTls: tls => server.setSecureContext(contextOf(tls)),
    close: () => (closing ??= close()),
  };
}
