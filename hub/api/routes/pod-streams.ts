/**
 * `pods/NAME/log`, `exec`, `attach` and `portforward`: the request is understood, recorded in the audit log and handed to the
 * node; what flows then is the streams' affair. No use is without its line: it is written before the node is asked.
 */
import type { Clock, Log } from '../../../protocol/ports.js';
import { RequestError } from '../../ports.js';
import type { Store, UseVerb } from '../../store/store.js';
import type { NodeStreams } from '../../streams/streams.js';
import { param, type Answer, type ApiRequest, type Method, type Route } from '../request.js';
import { groupPath, PODS } from '../resources.js';
import { ByteQueue } from '../streams/byte-queue.js';
import { serveCommand, type CommandAsk } from '../streams/command.js';
import { spdyWire } from '../streams/command-spdy.js';
import { webSocketWire } from '../streams/command-websocket.js';
import { containerOf, podTarget, type PodTarget } from '../streams/pod-target.js';
import { serveSpdyForwards, TUNNEL } from '../streams/port-forward-spdy.js';
import { serveWebSocketForwards } from '../streams/port-forward-websocket.js';
import { commandStreams, commandWords, forwardedPorts, logOptions } from '../streams/query.js';
import type { Upgrade } from '../upgrade.js';

export interface PodStreamParts {
  readonly store: Store;
  readonly streams: NodeStreams;
  readonly clock: Clock;
  readonly log: Log;
}

const SUBJECT = { group: PODS.group, resource: PODS.name };
const BASE = `${groupPath(PODS.group)}/namespaces/:namespace/pods/:name`;
/** `less` may wait for its reader for hours; as long as kubelets let an idle stream stand. */
const PATIENCE_MS = 4 * 3_600_000;
const PROGRAM_MAX = 256;

function targetOf(parts: PodStreamParts, request: ApiRequest): Promise<PodTarget> {
  return podTarget(parts.store, {
    namespace: param(request, 'namespace'),
    name: param(request, 'name'),
  });
}

/** The line of the audit log, on disk. */
async function record(
  { store, log }: PodStreamParts,
  request: ApiRequest,
  use: { readonly target: PodTarget; readonly verb: UseVerb; readonly detail: string },
): Promise<void> {
  const { verb, detail } = use;
  const { namespace, name, node } = use.target;
  await store.commit(request.actor, [{ type: 'use', verb, kind: 'Pod', namespace, name, detail }]);
  const { actor, address } = request;
  log.info(verb, { pod: `${namespace}/${name}`, node, use: detail, user: actor.name, address });
}

async function logs(parts: PodStreamParts, request: ApiRequest): Promise<Answer> {
  const target = await targetOf(parts, request);
  const options = logOptions(request.query, target.name);
  const container = containerOf(target, request.query.get('container'));
  await record(parts, request, { target, verb: 'logs', detail: `container ${container}` });
  const { namespace, pod, node } = target;
  const ask = { kind: 'logs', namespace, pod, container, ...options } as const;
  const queue = new ByteQueue();
  const over = new AbortController();
  let failed: string | null = null;
  request.signal.addEventListener('abort', () => over.abort(), { once: true });
  over.signal.addEventListener('abort', () => queue.close(), { once: true });
  if (request.signal.aborted) over.abort();
  const stream = await parts.streams.open(node, ask, {
    user: request.actor.name,
    signal: over.signal,
    sink: {
      output: (_channel, bytes) => queue.push(bytes),
      ended(end) {
        if (end.status === 'Failure') failed = end.message ?? end.reason ?? 'the node ended it';
        queue.end();
      },
    },
  });
  async function* chunks() {
    try {
      yield* queue;
      // As kubelets do where the headers are long gone: the last line says it.
      if (failed !== null && !over.signal.aborted) yield `\nerror: ${failed}\n`;
    } finally {
      over.abort();
      stream.close();
    }
  }
  const contentType = 'text/plain; charset=utf-8';
  return { type: 'stream', live: true, chunks: chunks(), contentType, stalledMs: PATIENCE_MS };
}

function wireOf(upgrade: Upgrade, clock: Clock) {
  if (upgrade.protocol === 'websocket') return webSocketWire(upgrade, clock);
  if (upgrade.protocol === 'spdy/3.1') return spdyWire(upgrade, clock);
  throw unknownProtocol(upgrade);
}

function unknownProtocol({ protocol }: Upgrade): RequestError {
  return new RequestError(
    'BadRequest',
    `unable to upgrade to "${protocol}": only WebSocket and SPDY/3.1 are spoken here`,
  );
}

function command(parts: PodStreamParts, verb: 'exec' | 'attach') {
  return async (request: ApiRequest, upgrade: Upgrade): Promise<void> => {
    const target = await targetOf(parts, request);
    const { query, signal, actor } = request;
    const container = containerOf(target, query.get('container'));
    const streams = commandStreams(query, target.name);
    const { namespace, pod, node } = target;
    const common = { namespace, pod, container, ...streams };
    const ask: CommandAsk =
      verb === 'exec'
        ? { kind: 'exec', command: commandWords(query), ...common }
        : { kind: 'attach', ...common };
    const program = ask.kind === 'exec' ? (ask.command[0] ?? '').slice(0, PROGRAM_MAX) : null;
    const detail = `container ${container}${program === null ? '' : `, program ${program}`}`;
    const wire = wireOf(upgrade, parts.clock);
    await record(parts, request, { target, verb, detail });
    await serveCommand(parts.streams, { node, ask, user: actor.name, signal, upgrade, wire });
  };
}

function portForward(parts: PodStreamParts) {
  return async (request: ApiRequest, upgrade: Upgrade): Promise<void> => {
    const target = await targetOf(parts, request);
    const recorded = new Set<number>();
    const forwards = {
      streams: parts.streams,
      target,
      user: request.actor.name,
      signal: request.signal,
      async record(port: number) {
        if (recorded.has(port)) return;
        recorded.add(port);
        await record(parts, request, { target, verb: 'portforward', detail: `port ${port}` });
      },
    };
    const { clock, log } = parts;
    const isTunnel = upgrade.offered('sec-websocket-protocol').includes(TUNNEL);
    if (upgrade.protocol === 'spdy/3.1' || (upgrade.protocol === 'websocket' && isTunnel)) {
      return serveSpdyForwards(forwards, { upgrade, clock, log });
    }
    if (upgrade.protocol !== 'websocket') throw unknownProtocol(upgrade);
    const ports = forwardedPorts(request.query);
    return serveWebSocketForwards(forwards, { upgrade, ports, clock });
  };
}

export function podStreamRoutes(parts: PodStreamParts): readonly Route[] {
  const common = { access: 'admin', subject: SUBJECT } as const;
  const noUpgrade = () =>
    Promise.reject(
      new RequestError('BadRequest', 'Upgrade request required: WebSocket or SPDY/3.1'),
    );
  const upgraded = (method: Method, name: string, upgrade: Required<Route>['upgrade']): Route => ({
    ...common,
    method,
    path: `${BASE}/${name}`,
    handle: noUpgrade,
    upgrade,
  });
  const methods = ['GET', 'POST'] as const;
  return [
    { ...common, method: 'GET', path: `${BASE}/log`, handle: request => logs(parts, request) },
    ...methods.flatMap(method => [
      upgraded(method, 'exec', command(parts, 'exec')),
      upgraded(method, 'attach', command(parts, 'attach')),
      upgraded(method, 'portforward', portForward(parts)),
    ]),
  ];
}
