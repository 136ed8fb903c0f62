/**
 * Writes the twin after the journal's own commits and remembers whether that failed. A twin that is behind does no harm; one that cannot
 * be written must not undo what was promised.
 */
import { tryToWriteTwin, type Twin } from './twin.js';

export class TwinKeeper {
  readonly #file: string;
  readonly #twin: () => Twin;
  #fault: string | null = null;

  constructor(file: string, twin: () => Twin) {
    this.#file = file;
    this.#twin = twin;
  }

  /** Durable when it returns, unless the disk refuses. */
  keep(): void {
    this.#fault = tryToWriteTwin(this.#file, this.#twin());
  }

  /** Why it is behind, or null. */
  fault(): string | null {
    return this.#fault && `${this.#file} is behind the journal: ${this.#fault}`;
  }
}
