/** What is known of the path to each broker, from one connection to the next. Holds state; keep-alive.ts decides. */
import type { Alongside } from '../journal/alongside.js';
import {
  announcedLess,
  answered,
  begunKeepAlive,
  closedInSilence,
  DEFAULT_MOST_S,
  diedInSilence,
  readMemories,
  SAFE_S,
  UNKNOWN_PATH,
  type KeepAlive,
  type KeepAliveMemory,
} from './keep-alive.js';

export interface PathOptions {
  readonly memory?: Alongside;
  readonly mostS?: number;
}

/** One connection's. */
export interface Path {
  /** To be announced. */
  readonly mostS: number;
  intervalMs(): number;
  answered(silentMs: number): void;
  died(silentMs: number): void;
  closedInSilence(silentMs: number): void;
  /** The broker refused the CONNECT, maybe for what it announced. */
  refused(): void;
}

export class Paths {
  readonly #mostS: number;
  readonly #known: Map<string, KeepAliveMemory>;
  /** What a broker is thought to accept. */
  readonly #accepted = new Map<string, number>();
  #changed = false;

  constructor({ memory, mostS = DEFAULT_MOST_S }: PathOptions) {
    this.#mostS = Math.max(SAFE_S, mostS);
    this.#known = readMemories(memory?.read() ?? null);
    memory?.alongside(() => this.#toSave());
  }

  to(broker: string): Path {
    const mostS = Math.min(this.#mostS, this.#accepted.get(broker) ?? this.#mostS);
    let now: KeepAlive = begunKeepAlive(this.#known.get(broker) ?? UNKNOWN_PATH, mostS);
    const learn = (memory: KeepAliveMemory) => {
      if (memory === (this.#known.get(broker) ?? UNKNOWN_PATH)) return;
      this.#known.set(broker, memory);
      this.#changed = true;
    };
    return {
      mostS,
      intervalMs: () => now.intervalS * 1000,
      answered: silentMs => {
        const before = now.memory;
        now = answered(now, silentMs / 1000, mostS);
        const { holdsS, failedS } = now.memory;
        if (holdsS !== before.holdsS || failedS !== before.failedS) learn(now.memory);
      },
      died: silentMs => learn(diedInSilence(now.memory, silentMs / 1000)),
      closedInSilence: silentMs => learn(closedInSilence(now, silentMs / 1000)),
      refused: () => {
        const less = announcedLess(mostS);
        if (less === null) this.#accepted.delete(broker);
        else this.#accepted.set(broker, less);
      },
    };
  }

  #toSave(): string | null {
    if (!this.#changed) return null;
    this.#changed = false;
    return JSON.stringify(Object.fromEntries(this.#known));
  }
}
