/**
 * Whether two devices speak under one identity (security.md S73): a disk that was copied, or put
 * back as a whole. One device never uses a number of a connection or of a status twice, and never
 * goes on as what it was before; what only seems so on a bad network or a hostile broker (late
 * wills, retained words, messages said again, however old) counts for nothing. Remembers a little
 * per node, and is reminded of the rest after a start of the hub (starts.ts); does no I/O.
 */
import type { NodeStart } from '../objects.js';
import type { PresenceDocument, StatusDocument } from '../../protocol/documents/node.js';
import type { ReporterRecord } from '../store/store.js';

export interface Heard {
  readonly retained: boolean;
  /** The hub's monotonic clock. */
  readonly nowMs: number;
  /** What is recorded of the node before this document. */
  readonly known: {
    readonly journal: string;
    /** The newest connection of each journal that was superseded. */
    readonly formers: ReadonlyMap<string, Pick<ReporterRecord, 'presenceBoot' | 'presenceN'>>;
    readonly presenceBoot: number;
    readonly presenceN: number;
  };
}

const KEPT = 64;
/** One who comes back as a former self may be an accident of a network; two are not. */
const RETURNS_MAX = 2;
const WINDOW_MS = 3_600_000;

interface Memory {
  /** By journal, boot and number: what it was used for. */
  readonly sessions: Map<string, string>;
  readonly statuses: Map<string, string>;
  readonly returns: Map<string, number>;
  /** By journal and boot: the highest numbers that were heard. What is not above was said before. */
  readonly passed: Map<string, { readonly n: number; readonly counter: number }>;
}

export class CloneWatch {
  readonly #memory = new Map<string, Memory>();

  /** Nothing is remembered of the node: `recall` first. */
  isStrange(node: string): boolean {
    return !this.#memory.has(node);
  }

  /** What is kept with the node. */
  recall(node: string, journal: string, starts: readonly NodeStart[]): void {
    const { sessions, statuses, passed } = this.#of(node);
    for (const { boot, n, session, lastN, counter, digest } of starts) {
      pass(passed, `${journal}/${boot}`, { n: lastN, counter });
      if (n > 0) remember(sessions, `${journal}/${boot}/${n}`, session);
      if (counter > 0) remember(statuses, `${journal}/${boot}/${counter}`, digest);
    }
  }

  /** Why two devices seem to speak, or null. */
  presence(document: PresenceDocument, heard: Heard): string | null {
    const { node, journal, boot, n, session, online } = document;
    const { sessions, returns, passed } = this.#of(node);
    const key = `${journal}/${boot}/${n}`;
    const before = sessions.get(key);
    const goesOn = pass(passed, `${journal}/${boot}`, { n });
    if (before === session) return null;
    remember(sessions, key, session);
    if (before !== undefined) {
      return this.#found(node, `connection ${n} of start ${boot} was opened twice`);
    }
    if (heard.retained || !online || !goesOn || !isFormerSelf(document, heard)) return null;
    const what = heard.known.journal === journal ? `start ${boot}` : 'another journal';
    return this.#returned(node, returns, { word: session, what, heard });
  }

  /** As above. `digest`: of the document. A start that reports on after a newer one was heard is one that comes back. */
  status(document: StatusDocument, digest: string, heard: Heard): string | null {
    const { node, journal, boot, counter } = document;
    const { statuses, returns, passed } = this.#of(node);
    const key = `${journal}/${boot}/${counter}`;
    const before = statuses.get(key);
    const goesOn = pass(passed, `${journal}/${boot}`, { counter });
    remember(statuses, key, digest);
    if (before === digest) return null;
    if (before !== undefined) {
      return this.#found(node, `two statuses bear the number ${counter} of start ${boot}`);
    }
    const { known, retained } = heard;
    if (retained || !goesOn) return null;
    if (known.journal !== journal || boot >= known.presenceBoot) return null;
    const what = `start ${boot} reports on after start ${known.presenceBoot}`;
    return this.#returned(node, returns, { word: key, what, heard });
  }

  #returned(
    node: string,
    returns: Map<string, number>,
    { word, what, heard }: { readonly word: string; readonly what: string; readonly heard: Heard },
  ): string | null {
    for (const [old, at] of returns) if (heard.nowMs - at > WINDOW_MS) returns.delete(old);
    remember(returns, word, heard.nowMs);
    if (returns.size < RETURNS_MAX) return null;
    return this.#found(node, `it comes back again and again as what it was before (${what})`);
  }

  #found(node: string, why: string): string {
    this.#memory.delete(node);
    return why;
  }

  #of(node: string): Memory {
    const known = this.#memory.get(node);
    if (known) return known;
    const memory: Memory = {
      ...{ sessions: new Map(), statuses: new Map() },
      ...{ returns: new Map(), passed: new Map() },
    };
    this.#memory.set(node, memory);
    return memory;
  }
}

/** Goes on under a journal that was superseded, or under a start that was. */
function isFormerSelf({ journal, boot, n }: PresenceDocument, { known }: Heard): boolean {
  const former = known.formers.get(journal);
  if (former) {
    const { presenceBoot, presenceN } = former;
    return boot > presenceBoot || (boot === presenceBoot && n > presenceN);
  }
  if (known.journal !== journal) return false;
  return boot < known.presenceBoot || (boot === known.presenceBoot && n < known.presenceN);
}

/** Whether the numbers are above all that were heard before. */
function pass(
  passed: Memory['passed'],
  key: string,
  { n = 0, counter = 0 }: { readonly n?: number; readonly counter?: number },
): boolean {
  const before = passed.get(key) ?? { n: 0, counter: 0 };
  remember(passed, key, { n: Math.max(n, before.n), counter: Math.max(counter, before.counter) });
  return n > before.n || counter > before.counter;
}

function remember<T>(memory: Map<string, T>, key: string, value: T): void {
  memory.delete(key);
  memory.set(key, value);
  const oldest = memory.keys().next();
  if (memory.size > KEPT && !oldest.done) memory.delete(oldest.value);
}
