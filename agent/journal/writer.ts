/**
 * The journal's transactions: durable when the call returns (WAL, synchronous FULL), or gathered for a moment and written with the next
 * one that is, because each costs the flash whole pages. Gathered is only what the node does again when the power took it, and nothing
 * of it is told before it is written. Each transaction ends within what is to be kept, and gives back the space that it freed.
 */
import type { Clock } from '../../protocol/ports.js';
import { Alarm } from '../intake/alarm.js';
import { giveBackSpace, isDiskError, type Connection } from './database.js';
import type { Retainer } from './retainer.js';

/** What is gathered waits no longer. */
const GATHER_MS = 1_000;

export interface WriterOptions {
  readonly retainer: Retainer;
  readonly clock: Clock;
  /** What was gathered is gone: the disk refused it. */
  readonly onLost: () => void;
}

export class Writer {
  readonly #db: Connection;
  readonly #options: WriterOptions;
  readonly #alarm: Alarm;
  #isGathering = false;

  constructor(db: Connection, options: WriterOptions) {
    this.#db = db;
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#settleOrLose());
  }

  /** With all that was gathered. Throws what `work` throws, and what the disk refuses; then nothing of it happened. */
  durably(work: () => void): void {
    const whole = () => {
      work();
      this.#retain();
    };
    if (!this.#isGathering) {
      this.#db.transaction(whole).immediate();
      return giveBackSpace(this.#db);
    }
    this.#within(whole);
    this.settle();
  }

  /** Seen at once by whoever asks this journal, durable within a second or with the next durable call. Throws as that does. */
  soon(work: () => void): void {
    if (!this.#isGathering) {
      this.#db.exec('BEGIN IMMEDIATE');
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
      this.#retain();
      this.#db.exec('COMMIT');
      this.#end();
    } catch (error) {
      this.#lose();
      throw error;
    }
    giveBackSpace(this.#db);
  }

  close(): void {
    this.#settleOrLose();
    this.#alarm.close();
  }

  #settleOrLose(): void {
    try {
      this.settle();
    } catch (error) {
      if (!isDiskError(error)) throw error;
    }
  }

  /** A failure takes back this work alone, unless the disk failed: then SQLite may have taken back all. */
  #within(work: () => void): void {
    try {
      this.#db.transaction(work)();
    } catch (error) {
      if (!this.#db.inTransaction || isDiskError(error)) this.#lose();
      throw error;
    }
  }

  #retain(): void {
    this.#options.retainer.look(this.#options.clock.now());
  }

  #end(): void {
    this.#isGathering = false;
    this.#alarm.set(null);
  }

  #lose(): void {
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
    this.#end();
    this.#options.onLost();
  }
}
