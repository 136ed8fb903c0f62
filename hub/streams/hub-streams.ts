/**
 * Streams of the fleet's nodes through the broker: asks each with a signed command, believes an opening that the node's
 * identity key signed for that very command, and ends what is open when the node or the broker goes. Nothing is kept.
 */
import type { KeyObject } from 'node:crypto';
import type { CommandDocument } from '../../protocol/documents/command.js';
import type { OpeningDocument, PresenceDocument } from '../../protocol/documents/node.js';
import { validateCommandDocument } from '../../protocol/generated/validators.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { failure } from '../../protocol/stream-frames.js';
import { isFrame } from '../../protocol/stream-seal.js';
import { openNodeDocument } from '../../protocol/verify-messages.js';
import type { NodeCommands } from '../link/commands.js';
import type { HubLink } from '../link/link-options.js';
import type { NodeMessage } from '../link/messages.js';
import type { NodeObject } from '../objects.js';
import type { Store } from '../store/store.js';
import { commandAsk } from './command-ask.js';
import { HubStream } from './hub-stream.js';
import {
  StreamRefused,
  type NodeStream,
  type NodeStreams,
  type StreamAsk,
  type StreamSink,
} from './streams.js';

/** Of the whole hub, each with 128 KiB of memory at most. */
export const HUB_STREAMS_MAX = 256;
/** A thin link and a busy node take their time. */
const ANSWER_MS = 15_000;

export interface HubStreamsParts {
  readonly fleet: string;
  readonly store: Pick<Store, 'get' | 'identity' | 'unheard'>;
  readonly link: Pick<HubLink, 'connected' | 'frame'>;
  readonly commands: Pick<NodeCommands, 'session' | 'send'>;
  /** X25519, new at each call. */
  readonly keyPair: () => { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly randomId: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Open {
  readonly node: string;
  readonly session: string;
  /** Of the command's payload. */
  readonly digest: string;
  readonly identityKey: string;
  readonly stream: HubStream;
  /** Settles the wait for the node's answer; null once that came. */
  answered: ((refused: StreamRefused | null) => void) | null;
}

type Options = { user: string; signal: AbortSignal; sink: StreamSink };

export class HubStreams implements NodeStreams {
  readonly #parts: HubStreamsParts;
  readonly #open = new Map<string, Open>();
  /** Between the look at the limit and the command. */
  #asking = 0;

  constructor(parts: HubStreamsParts) {
    this.#parts = parts;
  }

  async open(node: string, ask: StreamAsk, options: Options): Promise<NodeStream> {
    if (this.#open.size + this.#asking >= HUB_STREAMS_MAX) {
      const why = `the hub has ${HUB_STREAMS_MAX} streams open, its limit: try again later`;
      throw new StreamRefused('TooManyStreams', why);
    }
    this.#asking++;
    let identityKey: string;
    try {
      identityKey = await this.#identityOf(node);
    } finally {
      this.#asking--;
    }
    if (options.signal.aborted) throw cancelled();
    return this.#ask(node, identityKey, { ask, ...options });
  }

  /** True: it was the answer to a stream's command, or a frame; nobody else has to look at it. */
  receive({ kind, node, rest = '', payload }: NodeMessage): boolean {
    if (kind !== 'reply') return false;
    const open = this.#open.get(rest);
    if (open?.node === node) {
      if (isFrame(payload)) {
        if (open.answered === null) open.stream.receive(payload);
      } else this.#opening(rest, open, payload);
      return true;
    }
    // Of a stream that is over.
    return isFrame(payload);
  }

  /** The node's newest presence, verified and in order. */
  presence({ node, session, online }: Pick<PresenceDocument, 'node' | 'session' | 'online'>): void {
    for (const open of [...this.#open.values()]) {
      if (open.node !== node || (online && open.session === session)) continue;
      this.#lost(open, 'NodeOffline', `node ${node} lost its connection`);
    }
  }

  linkDown(): void {
    for (const open of [...this.#open.values()]) {
      this.#lost(open, 'LinkLost', 'the hub lost its connection to the broker');
    }
  }

  /** Ends what is open, while the link is still there. */
  close(): void {
    for (const { stream, answered } of [...this.#open.values()]) {
      answered?.(new StreamRefused('NodeOffline', 'the hub is stopping'));
      stream.close();
    }
  }

  #lost({ stream, answered }: Open, reason: string, message: string): void {
    answered?.(new StreamRefused('NodeOffline', message));
    stream.over(failure(reason, message));
  }

  async #ask(
    node: string,
    identityKey: string,
    { ask, user, signal, sink }: Options & { ask: StreamAsk },
  ): Promise<NodeStream> {
    const { commands, link, clock, keyPair, randomId } = this.#parts;
    const request = randomId();
    const stream = new HubStream({
      ...{ keys: keyPair(), request, node, sink },
      command: ask.kind === 'exec' ? ask.command : null,
      send: frame => void link.frame(node, request, frame),
      onOver: () => this.#open.delete(request),
    });
    const asked = this.#checked(node, request, commandAsk(ask, { user, key: stream.key() }));
    const sent = commands.send(node, request, asked);
    if (sent === null) throw new StreamRefused('NodeOffline', `node ${node} is offline`);
    const enough = new AbortController();
    const refused = await new Promise<StreamRefused | null>(resolve => {
      this.#open.set(request, { ...{ node, identityKey, stream, answered: resolve }, ...sent });
      const cancel = () => resolve(cancelled());
      signal.addEventListener('abort', cancel, { once: true, signal: enough.signal });
      void clock.sleep(ANSWER_MS, enough.signal).then(() => resolve(noAnswer(node)));
    });
    enough.abort();
    if (refused !== null) {
      this.#open.delete(request);
      throw refused;
    }
    signal.addEventListener('abort', () => stream.close(), { once: true });
    this.#parts.log.info('a stream was opened', { node, kind: ask.kind, user });
    return stream;
  }

  #opening(request: string, open: Open, payload: Uint8Array): void {
    const { node, identityKey, digest, stream, answered } = open;
    if (answered === null) return;
    const { fleet } = this.#parts;
    const opened = openNodeDocument('opening', payload, { fleet, node, identityKey });
    // Whoever cannot sign for the node cannot speak for it: its own word may still come.
    if (!opened.ok) {
      this.#parts.log.warn('an answer to a stream is refused', {
        node,
        reason: opened.refusal.detail,
      });
      return;
    }
    const { document } = opened.value;
    if (document.request !== request || document.command !== digest) return;
    open.answered = null;
    answered(refusalIn(document) ?? this.#begun(document, stream));
  }

  #begun({ node, command, key }: OpeningDocument, stream: HubStream): StreamRefused | null {
    const { fleet } = this.#parts;
    if (key !== null && stream.begin({ fleet, command, nodeKey: key })) return null;
    return new StreamRefused('InternalError', `node ${node} answered with a key that is none`);
  }

  /** Refuses what the node would not read. */
  #checked(node: string, request: string, ask: CommandDocument['ask']): CommandDocument['ask'] {
    const { fleet } = this.#parts;
    const document = { fleet, node, epoch: 0, session: request, n: 0, request, ask };
    if (validateCommandDocument(document)) return ask;
    const fields = validateCommandDocument.errors?.map(({ instancePath }) => instancePath) ?? [];
    const where = fields.filter(field => field.startsWith('/ask/')).at(0) ?? '/ask';
    const what = where.slice('/ask/'.length) || 'the request';
    throw new StreamRefused('BadRequest', `${what}: not in a form that a node takes`);
  }

  /** Of a member that is there. Rejects with why not. */
  async #identityOf(node: string): Promise<string> {
    const { store, link, commands } = this.#parts;
    const [object, identity, unheard] = await Promise.all([
      store.get('Node', '', node) as Promise<NodeObject | null>,
      store.identity(node),
      store.unheard(),
    ]);
    if (!object) throw new StreamRefused('NotFound', `nodes "${node}" not found`);
    if (!link.connected()) {
      throw new StreamRefused('NodeOffline', 'the hub has no connection to its broker');
    }
    if (identity?.state !== 'active') {
      throw new StreamRefused('NodeOffline', `node ${node} is no active member of the fleet`);
    }
    if (unheard.includes(node)) {
      const why = `node ${node} was not heard since the hub was restored: it is sent nothing before`;
      throw new StreamRefused('NodeOffline', why);
    }
    if (commands.session(node) === null)
      throw new StreamRefused('NodeOffline', offlineText(object));
    return identity.identityKey;
  }
}

function offlineText({ metadata, status }: NodeObject): string {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'Unknown'
    ? `node ${metadata.name} is offline since ${ready.lastTransitionTime}`
    : `node ${metadata.name} was not heard since the hub connected to its broker: try again soon`;
}

function noAnswer(node: string): StreamRefused {
  const seconds = ANSWER_MS / 1000;
  return new StreamRefused('Timeout', `node ${node} did not answer for ${seconds} seconds`);
}

function cancelled(): StreamRefused {
  return new StreamRefused('Cancelled', 'who asked went away');
}

function refusalIn({ refusal }: OpeningDocument): StreamRefused | null {
  return refusal === null ? null : new StreamRefused(refusal.code, refusal.message);
}
