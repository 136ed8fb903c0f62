/**
 * Tells of files of a bundle that somebody edited or deleted on the node and that were put back: which, what was found, and how a
 * change is made that lasts. What repeats itself is told with growing pauses. Touches no file.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { Clock } from '../../protocol/ports.js';
import { EventCorrelator } from '../pods/event-correlator.js';
import type { Journal } from '../journal/journal.js';
import type { FoundFile } from './owned-files.js';

export class Restorations {
  readonly #journal: Pick<Journal, 'files' | 'record'>;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #correlator = new EventCorrelator();

  constructor({ journal, clock }: { journal: Journal; clock: Pick<Clock, 'monotonic'> }) {
    this.#journal = journal;
    this.#clock = clock;
  }

  /** `found`: as it was before it was put back; undefined: there was no such file. */
  tell(file: string, found: FoundFile | undefined): void {
    const promised = this.#journal.files().get(file);
    if (promised === undefined) return;
    const { namespace, name } = promised;
    const bytes = found?.bytes ?? null;
    const isAsSigned = bytes !== null && sha256Hex(bytes) === promised.content;
    const message = isAsSigned
      ? `${file} was made readable or writable for others on this node, or given to one of them, and is put back with mode 600: whoever ` +
        'writes there says what runs in the bundle’s name'
      : `${file} was ${findingOf(found)} on this node, and is put back as the bundle says. For a change that lasts: edit ` +
        `the manifest that the bundle was made from and flotilla apply -f it --bundle ${name} -n ${namespace}`;
    const involved = { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' } as const;
    const event = { type: 'Warning', reason: 'FileRestored', message, involved } as const;
    const told = this.#correlator.note(event, this.#clock.monotonic());
    if (told !== null) this.#journal.record(told);
  }
}

function findingOf(found: FoundFile | undefined): string {
  if (found === undefined) return 'deleted';
  return found.bytes === null ? 'replaced by what is no plain file (a link, a folder)' : 'edited';
}
