/**
 * Brings the broker's retained topics to what the store says, on one connection: publications in
 * the order of their numbers, at most a window of them unacknowledged, read from the store in pages;
 * behind them the mark, never ahead of a PUBACK. Publishes nothing that is not in the store. A
 * failure ends the connection: the next one starts over from the mark.
 */
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { Coverage } from './publisher-decide.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import { heldNodes } from '../recovery/held-nodes.js';
import type { SendWindow } from './send-window.js';
import type { Publication, Store } from '../store/store.js';

const PAGE = 100;
/** A burst of publications costs a few marks, not one each. */
const MARK_DELAY_MS = 250;
const STORE_RETRY_MS = 1_000;

export interface PublisherOptions {
  readonly store: Store;
  readonly fleet: string;
  /** Of the root in force. */
  readonly epoch: () => number;
  /** Publications with a greater number are sent. */
  readonly after: number;
  /** Number of the mark that the broker holds; null: none that counts. */
  readonly marked: number | null;
  /** Retained, QoS 1. True at the PUBACK; false: the connection is over. */
  readonly send: (topic: string, payload: Uint8Array) => Promise<boolean>;
  /** Sends the signed mark, retained. */
  readonly sendMark: (number: number) => Promise<boolean>;
  readonly window: SendWindow;
  /** Aborted with the connection. */
  readonly signal: AbortSignal;
  /** Called when a publication failed on a connection that stands: it must be ended. */
  readonly onFailure: (reason: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Publisher {
  /** Resolves when the first page is on its way, or there is nothing to send. */
  readonly begun: Promise<void>;
  /** The broker has every publication up to this number. */
  covered(): number;
  /**
   * Begins no further publication, waits for the PUBACKs of those on their way, then for that of
   * the mark that covers them. The caller bounds the wait.
   */
  stop(): Promise<void>;
}

export function startPublisher(options: PublisherOptions): Publisher {
  return new StorePublisher(options);
}

class StorePublisher implements Publisher {
  readonly begun: Promise<void>;
  readonly #options: PublisherOptions;
  readonly #coverage: Coverage;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #topics: Topics;
  #unheard: ReadonlySet<string> = new Set();
  #marked: number | null;
  #markDue = false;
  #news = false;
  #wake: () => void = () => undefined;
  #begin: () => void = () => undefined;
  #drain: () => void = () => undefined;
  /** Resolves when everything that was sent is acknowledged, once the publisher was stopped. */
  readonly #drained: Promise<void>;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#coverage = new Coverage(options.after);
    this.#marked = options.marked;
    this.#topics = topicsOf(options.fleet);
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.begun = new Promise(resolve => (this.#begin = resolve));
    this.#drained = new Promise(resolve => (this.#drain = resolve));
    void this.#run();
  }

  covered(): number {
    return this.#coverage.covered();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    if (!this.#coverage.isComplete()) await this.#drained;
    await this.#mark();
  }

  async #run(): Promise<void> {
    const { store, after } = this.#options;
    const end = store.onCommit(touched => {
      if (touched.has('publish')) this.#notice();
    });
    this.#signal.addEventListener('abort', () => this.#wake());
    this.#markSoon();
    let cursor = after;
    while (!this.#signal.aborted) {
      this.#news = false;
      const page = await this.#page(cursor);
      for (const publication of page) {
        if (!(await this.#publish(publication))) break;
        cursor = publication.number;
      }
      this.#begin();
      if (page.length < PAGE) await this.#untilNews();
    }
    this.#begin();
    end();
  }

  /** Empty, and asked again a little later, while the store fails. */
  async #page(after: number): Promise<readonly Publication[]> {
    const { store, clock, log } = this.#options;
    try {
      this.#unheard = await heldNodes(store, this.#options.epoch());
      return await store.publications(after, PAGE);
    } catch (error) {
      if (this.#signal.aborted) return [];
      const reason = error instanceof Error ? error.message : String(error);
      log.error('publications cannot be read', { reason });
      await clock.sleep(STORE_RETRY_MS, this.#signal);
      this.#notice();
      return [];
    }
  }

  /** For a node that a restored hub has not heard: said anew when it was. */
  #isHeld(topic: string): boolean {
    const address = this.#unheard.size > 0 ? this.#topics.parse(topic) : null;
    return address !== null && 'node' in address && this.#unheard.has(address.node);
  }

  /** Resolves when it is sent, not when it is acknowledged; false: nothing more can be sent. */
  async #publish({ number, topic, payload }: Publication): Promise<boolean> {
    const { window, log, onFailure, send } = this.#options;
    if (this.#isHeld(topic)) return true;
    if (payload !== null && payload.byteLength > MESSAGE_BYTES_MAX) {
      // One of these must not keep all that follow from the nodes.
      log.error('publication too large: left out', { topic, bytes: payload.byteLength });
      return true;
    }
    if (!(await window.take('publication'))) return false;
    if (this.#signal.aborted) {
      window.release();
      return false;
    }
    this.#coverage.sent(number);
    void send(topic, payload ?? new Uint8Array()).then(acknowledged => {
      window.release();
      if (!acknowledged) {
        if (!this.#signal.aborted) onFailure(`publication ${number} failed`);
        return;
      }
      this.#coverage.acknowledged(number);
      if (!this.#signal.aborted) this.#markSoon();
      else if (this.#coverage.isComplete()) this.#drain();
    });
    return true;
  }

  #notice(): void {
    this.#news = true;
    this.#wake();
  }

  async #untilNews(): Promise<void> {
    if (this.#news || this.#signal.aborted) return;
    await new Promise<void>(resolve => (this.#wake = resolve));
  }

  #markSoon(): void {
    if (this.#markDue || this.#coverage.covered() === this.#marked) return;
    this.#markDue = true;
    void this.#options.clock.sleep(MARK_DELAY_MS, this.#signal).then(async () => {
      this.#markDue = false;
      if (!this.#signal.aborted) await this.#mark();
    });
  }

  async #mark(): Promise<void> {
    const { signal, sendMark } = this.#options;
    const number = this.#coverage.covered();
    if (signal.aborted || number === this.#marked) return;
    this.#marked = number;
    await sendMark(number);
  }
}
