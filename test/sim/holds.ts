/** What people hold at a simulated device, for certain: said while its disk took everything, and neither taken back nor lost with journal and twin. */
export class Holds {
  /** By bundle; empty: all of them. */
  readonly #held = new Set<string>();

  add(bundle: string | null): void {
    this.#held.add(bundle ?? '');
  }

  clear(): void {
    this.#held.clear();
  }

  has(bundle: string): boolean {
    return this.#held.has('') || this.#held.has(bundle);
  }
}
