/**
 * Whether a start would find the journal beside the running agent as it left it: the file that is open is the one that has the name, it
 * and its twin read back, and there is room to open them. Reads only, on a connection of its own.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../protocol/ports.js';
import { JOURNAL_FILE, openForReading } from './database.js';
import { hasRoomToStart } from './reserve.js';
import { readTwin, TWIN_FILE } from './twin.js';

export interface StartFault {
  readonly reason: 'JournalDamaged' | 'NoSpace';
  readonly message: string;
}

/** The agent goes on writing to what nobody finds any more. */
const BEGIN_ANEW =
  'what is recorded now is lost: restart the agent, which begins a new journal and asks the hub';

/** The file is read as a whole when it changed, and this often at least. */
const WHOLE_EVERY_MS = 3_600_000;

export interface StartCheckParts {
  readonly dataDir: string;
  readonly rewriteTwin: () => void;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export class StartCheck {
  readonly #parts: StartCheckParts;
  /** Of the file, as it was when it was read as a whole last, and when that was. */
  #read = { stamp: '', at: 0 };
  /** Of the file that the agent opened. */
  readonly #inode: bigint | null;

  /** To be made when the journal is open. */
  constructor(parts: StartCheckParts) {
    this.#parts = parts;
    this.#inode = this.#stat()?.ino ?? null;
  }

  /** None: a start would find what it needs. A twin that does not read back is written anew. */
  faults(): StartFault[] {
    const { dataDir, rewriteTwin } = this.#parts;
    const fault = this.#journalFault();
    if (fault !== null) return [{ reason: 'JournalDamaged', message: fault }];
    const twin = join(dataDir, TWIN_FILE);
    if (readTwin(twin) === null) rewriteTwin();
    if (readTwin(twin) === null) {
      return [{ reason: 'JournalDamaged', message: `${twin} cannot be read` }];
    }
    if (hasRoomToStart(dataDir)) return [];
    const message = `the disk of ${dataDir} is full, and nothing is held back there for a start`;
    return [{ reason: 'NoSpace', message }];
  }

  #journalFault(): string | null {
    const file = this.#file();
    const stat = this.#stat();
    if (stat === null) return `${file} is gone; ${BEGIN_ANEW}`;
    if (stat.ino !== this.#inode)
      return `${file} is not the file that the agent opened; ${BEGIN_ANEW}`;
    const stamp = `${stat.mtimeNs} ${stat.size}`;
    const at = this.#parts.clock.monotonic();
    if (stamp === this.#read.stamp && at - this.#read.at < WHOLE_EVERY_MS) return null;
    const why = unreadable(file);
    if (why === null) this.#read = { stamp, at };
    return why === null ? null : `${file}: ${why}`;
  }

  #file(): string {
    return join(this.#parts.dataDir, JOURNAL_FILE);
  }

  #stat() {
    return statSync(this.#file(), { bigint: true, throwIfNoEntry: false }) ?? null;
  }
}

function unreadable(file: string): string | null {
  try {
    const connection = openForReading(file);
    try {
      const found = connection.pragma('quick_check(1)', { simple: true });
      return found === 'ok' ? null : String(found);
    } finally {
      connection.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
