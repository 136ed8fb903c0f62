/**
 * Counts what the node uses: its link at the socket and by message, images that it pulls, bytes that it writes. Kept in the journal with
 * what is written there anyway, never by a transaction of its own while the agent runs: a power cut takes what was counted since then.
 */
import type { Clock } from '../../protocol/ports.js';
import type { Alongside } from '../journal/alongside.js';
import { publishBytes, usageOf, type UsageName } from '../../protocol/usage.js';
import type { Address } from '../../protocol/topics.js';
import {
  counted,
  newLedger,
  readLedger,
  rolledTo,
  type Ledger,
  type LedgerTime,
} from './ledger.js';
import type { SocketBytes } from './socket-bytes.js';

export interface MeterOptions {
  readonly store: Alongside;
  readonly time: () => LedgerTime;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Of this process, to block devices, so far; null: nobody says. */
  readonly written: () => number | null;
}

/** A page is spent on it no more often, */
const SAVE_EVERY_MS = 600_000;
/** unless this much crossed the link meanwhile, */
const SAVE_BYTES = 256 * 1024;
/** or was written. */
const SAVE_WRITTEN_BYTES = 1024 * 1024;

/** What is counted this soon after another count is taken to be of the same day. */
const SAME_DAY_MS = 60_000;

export class Meter {
  readonly #options: MeterOptions;
  readonly #sockets = new Map<() => SocketBytes, SocketBytes>();
  #ledger: Ledger;
  /** Counted since the last look: of the ledger's day. A flood of messages costs no more than this. */
  readonly #fresh = new Map<UsageName, number>();
  #lookedAt: number;
  #writtenBefore: number;
  #savedAt: number;
  #savedBytes: number;
  #savedWritten: number;

  constructor(options: MeterOptions) {
    const { store, time, clock, written } = options;
    this.#options = options;
    this.#ledger = readLedger(store.read()) ?? newLedger(time());
    this.#writtenBefore = written() ?? 0;
    this.#savedAt = this.#lookedAt = clock.monotonic();
    this.#savedBytes = this.#crossed();
    this.#savedWritten = this.#written();
    store.alongside(() => this.#worthSaving());
  }

  /** A socket of the link, until it is told to end. */
  watch(read: () => SocketBytes): { end(): void } {
    this.#sockets.set(read, { in: 0, out: 0 });
    return {
      end: () => {
        this.#look();
        this.#sockets.delete(read);
      },
    };
  }

  /** A message that crossed the link; null: on a topic that is none of the fleet's, told with the rest. */
  message(address: Address | null, topic: string, payloadBytes: number): void {
    if (address) this.#count(usageOf(address.kind), publishBytes(topic, payloadBytes));
  }

  /** Bytes of layers that the engine fetched. */
  pulled(bytes: number): void {
    this.#count('images', bytes);
  }

  /** As it stands now. */
  ledger(): Ledger {
    this.#look();
    return this.#ledger;
  }

  /** The journal is about to be closed. */
  close(): void {
    this.#options.store.save(this.#saved());
  }

  #look(): void {
    const { time, written, clock } = this.#options;
    this.#lookedAt = clock.monotonic();
    for (const [name, bytes] of this.#fresh) this.#ledger = counted(this.#ledger, name, bytes);
    this.#fresh.clear();
    this.#ledger = rolledTo(this.#ledger, time());
    for (const [read, before] of this.#sockets) {
      const now = read();
      this.#sockets.set(read, now);
      this.#ledger = counted(this.#ledger, 'in', now.in - before.in);
      this.#ledger = counted(this.#ledger, 'out', now.out - before.out);
    }
    const bytes = written() ?? this.#writtenBefore;
    this.#ledger = counted(this.#ledger, 'written', bytes - this.#writtenBefore);
    this.#writtenBefore = bytes;
  }

  #count(name: UsageName, bytes: number): void {
    if (this.#options.clock.monotonic() - this.#lookedAt >= SAME_DAY_MS) this.#look();
    this.#fresh.set(name, (this.#fresh.get(name) ?? 0) + bytes);
  }

  #crossed(): number {
    const { in: inward, out } = this.#ledger.counts;
    return (inward?.[2] ?? 0) + (out?.[2] ?? 0);
  }

  #written(): number {
    return this.#ledger.counts.written?.[2] ?? 0;
  }

  #worthSaving(): string | null {
    this.#look();
    const isLong = this.#options.clock.monotonic() - this.#savedAt >= SAVE_EVERY_MS;
    const isMuch =
      this.#crossed() - this.#savedBytes >= SAVE_BYTES ||
      this.#written() - this.#savedWritten >= SAVE_WRITTEN_BYTES;
    return isLong || isMuch ? this.#saved() : null;
  }

  #saved(): string {
    this.#look();
    this.#savedAt = this.#options.clock.monotonic();
    this.#savedBytes = this.#crossed();
    this.#savedWritten = this.#written();
    return JSON.stringify(this.#ledger);
  }
}
