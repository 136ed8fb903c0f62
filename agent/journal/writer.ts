/**
 * The journal's transactions: durable when the call returns (WAL, synchronous FULL), or gathered for a moment and written with the next
 * one that is, because each costs the flash whole pages. Gathered is only what the node does again when the power took it, and nothing
 * of it is told before it is written. Each transaction ends within what is to be kept, and gives back the space that it freed.
 * A disk that refused one is tried again, with back-off, until it takes one; until then nothing is gathered.
 */
import type { Clock } from '../../protocol/ports.js';
import { Alarm } from '../intake/alarm.js';
import { diskTakes, giveBackSpace, isDiskError, type Connection } from './database.js';
import { setMeta } from './meta.js';
import type { Retainer } from './retainer.js';

/** What is gathered waits no longer. */
const GATHER_MS = 1_000;
const RETRY_MS = { first: 1_000, most: 15_000 } as const;

export interface WriterOptions {
  readonly retainer: Retainer;
  readonly clock: Clock;
  /** Milliseconds since 1970, of rows. */
  readonly stamp: () => number;
  /** What was gathered is gone: the disk refused it. */
  readonly onLost: () => void;
  /** What the disk says; null: it writes again. */
  readonly onFault: (fault: Error | null) => void;
  /** Whoever was refused may try again. */
  readonly onRetry: () => void;
}

export class Writer {
  readonly #db: Connection;
  readonly #options: WriterOptions;
  readonly #alarm: Alarm;
  readonly #retryAlarm: Alarm;
  #isGathering = false;
  /** Written with each transaction: what is worth none of its own. */
  readonly alongside = new Map<string, () => void>();
  #fault: Error | null = null;
  #retries = 0;
  #refused = 0;
  /** Transactions since the disk was last tried. */
  #attempts = 0;
  #changes = 0;

  constructor(db: Connection, options: WriterOptions) {
    this.#db = db;
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#settleOrLose());
    this.#retryAlarm = new Alarm(options.clock, () => this.#retry());
  }

  /** What the disk said to the newest transaction; null: it was written. */
  fault(): Error | null {
    return this.#fault;
  }

  /** Transactions that the disk refused since the journal was opened. */
  refused(): number {
    return this.#refused;
  }

  /** Another number after whatever may have changed what the journal says, and the same until then. */
  changes(): number {
    return this.#changes;
  }

  /** With all that was gathered. Throws what `work` throws, and what the disk refuses; then nothing of it happened. */
  durably(work: () => void): void {
    const whole = () => {
      work();
      this.#retain();
    };
    if (this.#isGathering) {
      this.#within(whole);
      return this.settle();
    }
    this.#changes++;
    this.#judged(() => this.#db.transaction(whole).immediate());
    giveBackSpace(this.#db);
  }

  /** Seen at once by whoever asks this journal, durable within a second or with the next durable call. Throws as that does. */
  soon(work: () => void): void {
    if (this.#fault !== null) return this.durably(work);
    if (!this.#isGathering) {
      this.#judged(() => this.#db.exec('BEGIN IMMEDIATE'));
      this.#isGathering = true;
      const { clock } = this.#options;
      this.#alarm.set(clock.monotonic() + GATHER_MS);
    }
    this.#within(work);
  }

  /** What was gathered is durable when it returns. Throws what the disk refuses: then it is gone. */
  settle(): void {
    if (!this.#isGathering) return;
    try {
      this.#changes++;
      this.#judged(() => {
        this.#retain();
        this.#db.exec('COMMIT');
      });
      this.#end();
    } catch (error) {
      this.#lose();
      throw error;
    }
    giveBackSpace(this.#db);
  }

  /** What lies beside the journal was refused: whoever was is asked to try again, as if a transaction had been. */
  tryAgain(): void {
    const { clock } = this.#options;
    const waitMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** this.#retries);
    this.#retryAlarm.setBefore(clock.monotonic() + waitMs);
  }

  close(): void {
    this.#settleOrLose();
    this.#alarm.close();
    this.#retryAlarm.close();
  }

  #settleOrLose(): void {
    diskTakes(() => this.settle());
  }

  /** A failure takes back this work alone, unless the disk failed: then SQLite may have taken back all. */
  #within(work: () => void): void {
    this.#changes++;
    try {
      this.#db.transaction(work)();
    } catch (error) {
      if (isDiskError(error)) this.#failed(error);
      if (!this.#db.inTransaction || isDiskError(error)) this.#lose();
      throw error;
    }
  }

  /** What becomes of a transaction says how the disk is. */
  #judged(transaction: () => void): void {
    this.#attempts++;
    try {
      transaction();
    } catch (error) {
      if (isDiskError(error)) this.#failed(error);
      throw error;
    }
    if (this.#fault === null) return;
    this.#fault = null;
    this.#retries = 0;
    // Others than the one that was just written were refused too.
    this.#retryAlarm.setBefore(this.#options.clock.monotonic());
    this.#options.onFault(null);
  }

  #failed(error: Error): void {
    const isNew = this.#fault === null;
    this.#fault = error;
    this.#refused++;
    this.tryAgain();
    if (isNew) this.#options.onFault(error);
  }

  /** By those who have something to write; where nobody has, a mark of its own tells whether the disk is well. */
  #retry(): void {
    this.#retries++;
    this.#attempts = 0;
    this.#options.onRetry();
    if (this.#attempts > 0 || this.#fault === null) return;
    const now = String(this.#options.clock.now());
    diskTakes(() => this.durably(() => setMeta(this.#db, 'disk', now)));
  }

  #retain(): void {
    for (const write of this.alongside.values()) write();
    this.#options.retainer.look(this.#options.stamp());
  }

  #end(): void {
    this.#isGathering = false;
    this.#alarm.set(null);
  }

  #lose(): void {
    this.#changes++;
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
    this.#end();
    this.#options.onLost();
  }
}
