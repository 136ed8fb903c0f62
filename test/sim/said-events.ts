/** What one life of an agent tells its journal, held against what the journal has of it while its disk is well. */
import type { Journal } from '../../agent/journal/journal.js';
import type { NewEvent } from '../../agent/ports.js';

/** Longer messages are cut. */
const COMPARED = 200;

const known = ({ reason, message }: Pick<NewEvent, 'reason' | 'message'>) =>
  `${reason}: ${message.slice(0, COMPARED)}`;

export class SaidEvents {
  #said: string[] = [];

  /** From now on; what a life before told may have died with it. */
  begin(journal: Journal): void {
    const said: string[] = [];
    this.#said = said;
    const record = journal.record.bind(journal);
    journal.record = event => {
      said.push(known(event));
      record(event);
    };
  }

  /** Each is a sentence. */
  lost(journal: Journal): string[] {
    // What the disk refused waits in memory, and is said to.
    if (journal.conditions().some(({ type }) => type === 'JournalWritable')) return [];
    const left = new Map<string, number>();
    for (const event of journal.recentEvents()) {
      left.set(known(event), (left.get(known(event)) ?? 0) + 1);
    }
    return this.#said.flatMap(one => {
      const count = left.get(one) ?? 0;
      left.set(one, count - 1);
      return count > 0 ? [] : [`an event is lost: ${one}`];
    });
  }
}
