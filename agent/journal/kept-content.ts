/**
 * What the journal keeps that a hub may have lost: envelopes as they came, blobs, the revisions that it knows of. Reads
 * only; what comes out is checked by whoever asked for it.
 */
import type { AssignedSecret } from '../../protocol/documents/assignment.js';
import { listRevisions, readBlob, readEnvelope, type RevisionRecord } from './content.js';
import type { Connection } from './database.js';

export interface KeptContent {
  /** Whose digests are remembered, newest first for each bundle. */
  revisions(): readonly RevisionRecord[];
  /** Null for what is not kept, each of them. */
  assignment(digest: string): Buffer | null;
  root(version: number): Buffer | null;
  bundle(digest: string): Buffer | null;
  blob(digest: string): Buffer | null;
  /** The newest version of each sealed Secret that was ever kept, those first whose envelopes still are. */
  secrets(): readonly AssignedSecret[];
  secret(digest: string): Buffer | null;
}

export function keptContent(db: Connection): KeptContent {
  const envelope = (sql: string, key: string | number) => {
    const row = db.prepare(sql).get(key) as { envelope: Buffer } | undefined;
    return row?.envelope ?? null;
  };
  return {
    revisions: () => listRevisions(db),
    assignment: digest => envelope('SELECT envelope FROM assignments WHERE digest = ?', digest),
    root: version => envelope('SELECT envelope FROM roots WHERE version = ?', version),
    bundle: digest => readEnvelope(db, digest),
    blob: digest => readBlob(db, digest),
    secrets: () => {
      const sql = `SELECT namespace, bundle, name, version, digest FROM secrets
                   ORDER BY envelope IS NULL, namespace, bundle, name`;
      return db.prepare(sql).all() as AssignedSecret[];
    },
    secret: digest => envelope('SELECT envelope FROM secrets WHERE digest = ?', digest),
  };
}
