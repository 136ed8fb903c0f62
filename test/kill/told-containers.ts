/**
 * What the events of a Docker Engine say of one owner's containers: which run, what was started, what ran twice at once.
 * Pure. Events come in the engine's order; all times are its own, in nanoseconds.
 */
import { LABEL } from '../../agent/runtime/docker-names.js';
import { isSandbox, podOf, roleOf, type Labels, type RunningContainer } from './engine-port.js';

/** As far as it is read here; labels are among the attributes. */
export interface EngineEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Labels };
  readonly timeNano: number;
}

interface Known {
  readonly labels: Labels;
  readonly image: string;
  isRunning: boolean;
}

interface Doubted {
  readonly id: string;
  readonly role: string;
  readonly since: number;
}

/** The engine tells of an end a moment after it happened: of two that overlap by less nobody can say so. */
export const TELLING_NS = 100e6;

export class ToldContainers {
  readonly #owner: string;
  readonly #containers = new Map<string, Known>();
  /** Ran when another one of their role was started. */
  #doubted: Doubted[] = [];
  readonly twice: string[] = [];
  /** `pod image`, sandboxes aside. */
  readonly started = new Set<string>();

  constructor(owner: string) {
    this.#owner = owner;
  }

  hear({ Action, Actor: { ID, Attributes }, timeNano }: EngineEvent): void {
    if (Attributes[LABEL.owner] !== this.#owner) return;
    const image = Attributes[LABEL.image] ?? Attributes['image'] ?? '';
    const known = this.#containers.get(ID) ?? { labels: Attributes, image, isRunning: false };
    this.#containers.set(ID, known);
    if (Action === 'start') this.#begun(ID, known, timeNano);
    if (Action !== 'die' && Action !== 'destroy') return;
    known.isRunning = false;
    this.#judge(timeNano, ID);
    if (Action === 'destroy') this.#containers.delete(ID);
  }

  /** Application containers. */
  running(): RunningContainer[] {
    return [...this.#containers]
      .filter(([, { labels, isRunning }]) => isRunning && !isSandbox(labels))
      .map(([id, { labels, image }]) => ({ pod: podOf(labels), id, image }));
  }

  /** Everything was told: what is still doubted runs twice now. */
  conclude(): void {
    this.#judge(Infinity);
  }

  /** What runs is the beginning of what comes. */
  beginAnew(): void {
    this.#doubted = [];
    this.twice.length = 0;
    this.started.clear();
  }

  #begun(id: string, begun: Known, since: number): void {
    const role = roleOf(begun.labels);
    for (const [other, { labels, isRunning }] of this.#containers) {
      if (other !== id && isRunning && roleOf(labels) === role)
        this.#doubted.push({ id: other, role, since });
    }
    begun.isRunning = true;
    if (!isSandbox(begun.labels)) this.started.add(`${podOf(begun.labels)} ${begun.image}`);
  }

  /** Of the one that ended at `at`; `id` absent: of all that did not end. */
  #judge(at: number, id?: string): void {
    const isJudged = (one: Doubted) => id === undefined || one.id === id;
    const judged = this.#doubted.filter(isJudged);
    this.#doubted = this.#doubted.filter(one => !isJudged(one));
    for (const { role, since } of judged) {
      if (at - since > TELLING_NS) this.twice.push(`${role} ran twice at once`);
    }
  }
}
