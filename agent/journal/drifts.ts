/**
 * Owned files that a person changed or removed and that are left so: which, since when, and of which directory that is known. Each
 * change is one transaction with its event, for what is new.
 */
import type { BundleName, NewEvent } from '../ports.js';
import type { Connection } from './database.js';
import { getMeta, setMeta } from './meta.js';
import { appendEvent, type Moment } from './outbox.js';
import type { Writer } from './writer.js';

export interface DriftRecord extends BundleName {
  readonly file: string;
  /** SHA-256 of what lies there; null: nothing does, or no plain file. */
  readonly found: string | null;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface DriftStore {
  list(): DriftRecord[];
  /** A file that is known to differ keeps its time. Events are null where somebody was told lately. */
  put(drift: Omit<DriftRecord, 'since'>, event: NewEvent | null): void;
  drop(files: readonly string[]): void;
  /** The directory in which files were last what they are to be, or are known to differ; null: none was. */
  directory(): string | null;
  setDirectory(identity: string): void;
}

export interface DriftHooks {
  readonly writer: Pick<Writer, 'durably'>;
  readonly moment: () => Moment;
  readonly onEvent: () => void;
}

export function driftStore(db: Connection, { writer, moment, onEvent }: DriftHooks): DriftStore {
  return {
    list: () =>
      db
        .prepare('SELECT file, namespace, name, found, since FROM drifts ORDER BY file')
        .all() as DriftRecord[],
    put: (drift, event) => {
      const now = moment();
      writer.durably(() => {
        db.prepare(
          `INSERT INTO drifts (file, namespace, name, found, since) VALUES (@file, @namespace, @name, @found, @at)
           ON CONFLICT (file) DO UPDATE SET found = @found`,
        ).run({ ...drift, at: now.at });
        if (event !== null) appendEvent(db, now, event);
      });
      if (event !== null) onEvent();
    },
    drop: files => {
      if (files.length === 0) return;
      const drop = db.prepare('DELETE FROM drifts WHERE file = ?');
      writer.durably(() => {
        for (const file of files) drop.run(file);
      });
    },
    directory: () => getMeta(db, 'directory'),
    setDirectory: identity => {
      if (getMeta(db, 'directory') === identity) return;
      writer.durably(() => setMeta(db, 'directory', identity));
    },
  };
}
