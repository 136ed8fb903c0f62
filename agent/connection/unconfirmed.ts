/**
 * Statuses that were said and that the hub has not confirmed, by their counters, which only rise: a confirmation of one confirms all before
 * it. Holds state, does no I/O; what a time is, the caller knows.
 */

/** Said in vain that are remembered: the oldest and the newest among them. */
const MOST = 64;

export class Unconfirmed {
  readonly #saidAt = new Map<number, number>();

  /** Said again it keeps its first time. */
  said(counter: number, at: number): void {
    if (this.#saidAt.has(counter)) return;
    this.#saidAt.set(counter, at);
    const [, second] = this.#saidAt.keys();
    if (this.#saidAt.size > MOST && second !== undefined) this.#saidAt.delete(second);
  }

  /** When the newest of those up to `counter` was said; null: none was, or all are confirmed already. */
  confirmed(counter: number): number | null {
    let newest: number | null = null;
    for (const [said, at] of [...this.#saidAt]) {
      if (said > counter) break;
      newest = at;
      this.#saidAt.delete(said);
    }
    return newest;
  }

  /** When the oldest of those that are not confirmed was said; null: there is none. */
  oldest(): number | null {
    const [at = null] = this.#saidAt.values();
    return at;
  }

  clear(): void {
    this.#saidAt.clear();
  }
}
