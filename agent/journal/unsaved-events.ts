/**
 * Events on their way into the outbox: what the disk refuses waits in memory, the newest thousand of them. What is dropped there is
 * counted, and told by an event before those that are left.
 */
import type { Clock } from '../../protocol/ports.js';
import { Alarm } from '../intake/alarm.js';
import type { NewEvent } from '../ports.js';
import { diskTakes, type Connection } from './database.js';
import { droppedEvent, withDropped, type DroppedEvents } from './dropped-events.js';
import { appendEvent, type Moment } from './outbox.js';
import type { Writer } from './writer.js';

const UNSAVED_MAX = 1000;
/** More are not gathered. */
const GATHERED_MAX = 100;

const REFUSED = 'the disk refused them';

export interface UnsavedOptions {
  /** Its name. */
  readonly node: string;
  readonly clock: Clock;
  readonly gatherMs: () => number;
  /** What waited for others was written. */
  readonly onLate: () => void;
}

export class UnsavedEvents {
  readonly #db: Connection;
  readonly #writer: Writer;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #onLate: () => void;
  /** How long events wait for others, so that one transaction does for all; 0: not at all. */
  readonly #gatherMs: () => number;
  #since: number | null = null;
  #isRefused = false;
  #dropped: { readonly moment: Moment; readonly events: DroppedEvents } | null = null;
  #events: { readonly moment: Moment; readonly event: NewEvent }[] = [];

  constructor(db: Connection, writer: Writer, { node, clock, gatherMs, onLate }: UnsavedOptions) {
    this.#gatherMs = gatherMs;
    this.#db = db;
    this.#writer = writer;
    this.#node = node;
    this.#clock = clock;
    this.#onLate = onLate;
    this.#alarm = new Alarm(clock, () => {
      this.flush();
      this.#onLate();
    });
  }

  /** How many the disk did not take. */
  get refused(): number {
    return this.#isRefused ? this.#events.length : 0;
  }

  add(moment: Moment, event: NewEvent): void {
    this.#events.push({ moment, event });
  }

  /** In one transaction, when they are due. Never throws for the disk's sake. */
  flush(): void {
    if (this.#events.length === 0) return;
    const leftMs = this.#leftMs();
    if (leftMs > 0) return this.#alarm.setBefore(this.#clock.monotonic() + leftMs);
    this.#save();
  }

  /** What waits is written. */
  close(): void {
    this.#alarm.close();
    if (this.#events.length > 0) this.#save();
  }

  #leftMs(): number {
    const gatherMs = this.#gatherMs();
    if (gatherMs === 0 || this.#isRefused || this.#events.length >= GATHERED_MAX) return 0;
    const now = this.#clock.monotonic();
    this.#since ??= now;
    return Math.max(0, this.#since + gatherMs - now);
  }

  #save(): void {
    this.#since = null;
    const save = () => {
      const dropped = this.#dropped;
      if (dropped !== null) {
        const told = droppedEvent(dropped.events, { node: this.#node, why: REFUSED });
        appendEvent(this.#db, dropped.moment, told);
      }
      for (const { moment, event } of this.#events) appendEvent(this.#db, moment, event);
    };
    this.#isRefused = !diskTakes(() => this.#writer.durably(save));
    if (this.#isRefused) return this.#drop();
    this.#events = [];
    this.#dropped = null;
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
