/**
 * A store that comes out of a backup is another one than it was: a new id, so that a broker's mark of the lost hub is not
 * believed, and resource versions far above those that the lost hub may have given out since, so that no watcher takes up
 * where it must not.
 */
import Database from 'better-sqlite3';
import { asStoreError, checkPages } from './sqlite-file.js';

const VERSIONS_LEFT_OUT = 1_000_000;

/** Nobody else may have it open. Throws `StoreError`: Corrupt, Unavailable. */
export function renewStore(path: string): void {
  let db: Database.Database | null = null;
  try {
    db = new Database(path, { fileMustExist: true });
    checkPages(db, path);
    db.prepare(
      `UPDATE store SET id = lower(hex(randomblob(16))), resource_version = resource_version + ?`,
    ).run(VERSIONS_LEFT_OUT);
  } catch (error) {
    throw asStoreError(error, path);
  } finally {
    db?.close();
  }
}
