/**
 * One thread of events for everything that is simulated: time goes from one event to the next, and each event runs to
 * its end, promises included, before the next begins. So whoever speaks is known at every moment, nothing depends on
 * how fast the machine is, and the same seed gives the same history.
 */
import type { Clock } from '../../protocol/ports.js';

/** Once round the event loop: microtasks and ticks that an event left are done then. Taken before anything replaces it. */
const realImmediate = globalThis.setImmediate;
const settled = () => new Promise<void>(resolve => void realImmediate(resolve));

/** More events than a fleet has at one moment: somebody asks to be called at once, again and again. */
const AT_ONCE_MAX = 50_000;
/** Node's timers: a longer wait is none (`TimeoutOverflowWarning`). */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** Who acts: one life of an agent or hub, a machine, the broker. Whatever a dead one still wants does not happen. */
export class Actor {
  readonly name: string;
  isDead = false;
  /** Events of it that have run. */
  events = 0;
  /** Steps that leave something behind, so far. */
  steps = 0;
  /** It dies at this step; with `.5`, right after it. */
  diesAt: number | null = null;
  /** What a death ends at once: database connections, watches. */
  readonly belongings = new Set<{ close(): unknown }>();
  /** Called at the death. */
  onDeath: () => void = () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  die(): void {
    if (this.isDead) return;
    this.isDead = true;
    for (const one of this.belongings) one.close();
    this.belongings.clear();
    this.onDeath();
  }
}

/** What a dead actor's code meets: nothing outside answers any more. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly actor: Actor;
  readonly run: () => void;
  isOff: boolean;
}

export class Scheduler {
  /** Milliseconds since the history began. */
  now = 0;
  /** Whose event runs. */
  actor: Actor | null = null;
  /** How many events have run. */
  events = 0;
  /** What an event threw that was not its death. */
  onError: (error: unknown) => void = error => {
    throw error;
  };
  readonly #heap: Event[] = [];
  #order = 0;

  /** The returned function takes it back. */
  after(delayMs: number, actor: Actor, run: () => void): () => void {
    const at = this.now + Math.max(0, delayMs);
    const event = { at, order: this.#order++, actor, run, isOff: false };
    this.#push(event);
    return () => void (event.isOff = true);
  }

  /** Runs what is due until then; ends early when `isOver` says so. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    for (let atOnce = 0; ;) {
      const next = this.#heap[0];
      if (!next || next.at > untilMs) break;
      this.#pop();
      if (next.isOff || next.actor.isDead) continue;
      atOnce = next.at === this.now ? atOnce + 1 : 0;
      if (atOnce > AT_ONCE_MAX)
        throw new Error(`time stands still: ${next.actor.name} never rests`);
      this.now = next.at;
      await this.as(next.actor, next.run);
      if (isOver()) return;
    }
    this.now = Math.max(this.now, untilMs);
  }

  /** Something that this actor does now, to its end. */
  async as(actor: Actor, work: () => void): Promise<void> {
    this.actor = actor;
    this.events++;
    actor.events++;
    try {
      work();
    } catch (error) {
      if (!actor.isDead) this.onError(error);
    }
    await settled();
    this.actor = null;
  }

  clockOf(actor: Actor, times: { now: () => number; monotonic: () => number }): Clock {
    return {
      ...times,
      sleep: (ms, signal) =>
        new Promise(resolve => {
          if (signal?.aborted === true) return resolve();
          const wake = () => {
            signal?.removeEventListener('abort', wake);
            takeBack();
            resolve();
          };
          const takeBack = this.after(ms > TIMEOUT_MAX_MS ? 1 : ms, actor, wake);
          signal?.addEventListener('abort', wake, { once: true });
        }),
    };
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Event;
      if (!isBefore(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const [a, b] = [heap[left] as Event, heap[left + 1]];
      const down = b !== undefined && isBefore(b, a) ? left + 1 : left;
      const child = heap[down] as Event;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
