/**
 * What pods and people are told of the connection, over all conversations of an agent's life. The end is told at once, a beginning at most
 * every so often: a link that flaps tells nobody more than that, and wears no flash. Holds state, does no I/O.
 */
import { Alarm } from '../intake/alarm.js';
import { connectionSentence, type ConnectionReason } from './decide.js';
import type { Clock } from '../../protocol/ports.js';
import type { ConnectedWord } from '../../protocol/pod-connected.js';
import { CLOCKS_AGREE_MS } from '../time/timeline.js';

/** Between two beginnings: where the pods' files are in memory, and where they are on the disk. */
export const BEGINS_EVERY_MS = { memory: 10_000, disk: 600_000 } as const;

export interface ToldConnectionOptions {
  readonly isJoined: boolean;
  readonly clock: Clock;
  /** The node's time, milliseconds since 1970, as good as it is known. */
  readonly time: () => number;
}

export interface ConnectionStatus extends ConnectedWord {
  readonly reason: ConnectionReason;
  readonly message: string;
}

export class ToldConnection {
  readonly #options: ToldConnectionOptions;
  readonly #listeners = new Set<() => void>();
  readonly #alarm: Alarm;
  #reason: ConnectionReason;
  #told = false;
  /** Monotonic. */
  #since: number;
  #begunAt = Number.NEGATIVE_INFINITY;
  /** As it was written last: moves only with a clock that was wrong. */
  #sinceTime: number | null = null;
  #hasEnded = false;
  #beginsEveryMs: number = BEGINS_EVERY_MS.memory;

  constructor(options: ToldConnectionOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#tell());
    this.#reason = options.isJoined ? 'LinkDown' : 'NotJoined';
    this.#since = options.clock.monotonic();
  }

  /** The pods' files cannot be kept in memory on this node. */
  onDisk(): void {
    this.#beginsEveryMs = BEGINS_EVERY_MS.disk;
  }

  set(reason: ConnectionReason): void {
    if (this.#hasEnded) return;
    this.#reason = reason;
    this.#tell();
  }

  /** As it stands in the pods' files. */
  word(): ConnectedWord {
    const { clock, time } = this.#options;
    const since = time() - (clock.monotonic() - this.#since);
    const known = this.#sinceTime;
    if (known === null || Math.abs(since - known) >= CLOCKS_AGREE_MS) this.#sinceTime = since;
    const seconds = Math.floor((this.#sinceTime ?? since) / 1000);
    const text = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
    return { connected: this.#told, since: text };
  }

  /** With why; a beginning that waits says so. */
  status(): ConnectionStatus {
    const reason = this.#reason;
    const waits = reason === 'Connected' && !this.#told;
    const message = connectionSentence(reason) + (waits ? ': told in a moment' : '');
    return { ...this.word(), reason, message };
  }

  /** Called after the word changed; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The agent goes and nobody keeps the word true: the last one is false. */
  end(): void {
    this.set('AgentEnds');
    this.#hasEnded = true;
    this.#alarm.close();
  }

  #tell(): void {
    const now = this.#options.clock.monotonic();
    const connected = this.#reason === 'Connected';
    const beginsAt = this.#begunAt + this.#beginsEveryMs;
    if (connected === this.#told) return this.#alarm.set(null);
    if (connected && now < beginsAt) return this.#alarm.set(beginsAt);
    this.#alarm.set(null);
    if (connected) this.#begunAt = now;
    this.#told = connected;
    this.#since = now;
    this.#sinceTime = null;
    for (const listener of this.#listeners) listener();
  }
}
