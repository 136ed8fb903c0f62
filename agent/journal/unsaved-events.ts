/** Events on their way into the outbox: what the disk refuses waits in memory, the newest thousand of them. */
import type { NewEvent } from '../ports.js';
import { isDiskError, type Connection } from './database.js';
import { appendEvent, type Moment } from './outbox.js';

const UNSAVED_MAX = 1000;

export class UnsavedEvents {
  readonly #db: Connection;
  #events: { readonly moment: Moment; readonly event: NewEvent }[] = [];

  constructor(db: Connection) {
    this.#db = db;
  }

  get length(): number {
    return this.#events.length;
  }

  add(moment: Moment, event: NewEvent): void {
    this.#events.push({ moment, event });
  }

  /** In one transaction. Never throws for the disk's sake. */
  flush(): void {
    if (this.#events.length === 0) return;
    const save = this.#db.transaction(() => {
      for (const { moment, event } of this.#events) appendEvent(this.#db, moment, event);
    });
    try {
      save.immediate();
      this.#events = [];
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.#events = this.#events.slice(-UNSAVED_MAX);
    }
  }
}
