/** What is counted of the reports of nodes: how long they wait, and what the broker, or this hub, dropped. Decides nothing. */
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { Clock } from '../../protocol/ports.js';
import type { NodeMessage } from '../link/messages.js';
import type { Opened } from './ingest-parts.js';

/** How a missing message was found out. */
export const FOUND_BY = ['pod_digest', 'event_gap', 'status_base', 'queue_full'] as const;
export type FoundBy = (typeof FOUND_BY)[number];

export interface IngestMeter {
  arrived(kind: NodeMessage['kind']): void;
  /** So many of those that arrived do not wait any more. */
  taken(count: number): void;
  refused(count?: number): void;
  /** Of one message, from its arrival. */
  committed(seconds: number): void;
  /** From the time that a node signed. */
  statusAge(seconds: number): void;
  missed(by: FoundBy, count?: number): void;
  repeated(): void;
}

/** What became of messages that were worked on. Null: nothing was recorded. */
export type Recorded = {
  /** What was taken of them. */
  readonly opened: readonly Opened[];
  /** Events are recorded up to this number. */
  readonly through: number;
} | null;

/** Keeps when messages arrived. Without a meter it does nothing. */
export class ArrivalTimes {
  readonly #meter: IngestMeter | undefined;
  readonly #clock: Clock;
  readonly #times = new WeakMap<NodeMessage, number>();
  /** By node, which status of it was heard last. */
  readonly #heard = new Map<string, string>();

  constructor({ meter, clock }: { readonly meter?: IngestMeter; readonly clock: Clock }) {
    this.#meter = meter;
    this.#clock = clock;
  }

  note(message: NodeMessage): void {
    if (!this.#meter) return;
    this.#meter.arrived(message.kind);
    this.#times.set(message, this.#clock.monotonic());
  }

  /** Pushed out of a queue that is full. */
  dropped(): void {
    this.#meter?.taken(1);
    this.#meter?.missed('queue_full');
  }

  ended(node: string, batch: readonly NodeMessage[], recorded: Recorded): void {
    const meter = this.#meter;
    if (!meter) return;
    meter.taken(batch.length);
    if (recorded === null) return;
    const now = this.#clock.monotonic();
    for (const message of batch) {
      const arrivedAt = this.#times.get(message);
      if (arrivedAt !== undefined) meter.committed((now - arrivedAt) / 1000);
    }
    for (const one of recorded.opened) {
      if (one.kind === 'event') {
        const last = one.document.events.at(-1)?.n ?? 0;
        if (last > recorded.through) meter.missed('event_gap');
      }
      if (one.kind === 'status' && !one.retained) this.#status(node, one.document, meter);
    }
  }

  #status(node: string, document: StatusDocument, meter: IngestMeter): void {
    const { at, clock, journal, boot, counter } = document;
    const name = `${journal}/${boot}/${counter}`;
    if (this.#heard.get(node) === name) return meter.repeated();
    this.#heard.set(node, name);
    if (clock !== 'synced') return;
    meter.statusAge(Math.max(0, this.#clock.now() - Date.parse(at)) / 1000);
  }
}
