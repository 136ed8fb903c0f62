/**
 * Brings the retained topics of the broker to what the store says, in number order, and keeps a signed mark of how far it
 * is: written after the PUBACKs of all that it covers, never before. Publishes nothing that is not in the store.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import { safeNumber } from './publisher-decide.js';
import type { Store } from '../store/store.js';

/** Unacknowledged PUBLISHes: more gains nothing (measured), and AWS IoT Core takes no more. */
const WINDOW = 100;
const PAGE = 100;
/** Marks are written once things are quiet this long, so that a rollout does not write one per node. */
const MARK_AFTER_MS = 200;

export interface PublisherParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves at the PUBACK; rejects when the connection is lost. */
  readonly publish: (topic: string, payload: Uint8Array) => Promise<void>;
  /** The same for the mark of a number. */
  readonly writeMark: (number: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** One connection's work: ends when the signal aborts; rejects when publishing fails. */
export async function keepPublished(parts: PublisherParts, after: number): Promise<void> {
  const { store, signal } = parts;
  const changed = wakeUp(signal);
  const stop = store.onCommit(touched => {
    if (touched.has('publish')) changed.wake();
  });
  try {
    let marked = after;
    const window = new Window(parts);
    let sent = after;
    while (!signal.aborted) {
      const page = await store.publications(sent, PAGE);
      for (const { number, topic, payload } of page) {
        await window.send(number, topic, payload ?? new Uint8Array());
        if (signal.aborted) return;
        sent = number;
      }
      if (page.length > 0) continue;
      await window.drained();
      const safe = safeNumber(sent, window.unacknowledged());
      if (safe > marked || after === 0) {
        await parts.clock.sleep(MARK_AFTER_MS, signal);
        if (signal.aborted) return;
        if ((await store.publications(sent, 1)).length > 0) continue;
        await parts.writeMark(safe);
        marked = safe;
        after = safe;
      }
      await changed.next();
    }
  } finally {
    stop();
  }
}

class Window {
  private readonly parts: PublisherParts;
  private readonly numbers = new Set<number>();
  private failure: Error | null = null;
  private wake: () => void = () => undefined;

  constructor(parts: PublisherParts) {
    this.parts = parts;
  }

  unacknowledged(): Iterable<number> {
    return this.numbers;
  }

  /** Waits for room, not for the PUBACK. Throws what went wrong with an earlier one. */
  async send(number: number, topic: string, payload: Uint8Array): Promise<void> {
    while (this.numbers.size >= WINDOW) await this.turn();
    this.check();
    this.numbers.add(number);
    this.parts.publish(topic, payload).then(
      () => {
        this.numbers.delete(number);
        this.wake();
      },
      (error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
        this.wake();
      },
    );
  }

  async drained(): Promise<void> {
    while (this.numbers.size > 0) await this.turn();
    this.check();
  }

  private async turn(): Promise<void> {
    this.check();
    await new Promise<void>(done => (this.wake = done));
    this.check();
  }

  private check(): void {
    if (this.failure !== null) throw this.failure;
  }
}

/** A wake-up that is not lost when it comes before the waiting begins. */
function wakeUp(signal: AbortSignal): { wake(): void; next(): Promise<void> } {
  let pending = false;
  let resume: () => void = () => undefined;
  const wake = () => {
    pending = true;
    resume();
  };
  signal.addEventListener('abort', wake, { once: true });
  return {
    wake,
    next: async () => {
      if (!pending && !signal.aborted) await new Promise<void>(done => (resume = done));
      pending = false;
    },
  };
}
