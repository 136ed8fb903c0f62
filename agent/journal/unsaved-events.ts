/**
 * Events on their way into the outbox: what the disk refuses waits in memory, the newest thousand of them. What is dropped there is
 * counted, and told by an event before those that are left.
 */
import type { NewEvent } from '../ports.js';
import { isDiskError, type Connection } from './database.js';
import { droppedEvent, withDropped, type DroppedEvents } from './dropped-events.js';
import { appendEvent, type Moment } from './outbox.js';
import type { Writer } from './writer.js';

const UNSAVED_MAX = 1000;

const REFUSED = 'the disk refused them';

export class UnsavedEvents {
  readonly #db: Connection;
  readonly #writer: Writer;
  readonly #node: string;
  #dropped: { readonly moment: Moment; readonly events: DroppedEvents } | null = null;
  #events: { readonly moment: Moment; readonly event: NewEvent }[] = [];

  /** `node`: its name. */
  constructor(db: Connection, writer: Writer, node: string) {
    this.#db = db;
    this.#writer = writer;
    this.#node = node;
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
    const save = () => {
      const dropped = this.#dropped;
      if (dropped !== null) {
        const told = droppedEvent(dropped.events, { node: this.#node, why: REFUSED });
        appendEvent(this.#db, dropped.moment, told);
      }
      for (const { moment, event } of this.#events) appendEvent(this.#db, moment, event);
    };
    try {
      this.#writer.durably(save);
      this.#events = [];
      this.#dropped = null;
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.#drop();
    }
  }

  #drop(): void {
    const over = this.#events.splice(0, Math.max(0, this.#events.length - UNSAVED_MAX));
    for (const { moment, event } of over) {
      const { reason } = event;
      const events = withDropped(this.#dropped?.events ?? null, { at: moment.at, reason });
      this.#dropped = { moment, events };
    }
  }
}
