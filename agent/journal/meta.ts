/** Single values of the journal by name. Runs inside the caller's transaction. */
import type { Connection } from './database.js';

export function getMeta(db: Connection, key: string): string | null {
  const row = db.prepare('SELECT value FROM meta WHERE key = ?').get(key);
  return (row as { value: string } | undefined)?.value ?? null;
}

export function setMeta(db: Connection, key: string, value: string | null): void {
  if (value === null) db.prepare('DELETE FROM meta WHERE key = ?').run(key);
  else db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(key, value);
}
