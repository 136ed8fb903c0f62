/**
 * `drift: report`: files of a bundle that somebody edited or deleted on the node stay as that person made them until the bundle's next
 * switch, and are told of: which, of which bundle, since when. Touches no file; what is no person's doing is none of it.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { Clock } from '../../protocol/ports.js';
import type { DriftStore } from '../journal/drifts.js';
import type { Journal, OwnedFile } from '../journal/journal.js';
import { EventCorrelator } from '../pods/event-correlator.js';
import type { NewEvent, SourceCondition } from '../ports.js';
import { bundleKey } from './decide.js';
import type { FoundFile } from './owned-files.js';

/** A file that is not what it is to be, as it was found; undefined: it is not there. */
export interface Difference {
  readonly file: OwnedFile;
  readonly found: FoundFile | undefined;
}

const NAMED = 4;

export class Drift {
  readonly #journal: Pick<Journal, 'files'>;
  readonly #store: DriftStore;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #correlator = new EventCorrelator();

  constructor({ journal, clock }: { journal: Journal; clock: Pick<Clock, 'monotonic'> }) {
    this.#journal = journal;
    this.#store = journal.site().drifts();
    this.#clock = clock;
  }

  /** All that differs by hand; what is not among it differs no more. `identity`: of the directory. */
  compared(byHand: readonly Difference[], identity: string): void {
    const known = new Map(this.#store.list().map(drift => [drift.file, drift]));
    for (const { file, found } of byHand) {
      const digest = digestOf(found);
      const before = known.get(file.file);
      known.delete(file.file);
      if (before?.found === digest) continue;
      const event = this.#correlator.note(eventOf(file, found), this.#clock.monotonic());
      const { namespace, name } = file;
      this.#store.put({ file: file.file, namespace, name, found: digest }, event);
    }
    this.#store.drop([...known.keys()]);
    this.#store.setDirectory(identity);
  }

  /** Whether the files of this directory are known: another one was not emptied by hand. */
  isKnown(identity: string): boolean {
    const known = this.#store.directory();
    return known === null || known === identity;
  }

  /** What a file holds now is not what was seen last of it. */
  isNews(file: OwnedFile, digest: string): boolean {
    const drift = this.#store.list().find(one => one.file === file.file);
    return drift === undefined ? digest !== file.content : drift.found !== digest;
  }

  /** Its files are what they are to be, or gone. */
  overwritten(files: readonly string[]): void {
    const known = new Set(this.#store.list().map(({ file }) => file));
    this.#store.drop(files.filter(file => known.has(file)));
  }

  conditions(): SourceCondition[] {
    const files = this.#journal.files();
    const drifts = this.#store.list().filter(({ file }) => files.has(file));
    if (drifts.length === 0) return [];
    const texts = drifts.slice(0, NAMED).map(({ file, found, since, ...bundle }) => {
      const what = found === null ? 'gone or no plain file' : 'edited';
      const of = `bundle ${bundleKey(bundle)}, ${files.get(file)?.pod ?? ''}`;
      return `${file} (${of}) is ${what} since ${new Date(since).toISOString().slice(0, 19)}Z`;
    });
    const more = drifts.length - NAMED;
    const rest = more > 0 ? [`and ${more} more`] : [];
    const message = `${[...texts, ...rest].join('; ')}; left so (drift: report) until the bundle's next switch`;
    return [{ type: 'Drifted', status: 'True', reason: 'ChangedByHand', message }];
  }
}

function digestOf(found: FoundFile | undefined): string | null {
  return found?.bytes ? sha256Hex(found.bytes) : null;
}

function eventOf(
  { file, namespace, name, pod }: OwnedFile,
  found: FoundFile | undefined,
): NewEvent {
  const what = found?.bytes ? 'edited' : found === undefined ? 'deleted' : 'replaced';
  const message =
    `${file} (${pod}) was ${what} on this node, and stays so (drift: report) until the bundle's next switch, which takes it ` +
    `over. For a change that lasts: flotilla apply -f its manifest --bundle ${name} -n ${namespace}`;
  const involved = { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' } as const;
  return { type: 'Warning', reason: 'FileDrifted', message, involved };
}
