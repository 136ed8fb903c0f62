/**
 * What the pods on the engine were made from, kept in the journal: a manifest that is no longer the newest can still be
 * acted on after a restart of the agent. One thing: the table. What is kept, and when, is decided in `pods/versions.ts`.
 */
import type { VersionStore } from '../pods/versions.js';
import type { Connection } from './database.js';
import type { Writer } from './writer.js';

/** Remembering one twice keeps the newer; forgetting what is not there is no error. */
export function versionStore(db: Connection, writer: Writer): VersionStore {
  const all = db.prepare('SELECT uid, version FROM versions ORDER BY uid');
  const remember = db.prepare('INSERT OR REPLACE INTO versions (uid, version) VALUES (?, ?)');
  const forget = db.prepare('DELETE FROM versions WHERE uid = ?');
  return {
    all: () =>
      new Map(
        (all.all() as { uid: string; version: string }[]).map(({ uid, version }) => [uid, version]),
      ),
    remember: (uid, version) => writer.durably(() => remember.run(uid, version)),
    forget: uids =>
      writer.durably(() => {
        for (const uid of uids) forget.run(uid);
      }),
  };
}
