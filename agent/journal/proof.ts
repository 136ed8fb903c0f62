/**
 * What a journal can prove to somebody who does not believe it: its history as it was chained, and the signed documents behind it, as they
 * came. Holds no blob, no sealed Secret and nothing that a container printed. Never writes.
 */
import { join } from 'node:path';
import type { EventRecord } from '../../protocol/documents/node.js';
import type { ChainedRow } from './chain.js';
import { listFiles, type OwnedFile } from './content.js';
import { JOURNAL_FILE, openForReading, type Connection } from './database.js';
import { listFailures, type FailureRecord } from './failures.js';
import { chainedRows, rowsAppended } from './history.js';
import { getMeta } from './meta.js';
import { recentEvents } from './outbox.js';
import { SCHEMA_VERSION } from './schema.js';

const ISSUER = { apiVersion: 'flotilla.dev/v1', kind: 'JournalExport' } as const;

interface Kept {
  readonly digest: string;
  /** DSSE, base64. */
  readonly envelope: string;
}

export interface KeptRoot extends Kept {
  readonly version: number;
}

export interface KeptAssignment extends Kept {
  readonly epoch: number;
  readonly generation: number;
}

export interface KeptRevision extends Kept {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
}

export interface JournalProof {
  readonly apiVersion: (typeof ISSUER)['apiVersion'];
  readonly kind: (typeof ISSUER)['kind'];
  /** Of the file's tables. */
  readonly schema: number;
  readonly journal: string;
  readonly boot: number;
  /** The highest number that a row of history was ever given. */
  readonly appended: number;
  /** Oldest first. */
  readonly history: readonly ChainedRow[];
  /** Oldest first. */
  readonly roots: readonly KeptRoot[];
  /** The newest ten, oldest first. */
  readonly assignments: readonly KeptAssignment[];
  /** Those whose content is kept: assigned, active, or the last healthy one. */
  readonly revisions: readonly KeptRevision[];
  readonly files: readonly OwnedFile[];
  readonly failures: readonly Omit<FailureRecord, 'lastWords'>[];
  /** The newest 1,000, whether the hub has them or not. */
  readonly events: readonly EventRecord[];
}

type Row = { digest: string; envelope: Buffer } & Record<string, unknown>;

function keptRows<T extends Kept>(db: Connection, sql: string): T[] {
  return (db.prepare(sql).all() as Row[]).map(
    row => ({ ...row, envelope: row.envelope.toString('base64') }) as unknown as T,
  );
}

/** One moment of the file, beside a running agent or without one. @throws JournalError when there is none, or of another schema */
export function readProof(dataDir: string): JournalProof {
  const db = openForReading(join(dataDir, JOURNAL_FILE));
  try {
    return db.transaction((): JournalProof => ({
      ...ISSUER,
      schema: SCHEMA_VERSION,
      journal: getMeta(db, 'journal') ?? '',
      boot: Number(getMeta(db, 'boot') ?? 0),
      appended: rowsAppended(db),
      history: chainedRows(db),
      roots: keptRows(db, 'SELECT version, digest, envelope FROM roots ORDER BY version'),
      assignments: keptRows(
        db,
        'SELECT epoch, generation, digest, envelope FROM assignments ORDER BY id',
      ),
      revisions: keptRows(
        db,
        `SELECT namespace, name, revision, digest, envelope FROM revisions
           WHERE envelope IS NOT NULL ORDER BY namespace, name, revision`,
      ),
      files: listFiles(db),
      failures: listFailures(db).map(({ lastWords: _, ...failure }) => failure),
      events: recentEvents(db),
    }))();
  } finally {
    db.close();
  }
}

/** Fields that are read again, by list. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, 'string' | 'number'>>>> = {
  history: { n: 'number', at: 'number', entry: 'string', prev: 'string', hash: 'string' },
  roots: { version: 'number', digest: 'string', envelope: 'string' },
  assignments: { epoch: 'number', generation: 'number', digest: 'string', envelope: 'string' },
  revisions: {
    ...{ namespace: 'string', name: 'string', revision: 'number' },
    ...{ digest: 'string', envelope: 'string' },
  },
};

/** An export, read back. The sentence says why it is none. */
export function parseProof(text: string): JournalProof | string {
  if (text.trim() === '') return 'it is empty; copy it again';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = `not JSON: ${(error as Error).message}`;
    return text.startsWith('{') ? `cut off or changed; copy it again (${why})` : why;
  }
  if (typeof value !== 'object' || value === null) return 'not a JSON object';
  const record = value as Record<string, unknown>;
  for (const [name, wanted] of Object.entries(ISSUER)) {
    if (record[name] !== wanted) return `${name} is not ${wanted}`;
  }
  if (typeof record['appended'] !== 'number') return 'appended is not a number';
  for (const [list, fields] of Object.entries(FIELDS)) {
    const items = record[list];
    if (!Array.isArray(items)) return `${list} is not a list`;
    for (const [index, item] of (items as unknown[]).entries()) {
      const bad = Object.entries(fields).find(
        ([name, type]) => typeof (item as Record<string, unknown> | null)?.[name] !== type,
      );
      if (bad) return `${list}[${index}].${bad[0]} is not a ${bad[1]}`;
    }
  }
  return value as JournalProof;
}
