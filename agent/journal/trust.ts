/**
 * What the node believes: the chain of roots, the accepted assignment, whether only a fresh one may
 * follow. Envelopes are kept as they came and checked against their digests when they are read
 * back. Runs inside the caller's transaction.
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import { openEnvelope, type DocumentKind } from '../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { OpenedAssignment } from '../../protocol/verify-assignment.js';
import { reopenRoot } from '../../protocol/verify-root.js';
import { JournalError, type Connection } from './database.js';
import { appendHistory } from './history.js';
import { getMeta } from './meta.js';
import { noteHubTime } from './time-memory.js';

/** Accepted assignments that stay readable. */
const ASSIGNMENTS_KEPT = 10;

export interface AcceptedAssignment {
  readonly epoch: number;
  readonly generation: number;
  readonly digest: string;
  readonly acceptedAt: number;
  readonly document: AssignmentDocument;
}

/**
 * The document that was verified when it was stored; null when the bytes are not those any more.
 */
export function readBack<T>(kind: DocumentKind, envelope: Buffer, digest: string): T | null {
  const opened = openEnvelope(envelope, { kind, bytesMax: 2 * MESSAGE_BYTES_MAX });
  if (!opened.ok || sha256Hex(opened.value.payload) !== digest) return null;
  return JSON.parse(opened.value.payload.toString('utf8')) as T;
}

/** @throws JournalError `OtherFleet` */
export function assertSameFleet(before: TrustedRoot | null, root: TrustedRoot): void {
  if (before === null || before.document.fleet === root.document.fleet) return;
  throw new JournalError(
    'OtherFleet',
    'the journal belongs to another fleet: use an empty data directory, or remove journal.db',
  );
}

export function insertRoot(db: Connection, at: number, root: TrustedRoot): void {
  const { version } = root.document;
  db.prepare('INSERT INTO roots VALUES (?, ?, ?, ?)').run(version, root.digest, at, root.envelope);
  appendHistory(db, at, { kind: 'root', version, digest: root.digest });
}

/** The newest root that still reads back. */
export function newestRoot(db: Connection): TrustedRoot | null {
  const rows = db.prepare('SELECT * FROM roots ORDER BY version DESC').all();
  for (const row of rows as { digest: string; envelope: Buffer }[]) {
    const root = reopenRoot(row.envelope, row.digest);
    if (root.ok) return root.value;
  }
  return null;
}

export function insertAssignment(db: Connection, at: number, opened: OpenedAssignment): void {
  const { epoch, generation } = opened.document;
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO assignments (epoch, generation, digest, accepted_at, envelope)
       VALUES (?, ?, ?, ?, ?)`,
    )
    .run(epoch, generation, opened.digest, at, opened.envelope);
  db.prepare('DELETE FROM assignments WHERE id <= ?').run(
    Number(lastInsertRowid) - ASSIGNMENTS_KEPT,
  );
  appendHistory(db, at, { kind: 'assignment', epoch, generation, digest: opened.digest });
  const { issued, nonce } = opened.document;
  const fresh = nonce !== null && nonce === getMeta(db, 'nonce');
  noteHubTime(db, { epoch, time: Date.parse(issued) }, { fresh });
}

/** Null before the first; `damaged` when the newest row does not read back. */
export function newestAssignment(db: Connection): AcceptedAssignment | 'damaged' | null {
  const row = db.prepare('SELECT * FROM assignments ORDER BY id DESC LIMIT 1').get() as
    | { epoch: number; generation: number; digest: string; accepted_at: number; envelope: Buffer }
    | undefined;
  if (!row) return null;
  const document = readBack<AssignmentDocument>('assignment', row.envelope, row.digest);
  if (document?.epoch !== row.epoch || document.generation !== row.generation) return 'damaged';
  const { epoch, generation, digest } = row;
  return { epoch, generation, digest, acceptedAt: row.accepted_at, document };
}

/**
 * What is left begins with the newest that reads back: its counters still count as a lower bound.
 */
export function dropDamagedAssignments(db: Connection): void {
  while (newestAssignment(db) === 'damaged') {
    db.exec('DELETE FROM assignments WHERE id = (SELECT max(id) FROM assignments)');
  }
}
