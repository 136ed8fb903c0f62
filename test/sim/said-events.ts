/** What one life of an agent tells its journal, held against what the journal has of it once the disk is well. */
import type { Journal } from '../../agent/journal/journal.js';
import { readProof } from '../../agent/journal/proof.js';

/** Longer messages are cut. */
const COMPARED = 200;

const known = (event: { readonly reason: string; readonly message: string }) =>
  `${event.reason}: ${event.message.slice(0, COMPARED)}`;

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
  lost(dataDir: string): string[] {
    const left = new Map<string, number>();
    for (const event of readProof(dataDir).events) {
      left.set(known(event), (left.get(known(event)) ?? 0) + 1);
    }
    return this.#said.flatMap(one => {
      const count = left.get(one) ?? 0;
      left.set(one, count - 1);
      return count > 0 ? [] : [`an event is lost: ${one}`];
    });
  }
}
