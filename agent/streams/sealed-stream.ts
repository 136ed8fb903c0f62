/**
 * The node's end of one stream: frames in and out, sealed and numbered; output waits for the hub's credit, input is held
 * up to what the hub was given. Nothing is begun before the hub's first frame, which proves that it holds the key in the
 * command. Ends once, whatever happens first.
 */
import {
  BROKEN_FRAMES,
  FrameOpener,
  FrameSealer,
  type StreamKeys,
} from '../../protocol/stream-seal.js';
import {
  CHANNEL,
  chunksOf,
  costOf,
  creditPayload,
  failure,
  readBegin,
  readCredit,
  readResize,
  statusPayload,
  WINDOW_BYTES,
  type Begin,
  type StreamStatus,
  type TerminalSize,
} from '../../protocol/stream-frames.js';
import { Credit, Inbox } from '../../protocol/stream-flow.js';
import type { Clock } from '../../protocol/ports.js';

/** Until the hub's first frame. */
const BEGIN_MS = 30_000;
/** Without a frame either way, as the kubelet's `streamingConnectionIdleTimeout`. */
const IDLE_MS = 4 * 3_600_000;
const LIFE_MS = 24 * 3_600_000;

/** What the one who serves a stream has of it. */
export interface StreamIo {
  /** Aborted when the stream is over. */
  readonly signal: AbortSignal;
  /** Program and arguments of an exec. */
  readonly command: readonly string[];
  /** Resolves when it is on its way; rejects when the stream is over. One call after the other. */
  output(channel: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
  /** Ends with the hub's word that there is no more. */
  readonly input: AsyncIterable<Buffer>;
  /** The last size is told at once. */
  onResize(listener: (size: TerminalSize) => void): void;
}

export interface SealedStreamParts {
  readonly keys: StreamKeys;
  /** True at the broker's acknowledgement. Called in the order of the frames. */
  readonly send: (frame: Buffer) => Promise<boolean>;
  /** Places for frames under way, shared by all streams of the node: what else it has to say is not kept waiting. */
  readonly slots: Credit;
  readonly mayIdle: boolean;
  readonly serve: (io: StreamIo) => Promise<StreamStatus>;
  readonly onOver: (status: StreamStatus | null) => void;
  readonly clock: Clock;
}

class StreamOver extends Error {}

export class SealedStream {
  readonly #parts: SealedStreamParts;
  readonly #sealer: FrameSealer;
  readonly #opener: FrameOpener;
  readonly #credit = new Credit();
  readonly #stop = new AbortController();
  readonly #inbox: Inbox<Buffer>;
  #hasBegun = false;
  #isOver = false;
  #activeAt: number;
  #size: TerminalSize | null = null;
  #onResize: (size: TerminalSize) => void = () => undefined;

  constructor(parts: SealedStreamParts) {
    this.#parts = parts;
    this.#sealer = new FrameSealer(parts.keys.toHub);
    this.#opener = new FrameOpener(parts.keys.toNode);
    this.#activeAt = parts.clock.monotonic();
    this.#inbox = new Inbox({
      window: WINDOW_BYTES,
      onTaken: cost => void this.#post(CHANNEL.credit, creditPayload(cost)),
    });
    void this.#watch();
  }

  /** A message on the stream's topic. */
  receive(message: Uint8Array): void {
    if (this.#isOver) return;
    const opened = this.#opener.open(message);
    if (opened.is === 'duplicate') return;
    if (opened.is === 'broken')
      return this.#broken(`a frame of the hub ${BROKEN_FRAMES[opened.why]}`);
    this.#activeAt = this.#parts.clock.monotonic();
    if (!this.#take(opened.channel, opened.payload)) {
      this.#broken('a frame of the hub says something that has no place there');
    }
  }

  /** Over, for all: the status is the last frame; null: nobody is there to read one. Twice is safe. */
  end(status: StreamStatus | null): void {
    if (this.#isOver) return;
    if (status !== null) void this.#post(CHANNEL.status, statusPayload(status));
    this.#isOver = true;
    this.#credit.close();
    this.#inbox.drop();
    this.#stop.abort();
    this.#parts.onOver(status);
  }

  #broken(message: string): void {
    this.end(failure('StreamBroken', message));
  }

  /** False for what does not belong there. */
  #take(channel: number, payload: Buffer): boolean {
    if (!this.#hasBegun) {
      const begin = channel === CHANNEL.begin ? readBegin(payload) : null;
      if (begin !== null) this.#begin(begin);
      return begin !== null;
    }
    switch (channel) {
      case CHANNEL.stdin:
        return this.#inbox.push(payload, costOf(payload.byteLength));
      case CHANNEL.credit: {
        const bytes = readCredit(payload);
        if (bytes !== null) this.#credit.give(bytes);
        return bytes !== null;
      }
      case CHANNEL.resize: {
        this.#size = readResize(payload);
        if (this.#size !== null) this.#onResize(this.#size);
        return this.#size !== null;
      }
      case CHANNEL.close:
        if (payload.byteLength === 0) this.end(null);
        else this.#inbox.end();
        return true;
      default:
        return false;
    }
  }

  #begin({ window, command }: Begin): void {
    this.#hasBegun = true;
    void this.#post(CHANNEL.credit, creditPayload(WINDOW_BYTES));
    this.#credit.give(window);
    const io: StreamIo = {
      signal: this.#stop.signal,
      command: command ?? [],
      output: (channel, bytes) => this.#output(CHANNEL[channel], bytes),
      input: this.#inbox,
      onResize: listener => {
        this.#onResize = listener;
        if (this.#size !== null) listener(this.#size);
      },
    };
    this.#parts.serve(io).then(
      status => this.end(status),
      (error: unknown) => {
        if (!(error instanceof StreamOver)) this.end(failure('InternalError', messageOf(error)));
      },
    );
  }

  async #output(channel: number, bytes: Uint8Array): Promise<void> {
    const { slots } = this.#parts;
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const chunk of chunksOf(whole)) {
      if (!(await this.#credit.take(costOf(chunk.byteLength)))) throw new StreamOver();
      await slots.take(1);
      if (this.#isOver) {
        slots.give(1);
        throw new StreamOver();
      }
      void this.#post(channel, chunk).then(() => slots.give(1));
    }
  }

  /** Never rejects. What cannot be sent ends the stream: the link is down. */
  async #post(channel: number, payload: Buffer): Promise<void> {
    this.#activeAt = this.#parts.clock.monotonic();
    if (!(await this.#parts.send(this.#sealer.seal(channel, payload)))) this.end(null);
  }

  async #watch(): Promise<void> {
    const { clock, mayIdle } = this.#parts;
    const { signal } = this.#stop;
    const openedAt = clock.monotonic();
    await clock.sleep(BEGIN_MS, signal);
    if (!this.#hasBegun) this.end(null);
    while (!this.#isOver) {
      const now = clock.monotonic();
      const idle = mayIdle ? Number.POSITIVE_INFINITY : this.#activeAt + IDLE_MS - now;
      const life = openedAt + LIFE_MS - now;
      if (idle <= 0) this.end(failure('IdleTimeout', 'nothing was said for four hours'));
      else if (life <= 0)
        this.end(failure('Timeout', 'a stream lives for a day at most: ask again'));
      else await clock.sleep(Math.min(idle, life), signal);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
