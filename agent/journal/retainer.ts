/**
 * Keeps the journal within its limits: looks at history and outbox at the end of each transaction that writes to them, as part of it,
 * and mostly finds nothing to do. Decides nothing (`retention.ts`).
 */
import type { Connection } from './database.js';
import { newestRow, pruneHistory } from './history.js';
import { dropOldestEvents, newestEvent, outboxExtent } from './outbox.js';
import { outboxCut, RETENTION_STEP, type Retention } from './retention.js';
import { readFloor } from './time-memory.js';

export class Retainer {
  readonly #db: Connection;
  readonly #limits: Retention;
  readonly #node: string;
  /** Row and event up to which bytes were counted. */
  #counted = { row: 0, event: 0 };

  constructor(db: Connection, limits: Retention, node: string) {
    this.#db = db;
    this.#limits = limits;
    this.#node = node;
  }

  /** `at`: milliseconds since 1970, for the row that tells of a cut. Part of the caller's transaction. */
  look(at: number): void {
    const row = newestRow(this.#db);
    const event = newestEvent(this.#db);
    // What was rolled back takes its numbers back.
    const countRows = Math.abs(row - this.#counted.row) >= RETENTION_STEP;
    const countEvents = Math.abs(event - this.#counted.event) >= RETENTION_STEP;
    const proven = readFloor(this.#db)?.time ?? null;
    pruneHistory(this.#db, this.#limits, { at, proven, countBytes: countRows });
    const count = outboxCut(outboxExtent(this.#db, countEvents), this.#limits);
    if (count > 0) dropOldestEvents(this.#db, count, this.#node);
    this.#counted = {
      row: countRows ? row : this.#counted.row,
      event: countEvents ? event : this.#counted.event,
    };
  }
}
