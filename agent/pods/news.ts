/** Tells those who listen that something is to be seen now that was not before; the same again is no news. */
export class News {
  readonly #listeners = new Set<() => void>();
  #told = '';

  /** Returns the way to end it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What is shown now, as values that JSON can tell apart. `first` is called before the listeners, if there is news. */
  tell(shown: unknown, first: () => void): void {
    const text = JSON.stringify(shown);
    if (text === this.#told) return;
    this.#told = text;
    first();
    for (const listener of this.#listeners) listener();
  }
}
