/**
 * What a simulated device says of itself, held against its disk in the moment in which it says it: a power cut in the next moment takes
 * nothing of it away, and a journal that is lost in the next moment leaves a twin that knows how far it was.
 */
import Database from 'better-sqlite3';
import { join } from 'node:path';
import type { Journal } from '../../agent/journal/journal.js';
import { readTwin, TWIN_FILE } from '../../agent/journal/twin.js';
import type { Actor } from './scheduler.js';

/** Called with each status that is made, `history` being asked for it last: what it says is read from the journal by then. */
export function watchWords(journal: Journal, onWord: () => void): void {
  const history = journal.history.bind(journal);
  journal.history = known => {
    // Who looks for changes names no row.
    if (known !== undefined) onWord();
    return history(known);
  };
}

/** Each is a sentence; none: all of it is written. */
export function unwritten(journal: Journal, actor: Actor, dataDir: string): string[] {
  const isGathering = [...actor.belongings].some(
    one => one instanceof Database && one.open && one.inTransaction,
  );
  if (isGathering) return ['says what is not written yet'];
  const accepted = journal.accepted();
  // One that the disk refused is said to be behind.
  const isBehind = journal.conditions().some(({ message }) => message.includes(TWIN_FILE));
  if (accepted === null || isBehind) return [];
  const twin = readTwin(join(dataDir, TWIN_FILE));
  if (twin?.epoch === accepted.epoch && twin.generation === accepted.generation) return [];
  return [`says generation ${accepted.generation}, of which the twin of its journal knows nothing`];
}
