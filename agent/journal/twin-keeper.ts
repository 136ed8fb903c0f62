/**
 * Writes the twin after the journal's own commits and remembers whether that failed. A twin that is behind does no harm; one that cannot
 * be written must not undo what was promised.
 */
import type { TrustedRoot } from '../../protocol/verified.js';
import { keptOf } from './adoption.js';
import type { Connection } from './database.js';
import type { AcceptedAssignment } from './trust.js';
import { tryToWriteTwin, type Twin } from './twin.js';

export interface Twinned {
  readonly id: string;
  readonly boot: number;
  root(): TrustedRoot | null;
  accepted(): AcceptedAssignment | null;
}

/** As the journal stands now. */
export function twinOf(db: Connection, journal: Twinned): Twin {
  const { epoch = 0, generation = 0 } = journal.accepted() ?? {};
  const rootVersion = journal.root()?.document.version ?? 0;
  const { id, boot } = journal;
  return { journal: id, boot, rootVersion, epoch, generation, kept: keptOf(db) };
}

export class TwinKeeper {
  readonly #file: string;
  readonly #twin: () => Twin;
  readonly #onFault: () => void;
  #fault: string | null = null;
  #isStale = false;

  /** `onFault`: it is to be tried again, by `keep`. */
  constructor(file: string, { twin, onFault }: { twin: () => Twin; onFault: () => void }) {
    this.#file = file;
    this.#twin = twin;
    this.#onFault = onFault;
  }

  /** Durable when it returns, unless the disk refuses. */
  keep(): void {
    this.#isStale = false;
    this.#fault = tryToWriteTwin(this.#file, this.#twin());
    if (this.#fault !== null) this.#onFault();
  }

  /** With the next `keep` or `settle`: often the files of what was accepted follow at once. */
  soon(): void {
    this.#isStale = true;
  }

  settle(): void {
    if (this.#isStale) this.keep();
  }

  /** Why it is behind, or null. */
  fault(): string | null {
    return this.#fault && `${this.#file} is behind the journal: ${this.#fault}`;
  }
}
