/** What only grows at a node, as long as its journal is the same: the epoch, and within it the generation and the proven time; the root. */
import type { Journal } from '../../agent/journal/journal.js';

/** Answers of the hub may overtake each other, and are taken within this time. */
const OVERTAKES_MS = 60_000;

const NONE = { epoch: 0, time: 0 };

export class Counters {
  #generation = 0;
  #epoch = 0;
  #root = 0;
  /** The highest that was proven. */
  #proven = NONE;

  /** Each that fell is a sentence. */
  look(journal: Journal): string[] {
    const { generation = 0, epoch = 0 } = journal.accepted() ?? {};
    const root = journal.root()?.document.version ?? 0;
    const found: string[] = [];
    const before = `${this.#generation} of epoch ${this.#epoch}`;
    // A new epoch begins to count anew.
    if (epoch > this.#epoch) this.#generation = 0;
    if (generation < this.#generation || epoch < this.#epoch) {
      found.push(`the accepted generation fell from ${before} to ${generation} of epoch ${epoch}`);
    }
    if (root < this.#root) found.push(`the root fell from ${this.#root} to ${root}`);
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#generation = Math.max(this.#generation, generation);
    this.#root = Math.max(this.#root, root);
    return [...found, ...this.#lookAtTime(journal)];
  }

  #lookAtTime(journal: Journal): string[] {
    const proven = journal.time().hubFloor() ?? NONE;
    const before = this.#proven;
    if (proven.epoch > before.epoch || proven.time > before.time) this.#proven = proven;
    const hasFallen = proven.epoch < before.epoch || proven.time < before.time - OVERTAKES_MS;
    return hasFallen && proven.epoch <= before.epoch
      ? [`the proven time fell from ${shown(before)} to ${shown(proven)}`]
      : [];
  }

  /** The journal is another one. */
  forget(): void {
    this.#generation = 0;
    this.#epoch = 0;
    this.#root = 0;
    this.#proven = NONE;
  }
}

function shown({ epoch, time }: typeof NONE): string {
  return `${new Date(time).toISOString()} of epoch ${epoch}`;
}
