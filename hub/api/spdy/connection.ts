/**
 * The server's end of a SPDY/3.1 connection as `kubectl` uses it: streams that the client opens, both ways, on any
 * duplex (a socket after its upgrade, a WebSocket that tunnels). Limits for streams, headers and unread bytes; who breaks the
 * protocol gets GOAWAY. Windows: what was read is given back, the client's are not kept, as its own library has none.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../protocol/ports.js';
import { ByteQueue } from '../streams/byte-queue.js';
import { encodeFrame, FrameReader, GOAWAY, RESET, SpdyError, type Frame } from './frames.js';
import { HeaderReader, HeaderWriter, type Headers } from './headers.js';

/** Read from the client and not yet taken: then no more is read. */
const UNREAD_MAX = 512 * 1024;
const DATA_BYTES_MAX = 64 * 1024;
/** For the client to hang up after everything was said. */
const FAREWELL_MS = 10_000;

export interface SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  /** Ends with the client's half of the stream, or when the stream is gone. Whoever does not want it calls `discard`. */
  readonly input: AsyncIterable<Buffer>;
  /** What comes is dropped. */
  discard(): void;
  /** Resolves when the connection takes more; at once when it is gone. */
  write(bytes: Buffer): Promise<void>;
  /** Ends our half. Safe to call twice. */
  end(): void;
  /** Refuses or breaks off the stream. Safe to call twice. */
  reset(): void;
}

export interface SpdyOptions {
  readonly duplex: Duplex;
  /** Read with the request already. */
  readonly head: Buffer;
  readonly clock: Clock;
  /** Open at a time. */
  readonly streamsMax: number;
  onStream(stream: SpdyStream): void;
}

class Stream implements SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  readonly input = new ByteQueue();
  /** The halves that are still open. */
  theirs = true;
  ours = true;
  readonly #connection: SpdyConnection;

  constructor(connection: SpdyConnection, id: number, headers: Headers) {
    this.#connection = connection;
    this.id = id;
    this.headers = headers;
  }

  discard(): void {
    this.input.close();
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && this.ours; at += DATA_BYTES_MAX) {
      const piece = bytes.subarray(at, at + DATA_BYTES_MAX);
      await this.#connection.send({ type: 'data', id: this.id, fin: false, bytes: piece });
    }
  }

  end(): void {
    if (!this.ours) return;
    this.ours = false;
    void this.#connection.send({ type: 'data', id: this.id, fin: true, bytes: Buffer.alloc(0) });
    this.#connection.settle(this);
  }

  reset(): void {
    if (!this.ours && !this.theirs) return;
    void this.#connection.send({ type: 'rstStream', id: this.id, status: RESET.cancel });
    this.gone();
    this.#connection.settle(this);
  }

  gone(): void {
    this.ours = false;
    this.theirs = false;
    this.input.close();
  }
}

export class SpdyConnection {
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #options: SpdyOptions;
  readonly #frames = new FrameReader();
  readonly #headersIn = new HeaderReader();
  readonly #headersOut = new HeaderWriter();
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;
  #unread = 0;
  #wake = () => {};
  /** One for all who wait: a listener each would be too many. */
  #drained: Promise<void> | null = null;
  #closing = false;

  constructor(options: SpdyOptions) {
    this.#options = options;
    const { duplex } = options;
    duplex.on('error', () => undefined);
    this.closed = new Promise(resolve => {
      const gone = () => {
        for (const stream of this.#streams.values()) stream.gone();
        this.#streams.clear();
        this.#headersIn.close();
        this.#wake();
        resolve();
      };
      if (duplex.destroyed) gone();
      else duplex.once('close', gone);
    });
    void this.#run();
  }

  /** Everything that was written goes out, then the connection ends. Safe to call twice. */
  close(status: number = GOAWAY.ok): void {
    if (this.#closing) return;
    const { duplex, clock } = this.#options;
    void this.send({ type: 'goAway', lastId: this.#lastId, status });
    this.#closing = true;
    for (const stream of this.#streams.values()) stream.gone();
    duplex.end();
    // Bytes that nobody read would make the kernel break off what is still on its way.
    const waiting = new AbortController();
    void this.closed.then(() => waiting.abort());
    void clock.sleep(FAREWELL_MS, waiting.signal).then(() => duplex.destroy());
  }

  /** For the streams. */
  send(frame: Frame): Promise<void> {
    const { duplex } = this.#options;
    if (this.#closing || duplex.destroyed || duplex.writableEnded) return Promise.resolve();
    if (duplex.write(encodeFrame(frame))) return Promise.resolve();
    this.#drained ??= new Promise(resolve => {
      const done = () => {
        duplex.off('drain', done);
        duplex.off('close', done);
        this.#drained = null;
        resolve();
      };
      duplex.on('drain', done);
      duplex.on('close', done);
    });
    return this.#drained;
  }

  /** For the streams: forgets one whose halves are both closed. */
  settle(stream: Stream): void {
    if (!stream.ours && !stream.theirs) this.#streams.delete(stream.id);
  }

  async #run(): Promise<void> {
    const { duplex, head } = this.#options;
    try {
      if (head.length > 0) await this.#receive(head);
      for await (const chunk of duplex.iterator({ destroyOnReturn: false })) {
        await this.#receive(chunk as Buffer);
      }
    } catch (error) {
      if (error instanceof SpdyError) this.close(GOAWAY.protocolError);
      else duplex.destroy();
      return;
    }
    duplex.destroy();
  }

  async #receive(bytes: Buffer): Promise<void> {
    for (const frame of this.#frames.push(bytes)) {
      if (this.#closing) return;
      await this.#handle(frame);
    }
    while (this.#unread > UNREAD_MAX && !this.#options.duplex.destroyed) {
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  async #handle(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'synStream':
        return this.#open(frame.id, frame.fin, await this.#headersIn.read(frame.block));
      case 'synReply':
      case 'headers':
        // Read for the sake of the ones that follow: they share one compression.
        await this.#headersIn.read(frame.block);
        return;
      case 'data':
        return this.#data(frame.id, frame.fin, frame.bytes);
      case 'rstStream': {
        const stream = this.#streams.get(frame.id);
        this.#streams.delete(frame.id);
        stream?.gone();
        return;
      }
      case 'ping':
        // Those with even numbers would be answers to ours.
        if (frame.id % 2 === 1) void this.send(frame);
        return;
      case 'goAway':
      case 'windowUpdate':
        return;
    }
  }

  #open(id: number, fin: boolean, headers: Headers): void {
    if (id % 2 === 0 || id <= this.#lastId) throw new SpdyError(`stream ${id} is out of order`);
    this.#lastId = id;
    if (this.#streams.size >= this.#options.streamsMax) {
      void this.send({ type: 'rstStream', id, status: RESET.refusedStream });
      return;
    }
    const stream = new Stream(this, id, headers);
    this.#streams.set(id, stream);
    void this.send({ type: 'synReply', id, fin: false, block: this.#headersOut.write(new Map()) });
    if (fin) this.#ended(stream);
    this.#options.onStream(stream);
  }

  #data(id: number, fin: boolean, bytes: Buffer): void {
    const stream = this.#streams.get(id);
    // Of a stream that is closed or was refused: still on its way.
    if (!stream?.theirs) return;
    if (bytes.length > 0) {
      this.#unread += bytes.length;
      void stream.input.push(bytes).then(() => {
        this.#unread -= bytes.length;
        const delta = bytes.length;
        if (stream.theirs) void this.send({ type: 'windowUpdate', id, delta });
        void this.send({ type: 'windowUpdate', id: 0, delta });
        this.#wake();
      });
    }
    if (fin) this.#ended(stream);
  }

  #ended(stream: Stream): void {
    stream.theirs = false;
    stream.input.end();
    this.settle(stream);
  }
}
