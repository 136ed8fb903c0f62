/**
 * exec and attach between a client and a node, whatever the client speaks. The node is asked before the client's
 * connection changes its protocol, so that a refusal is an HTTP answer that kubectl prints; output that comes before
 * the client is ready waits for it.
 */
import { RequestError } from '../../ports.js';
import type {
  NodeStream,
  NodeStreams,
  OutputChannel,
  StreamAsk,
  StreamEnd,
} from '../../streams/streams.js';
import type { Upgrade } from '../upgrade.js';

export type CommandAsk = Extract<StreamAsk, { kind: 'exec' | 'attach' }>;

/** The client's side, when it is connected. */
export interface CommandPeer {
  /** Resolves when the client's connection took it; at once when the client is gone. */
  output(channel: OutputChannel, bytes: Buffer): Promise<void>;
  /** Tells the client how it ended, and ends the connection. */
  finish(status: StreamEnd): Promise<void>;
  /** Hands on what the client says until its connection is gone. */
  run(stream: NodeStream): Promise<void>;
  /** Ends the connection without a word. Safe to call twice. */
  close(): void;
}

/** A protocol that client and hub agreed on. */
export interface CommandWire {
  /** Answers 101. Rejects when the client goes, or does not do its part. */
  accept(upgrade: Upgrade, ask: CommandAsk): Promise<CommandPeer>;
}

/** Throws what kubelets answer when no protocol is spoken by both. */
export function agree(offered: readonly string[], spoken: readonly string[]): string {
  const found = offered.find(protocol => spoken.includes(protocol));
  if (found !== undefined) return found;
  throw new RequestError(
    'Forbidden',
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], ` +
      `server accepts [${spoken.join(' ')}]`,
  );
}

/** Resolves when the client's connection has ended. Throws what is to be answered instead of an upgrade. */
export async function serveCommand(
  streams: NodeStreams,
  session: {
    readonly node: string;
    readonly ask: CommandAsk;
    readonly user: string;
    /** Aborts when the client is gone or the hub stops. */
    readonly signal: AbortSignal;
    readonly upgrade: Upgrade;
    readonly wire: CommandWire;
  },
): Promise<void> {
  const { node, ask, user, signal, upgrade, wire } = session;
  let ready = (_peer: CommandPeer | null) => {};
  const connected = new Promise<CommandPeer | null>(resolve => (ready = resolve));
  const over = new AbortController();
  const abort = () => over.abort();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const stream = await streams.open(node, ask, {
      user,
      signal: over.signal,
      sink: {
        output: async (channel, bytes) => (await connected)?.output(channel, bytes),
        ended: status => void connected.then(peer => peer?.finish(status)),
      },
    });
    try {
      const peer = await wire.accept(upgrade, ask);
      over.signal.addEventListener('abort', () => peer.close(), { once: true });
      if (over.signal.aborted) peer.close();
      ready(peer);
      await peer.run(stream);
    } finally {
      stream.close();
    }
  } finally {
    ready(null);
    signal.removeEventListener('abort', abort);
    abort();
  }
}
