/**
 * Databases as they are when they were just made, by the real parts, once for a process: a history begins with copies of them. One that is
 * begun later, because it was lost, is made by its owner.
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JOURNAL_FILE, openDatabase } from '../../agent/journal/database.js';
import { openStoreFile } from '../../hub/store/sqlite-file.js';

const folder = join(tmpdir(), `flotilla-sim-new-${process.pid}`);
const made = new Set<string>();

function copied(name: string, make: (file: string) => void, to: string): void {
  const file = join(folder, name);
  if (!made.has(name)) {
    mkdirSync(folder, { recursive: true });
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    make(file);
    made.add(name);
  }
  copyFileSync(file, to);
}

/** Of no device yet: it has no row. */
export function newJournal(dataDir: string): void {
  const make = (file: string) => openDatabase(file, 0).connection.close();
  copied(JOURNAL_FILE, make, join(dataDir, JOURNAL_FILE));
}

export function newStore(path: string): void {
  copied('hub.db', file => openStoreFile({ path: file, create: true }).close(), path);
}
