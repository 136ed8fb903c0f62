/**
 * The hub's end of one stream, from its command to its end: keys, sealed frames both ways, credit. Output goes to the sink
 * one piece after the other, and the node is given credit for what the sink took. Ends once, with one status.
 */
import type { KeyObject } from 'node:crypto';
import { rawPublicKey } from '../../protocol/keys.js';
import { Credit, Inbox } from '../../protocol/stream-flow.js';
import {
  beginPayload,
  CHANNEL,
  chunksOf,
  costOf,
  creditPayload,
  failure,
  readCredit,
  readStatus,
  resizePayload,
  WINDOW_BYTES,
  type StreamStatus,
} from '../../protocol/stream-frames.js';
import {
  BROKEN_FRAMES,
  FrameOpener,
  FrameSealer,
  streamKeys,
  type StreamContext,
} from '../../protocol/stream-seal.js';
import type { NodeStream, OutputChannel, StreamEnd, StreamSink } from './streams.js';

export interface HubStreamParts {
  /** Of this stream alone. */
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly request: string;
  readonly node: string;
  /** Program and arguments of an exec. */
  readonly command: readonly string[] | null;
  readonly sink: StreamSink;
  /** Called in the order of the frames. */
  readonly send: (frame: Buffer) => void;
  /** Once: nothing more is read or sent. */
  readonly onOver: () => void;
}

interface Piece {
  readonly channel: OutputChannel;
  readonly bytes: Buffer;
}

export class HubStream implements NodeStream {
  readonly #parts: HubStreamParts;
  readonly #credit = new Credit();
  readonly #inbox: Inbox<Piece>;
  #sealer: FrameSealer | null = null;
  #opener: FrameOpener | null = null;
  #isOver = false;
  #end: StreamStatus | null = null;
  #inputEnded = false;

  constructor(parts: HubStreamParts) {
    this.#parts = parts;
    this.#inbox = new Inbox({
      window: WINDOW_BYTES,
      onTaken: cost => this.#post(CHANNEL.credit, creditPayload(cost)),
    });
  }

  /** Hex: for the command. */
  key(): string {
    return rawPublicKey(this.#parts.keys.publicKey);
  }

  /** The node accepted. False when its key is none. */
  begin(context: Omit<StreamContext, 'hubKey' | 'request' | 'node'>): boolean {
    const { keys, command, request, node } = this.#parts;
    const whole = { ...context, request, node, hubKey: this.key() };
    const derived = streamKeys('hub', keys.privateKey, whole);
    if (derived === null) return false;
    this.#sealer = new FrameSealer(derived.toNode);
    this.#opener = new FrameOpener(derived.toHub);
    this.#post(CHANNEL.begin, beginPayload({ window: WINDOW_BYTES, command }));
    void this.#deliver();
    return true;
  }

  /** A frame of the node. */
  receive(frame: Uint8Array): void {
    if (this.#isOver || this.#opener === null) return;
    const opened = this.#opener.open(frame);
    if (opened.is === 'duplicate') return;
    if (opened.is === 'broken') {
      return this.#broken(`a frame of node ${this.#parts.node} ${BROKEN_FRAMES[opened.why]}`);
    }
    if (!this.#take(opened.channel, opened.payload)) {
      this.#broken(`a frame of node ${this.#parts.node} says something that has no place there`);
    }
  }

  async write(bytes: Buffer): Promise<void> {
    for (const chunk of chunksOf(bytes)) {
      const granted = await this.#credit.take(costOf(chunk.byteLength));
      if (!granted || this.#inputEnded) throw new Error('the stream takes no more input');
      this.#post(CHANNEL.stdin, chunk);
    }
  }

  endInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#post(CHANNEL.close, Buffer.of(CHANNEL.stdin));
  }

  resize(width: number, height: number): void {
    const isSide = (side: number) => Number.isInteger(side) && side > 0 && side <= 0xffff;
    if (isSide(width) && isSide(height))
      this.#post(CHANNEL.resize, resizePayload({ width, height }));
  }

  close(): void {
    if (!this.#isOver) {
      this.#post(CHANNEL.close, Buffer.alloc(0));
      this.over(failure('Cancelled', 'closed by who asked'));
    }
    this.#inbox.drop();
  }

  /** The other side, or the way to it, is gone; what came before is still delivered. Twice is safe. */
  over(status: StreamStatus): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end = status;
    this.#credit.close();
    this.#inbox.end();
    this.#parts.onOver();
  }

  #broken(message: string): void {
    this.#post(CHANNEL.close, Buffer.alloc(0));
    this.over(failure('StreamBroken', message));
  }

  #take(channel: number, payload: Buffer): boolean {
    switch (channel) {
      case CHANNEL.stdout:
      case CHANNEL.stderr: {
        const piece = {
          channel: channel === CHANNEL.stdout ? 'stdout' : 'stderr',
          bytes: payload,
        } as const;
        return this.#inbox.push(piece, costOf(payload.byteLength));
      }
      case CHANNEL.status: {
        const status = readStatus(payload);
        if (status !== null) this.over(status);
        return status !== null;
      }
      case CHANNEL.credit: {
        const bytes = readCredit(payload);
        if (bytes !== null) this.#credit.give(bytes);
        return bytes !== null;
      }
      default:
        return false;
    }
  }

  #post(channel: number, payload: Buffer): void {
    if (!this.#isOver && this.#sealer) this.#parts.send(this.#sealer.seal(channel, payload));
  }

  /** A sink that fails is one that went away. */
  async #deliver(): Promise<void> {
    const { sink } = this.#parts;
    try {
      for await (const { channel, bytes } of this.#inbox) await sink.output(channel, bytes);
    } catch {
      this.close();
    }
    sink.ended((this.#end ?? failure('Cancelled', 'closed by who asked')) as StreamEnd);
  }
}
