/**
 * Asks a silent broker whether it is there, instead of MQTT.js, whose interval cannot change while it is connected; and tells whether
 * what was said after a silence was ever answered. Nodes and their hub ask by it alike. Decides no interval.
 */
import type { Clock } from './ports.js';
import { asked, LOOK_MS, looked, patienceLeftMs, type OnItsWay } from './patience.js';

/** A shorter silence is none. */
const SILENCE_MS = 25_000;

/** As much of an MQTT.js client as asking takes. */
export interface AskingClient {
  /** Seconds. */
  readonly options: { keepalive?: number };
  on(event: 'packetsend', listener: (packet: { readonly cmd?: string }) => void): unknown;
  once(event: 'connect', listener: () => void): unknown;
  sendPing(): void;
}

/** As much of its socket. */
export interface HeardSocket {
  on(event: 'data', listener: () => void): unknown;
}

export interface PingerOptions {
  readonly clock: Clock;
  /** From the last packet that was sent to the next question. */
  readonly intervalMs: () => number;
  /** An answer came after so much silence in both directions. */
  readonly onAnswer: (silentMs: number) => void;
  /** What was said and has not come yet, as far as is known here. */
  readonly onItsWay: () => OnItsWay;
  /** None came. */
  readonly onSilence: () => void;
}

export class Pinger {
  readonly #options: PingerOptions;
  #sentAt: number;
  #heardAt: number;
  /** How long it was silent before something was said that nobody has answered yet; null: nothing waits. */
  #unansweredAfterMs: number | null = null;

  constructor(options: PingerOptions) {
    this.#options = options;
    this.#sentAt = this.#heardAt = options.clock.monotonic();
  }

  /** Call it in the turn in which the socket is made: listening starts the flow. */
  listen(socket: HeardSocket): void {
    socket.on('data', () => {
      this.#heardAt = this.#options.clock.monotonic();
      this.#unansweredAfterMs = null;
    });
  }

  /** Call it before the CONNECT is sent. */
  drive(client: AskingClient, over: AbortSignal): void {
    client.on('packetsend', ({ cmd }) => {
      this.#noteSent();
      // The CONNECT has announced it; MQTT.js sets no timer of its own without it.
      if (cmd === 'connect') client.options.keepalive = 0;
    });
    client.once('connect', () => void this.#run(client, over));
  }

  /** Of a connection that ended: how long it was silent before something that was never answered; null: it did not end in silence. */
  diedAfterMs(): number | null {
    return this.#unansweredAfterMs;
  }

  /** For so long nothing crossed it in either direction; null: that is no silence. */
  silentMs(): number | null {
    const silentMs = this.#options.clock.monotonic() - Math.max(this.#sentAt, this.#heardAt);
    return silentMs < SILENCE_MS ? null : silentMs;
  }

  #noteSent(): void {
    this.#unansweredAfterMs ??= this.silentMs();
    this.#sentAt = this.#options.clock.monotonic();
  }

  async #run(client: AskingClient, over: AbortSignal): Promise<void> {
    const { clock, intervalMs, onAnswer, onSilence } = this.#options;
    while (!over.aborted) {
      const leftMs = this.#sentAt + intervalMs() - clock.monotonic();
      if (leftMs > 0) {
        await clock.sleep(leftMs, over);
        continue;
      }
      const askedAt = clock.monotonic();
      const silentMs = askedAt - Math.max(this.#sentAt, this.#heardAt);
      client.sendPing();
      const isThere = await this.#isAnswered(askedAt, over);
      if (over.aborted) return;
      if (!isThere) return onSilence();
      onAnswer(silentMs);
    }
  }

  /** Whatever comes is an answer. */
  async #isAnswered(askedAt: number, over: AbortSignal): Promise<boolean> {
    const { clock, onItsWay } = this.#options;
    let patience = asked(askedAt, onItsWay());
    for (;;) {
      const leftMs = patienceLeftMs(patience, clock.monotonic());
      if (leftMs === 0) return false;
      await clock.sleep(Math.min(LOOK_MS, leftMs), over);
      if (over.aborted || this.#heardAt >= askedAt) return !over.aborted;
      patience = looked(patience, clock.monotonic(), onItsWay().queued);
    }
  }
}
