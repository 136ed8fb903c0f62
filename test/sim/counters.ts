/** What only grows at a node, as long as its journal is the same: the epoch, the generation within it, the root. */
import type { Journal } from '../../agent/journal/journal.js';

export class Counters {
  #generation = 0;
  #epoch = 0;
  #root = 0;

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
    return found;
  }

  /** The journal is another one. */
  forget(): void {
    this.#generation = 0;
    this.#epoch = 0;
    this.#root = 0;
  }
}
