/**
 * The streams that the hub asks of this node: each opened by a command that was verified and is fresh, if the node's own
 * configuration allows its kind; told in the node's events before it begins. All end with the link's session, and when the
 * hub goes. Order of calls only.
 */
import type { KeyObject } from 'node:crypto';
import type { CommandDocument } from '../../protocol/documents/command.js';
import { rawPublicKey } from '../../protocol/keys.js';
import type { OpeningDocument } from '../../protocol/documents/node.js';
import { sealPacked } from '../../protocol/envelope.js';
import { excerpt } from '../../protocol/excerpt.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { Credit } from '../../protocol/stream-flow.js';
import { failure, type StreamStatus } from '../../protocol/stream-frames.js';
import { streamKeys, type StreamKeys } from '../../protocol/stream-seal.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import type { Journal } from '../journal/journal.js';
import type { Link } from '../link/link-options.js';
import type { EventSink, NewEvent, PodReport } from '../ports.js';
import { stampOf, type NodeIdentity } from '../report/node.js';
import { accessRefusal, type AccessRules, type StreamAsk } from './access.js';
import { SealedStream, type StreamIo } from './sealed-stream.js';
import { serveAttach, serveExec, serveLogs, servePort, type StreamRuntime } from './serve.js';
import {
  logsTarget,
  portTarget,
  runningContainer,
  StreamRefusal,
  type KnownPods,
} from './target.js';

/** At one time, of all kinds. */
export const STREAMS_MAX = 8;
/** Frames under way to the broker, of all streams together: reports wait behind 64 KiB at most. */
const FRAMES_UNDER_WAY = 4;

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** What the node has to offer. */
export interface RemoteOptions {
  readonly access: AccessRules['configured'];
  /** Null: a kubelet runs the pods. */
  readonly runtime: StreamRuntime | null;
  /** X25519, new at each call. */
  readonly keyPair: () => KeyPair;
}

export interface StreamsOptions {
  readonly identity: NodeIdentity;
  readonly journal: Pick<Journal, 'id' | 'boot' | 'nextCounter'> & EventSink;
  readonly link: Pick<Link, 'publish'>;
  readonly pods: () => readonly PodReport[] | null;
  readonly development: () => boolean;
  /** That the root in force is past its end: whoever has the hub's key by then enters nothing any more. Null: it is not. */
  readonly rootEnded: () => string | null;
  readonly remote: RemoteOptions | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export type StreamCommand = CommandDocument & { readonly ask: StreamAsk };

/** Served once the hub's first frame came. */
interface Service {
  /** What is told, and of whom; null: told in the log alone. */
  readonly event: ((io: StreamIo) => NewEvent) | null;
  readonly mayIdle: boolean;
  readonly serve: (io: StreamIo) => Promise<StreamStatus>;
}

export class Streams {
  readonly #options: StreamsOptions;
  readonly #topics: Topics;
  readonly #open = new Map<string, SealedStream>();
  readonly #slots = new Credit();

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#topics = topicsOf(options.identity.fleet);
    this.#slots.give(FRAMES_UNDER_WAY);
  }

  /** `digest`: of the command's payload. Never throws for what it holds. */
  open(command: StreamCommand, digest: string): void {
    const { ask, request } = command;
    if (this.#open.has(request)) return;
    try {
      const service = this.#serviceFor(ask);
      const { privateKey, publicKey } = this.#remote().keyPair();
      const key = rawPublicKey(publicKey);
      const { fleet, node } = this.#options.identity;
      const context = { fleet, node, request, command: digest, hubKey: ask.key, nodeKey: key };
      const keys = streamKeys('node', privateKey, context);
      if (keys === null) throw new StreamRefusal('BadRequest', 'the key in the command is no key');
      this.#begin(command, keys, service);
      this.#answer(command, digest, { key, refusal: null });
    } catch (error) {
      if (!(error instanceof StreamRefusal)) throw error;
      const { code, message } = error;
      this.#options.log.warn('a stream was refused', {
        kind: ask.kind,
        code,
        user: excerpt(ask.user),
      });
      this.#answer(command, digest, {
        key: null,
        refusal: { code, message: message.slice(0, 1024) },
      });
    }
  }

  /** A message under `stream/<request>`. What names no open stream is late, and of no use. */
  receive(request: string, payload: Buffer): void {
    this.#open.get(request)?.receive(payload);
  }

  /** The session, or the hub, is gone: what is open ends, and nobody is there to be told. */
  end(reason: string): void {
    if (this.#open.size === 0) return;
    this.#options.log.info('streams were ended', { streams: this.#open.size, reason });
    for (const stream of [...this.#open.values()]) stream.end(null);
  }

  /** The agent stops: whoever listens is told. */
  close(): void {
    const status = failure('AgentStopping', 'the agent of the node is stopping');
    for (const stream of [...this.#open.values()]) stream.end(status);
  }

  #remote(): RemoteOptions {
    const { remote } = this.#options;
    if (remote !== undefined) return remote;
    throw new StreamRefusal('NotSupported', 'this agent gives no streams');
  }

  #begin(command: StreamCommand, keys: StreamKeys, service: Service): void {
    const { link, clock, identity, log } = this.#options;
    const { request } = command;
    const topic = this.#topics.node(identity.node, 'reply', request);
    const stream = new SealedStream({
      ...{ keys, slots: this.#slots, clock, mayIdle: service.mayIdle },
      send: frame => link.publish(topic, frame, { retain: false }),
      serve: io => this.#tellAndServe(command.ask, io, service),
      onOver: status => {
        this.#open.delete(request);
        const reason = status?.reason ?? '';
        if (reason === 'StreamBroken') log.warn('a stream broke', { reason: status?.message });
      },
    });
    this.#open.set(request, stream);
  }

  /** What cannot be told is not done. */
  async #tellAndServe(ask: StreamAsk, io: StreamIo, service: Service): Promise<StreamStatus> {
    const { kind, user, namespace, pod } = ask;
    if (service.event !== null) this.#options.journal.record(service.event(io));
    const by = { user: excerpt(user) };
    this.#options.log.info('a stream was opened through the hub', { kind, namespace, pod, ...by });
    return service.serve(io);
  }

  #answer(
    { request }: StreamCommand,
    digest: string,
    answer: Pick<OpeningDocument, 'key' | 'refusal'>,
  ): void {
    const { identity, journal, link } = this.#options;
    const document: OpeningDocument = {
      ...stampOf(identity, journal),
      ...{ counter: journal.nextCounter(), request, command: digest },
      ...answer,
    };
    const topic = this.#topics.node(identity.node, 'reply', request);
    const payload = sealPacked('opening', document, [identity.signer]);
    void link.publish(topic, payload, { retain: false });
  }

  /** Throws `StreamRefusal`. */
  #serviceFor(ask: StreamAsk): Service {
    const { identity, development, rootEnded } = this.#options;
    const ended = rootEnded();
    if (ended !== null) throw new StreamRefusal('Forbidden', `${ended}; make and publish it`);
    const { node } = identity;
    const { access, runtime } = this.#remote();
    const rules = { configured: access, development: development() };
    const refusal = accessRefusal(ask.kind, node, rules);
    if (refusal !== null) throw new StreamRefusal('Forbidden', refusal);
    if (runtime === null) {
      const why = `the pods of node ${node} are run by a kubelet, which gives its own logs and exec`;
      throw new StreamRefusal('NotSupported', why);
    }
    if (this.#open.size >= STREAMS_MAX) {
      const why = `node ${node} has ${STREAMS_MAX} streams open, its limit: close one, or try again later`;
      throw new StreamRefusal('TooManyStreams', why);
    }
    return serviceOf(ask, this.#pods(), runtime);
  }

  #pods(): KnownPods {
    const reports = this.#options.pods();
    const nodeName = this.#options.identity.node;
    if (reports !== null) return { nodeName, reports };
    const why = `node ${nodeName} does not know its pods yet: its engine does not answer`;
    throw new StreamRefusal('InternalError', why);
  }
}

function serviceOf(ask: StreamAsk, pods: KnownPods, runtime: StreamRuntime): Service {
  switch (ask.kind) {
    case 'logs': {
      const target = logsTarget(pods, ask);
      const serve = (io: StreamIo) => serveLogs(runtime, target, io);
      return { event: null, mayIdle: ask.follow, serve };
    }
    case 'exec': {
      const { id, container, involved } = runningContainer(pods, ask);
      return {
        event: io => {
          const what = `"${programOf(io.command)}" in container ${container}`;
          return normal('RemoteExec', `User "${excerpt(ask.user)}" runs ${what}`, involved);
        },
        mayIdle: false,
        serve: io => serveExec(runtime, { id, ask }, io),
      };
    }
    case 'attach': {
      const { id, container, involved } = runningContainer(pods, ask);
      const message = `User "${excerpt(ask.user)}" attaches to container ${container}`;
      return {
        event: () => normal('RemoteAttach', message, involved),
        mayIdle: false,
        serve: io => serveAttach(runtime, { id, ask }, io),
      };
    }
    case 'portForward': {
      const { host, involved } = portTarget(pods, ask);
      const { port } = ask;
      const message = `User "${excerpt(ask.user)}" connects to port ${port}`;
      return {
        event: () => normal('RemotePortForward', message, involved),
        mayIdle: false,
        serve: io => servePort({ host, port }, io),
      };
    }
  }
}

/** Its name alone: arguments may hold secrets. */
function programOf([program = '']: readonly string[]): string {
  return excerpt(program.split('/').at(-1) ?? '', 64);
}

function normal(reason: string, message: string, involved: NewEvent['involved']): NewEvent {
  return { type: 'Normal', reason, message, involved };
}
