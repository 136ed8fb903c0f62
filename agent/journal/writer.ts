/**
 * The journal's transactions: each ends within what is to be kept, and gives back the space that it freed. Durable when the call returns
 * (WAL, synchronous FULL).
 */
import { giveBackSpace, type Connection } from './database.js';
import type { Retainer } from './retainer.js';

export class Writer {
  readonly #db: Connection;
  readonly #retainer: Retainer;
  readonly #now: () => number;

  constructor(db: Connection, retainer: Retainer, now: () => number) {
    this.#db = db;
    this.#retainer = retainer;
    this.#now = now;
  }

  /** Throws what `work` throws, and what the disk refuses; then nothing of it happened. */
  durably(work: () => void): void {
    const whole = () => {
      work();
      this.#retainer.look(this.#now());
    };
    this.#db.transaction(whole).immediate();
    giveBackSpace(this.#db);
  }
}
