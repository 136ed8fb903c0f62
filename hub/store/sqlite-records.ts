/**
 * What lies behind the objects, in SQLite: revisions, blobs, roots (immutable), assignments (only
 * forwards), identities, reporters. Runs inside the caller's transaction and takes no decision but those that the mutations name.
 */
import type { Database } from 'better-sqlite3';
import { canonicalJson } from '../../protocol/canonical.js';
import {
  type AssignmentRecord,
  type BlobRecord,
  type IdentityRecord,
  type Mutation,
  type ReporterRecord,
  type RevisionRecord,
  type RootRecord,
  StoreError,
} from './store.js';
import type { AuditMutation } from './audit-records.js';
import type { ExperienceMutation } from './experience-records.js';
import type { RecoveryMutation } from './recovery-records.js';
import type { RolloutMutation } from './rollout-records.js';
import { plain, PublicationTable } from './sqlite-publications.js';
import type { Write } from './write.js';

export type RecordMutation = Exclude<
  Mutation,
  | { type: 'put' | 'delete' }
  | AuditMutation
  | RecoveryMutation
  | RolloutMutation
  | ExperienceMutation
>;

/** As SQLite gives it back: booleans are 0 and 1. */
type ReporterRow = Omit<ReporterRecord, 'current' | 'online'> & {
  readonly current: number;
  readonly online: number;
};

/** Labels as canonical JSON. */
type IdentityRow = Omit<IdentityRecord, 'labels'> & { readonly labels: string };

const REVISION = `SELECT namespace, bundle, revision, digest, size, envelope,
  created_by AS createdBy, created_at AS createdAt FROM revisions`;
const IDENTITY = `SELECT node, identity_key AS identityKey, tls_key AS tlsKey,
  sealing_key AS sealingKey, certificate, state, joined_at AS joinedAt, token, labels,
  suspected_at AS suspectedAt FROM identities`;
const REPORTER = `SELECT node, journal, current, boot, counter, presence_boot AS presenceBoot,
  presence_n AS presenceN, online, through FROM reporters`;

function prepareReads(db: Database) {
  return {
    revisions: db.prepare<[string, string], RevisionRecord>(
      `${REVISION} WHERE namespace = ? AND bundle = ? ORDER BY revision`,
    ),
    revision: db.prepare<[string, string, number], RevisionRecord>(
      `${REVISION} WHERE namespace = ? AND bundle = ? AND revision = ?`,
    ),
    revisionByDigest: db.prepare<[string], RevisionRecord>(
      `${REVISION} WHERE digest = ? ORDER BY namespace, bundle, revision LIMIT 1`,
    ),
    blob: db.prepare<[string], BlobRecord>('SELECT * FROM blobs WHERE digest = ?'),
    assignment: db.prepare<[string], AssignmentRecord>('SELECT * FROM assignments WHERE node = ?'),
    assignments: db.prepare<[], AssignmentRecord>('SELECT * FROM assignments ORDER BY node'),
    root: db.prepare<[number], RootRecord>('SELECT * FROM roots WHERE version = ?'),
    newestRoot: db.prepare<[], RootRecord>('SELECT * FROM roots ORDER BY version DESC LIMIT 1'),
    rootByDigest: db.prepare<[string], RootRecord>(
      'SELECT * FROM roots WHERE digest = ? ORDER BY version LIMIT 1',
    ),
    identity: db.prepare<[string], IdentityRow>(`${IDENTITY} WHERE node = ?`),
    identities: db.prepare<[], IdentityRow>(`${IDENTITY} ORDER BY node`),
    keyHolders: db.prepare<[{ readonly keys: string }], IdentityRow>(
      `${IDENTITY} WHERE identity_key IN (SELECT value FROM json_each(@keys)) OR tls_key IN (SELECT value FROM json_each(@keys))
        OR sealing_key IN (SELECT value FROM json_each(@keys)) ORDER BY node`,
    ),
    reporter: db.prepare<[string, string], ReporterRow>(
      `${REPORTER} WHERE node = ? AND journal = ?`,
    ),
    reporters: db.prepare<[string], ReporterRow>(`${REPORTER} WHERE node = ? ORDER BY journal`),
  };
}

function prepareWrites(db: Database) {
  return {
    revision: db.prepare(
      `INSERT INTO revisions VALUES (@namespace, @bundle, @revision, @digest, @size, @envelope,
        @createdBy, @createdAt)`,
    ),
    resign: db.prepare(
      `UPDATE revisions SET envelope = @envelope
        WHERE namespace = @namespace AND bundle = @bundle AND revision = @revision`,
    ),
    blob: db.prepare('INSERT INTO blobs VALUES (@digest, @content)'),
    dropBlob: db.prepare<[string]>('DELETE FROM blobs WHERE digest = ?'),
    assignment: db.prepare(
      `INSERT INTO assignments VALUES (@node, @epoch, @generation, @digest, @envelope)
        ON CONFLICT (node) DO UPDATE SET epoch = excluded.epoch, generation = excluded.generation,
          digest = excluded.digest, envelope = excluded.envelope`,
    ),
    dropAssignment: db.prepare<[string]>('DELETE FROM assignments WHERE node = ?'),
    root: db.prepare('INSERT INTO roots VALUES (@version, @digest, @envelope)'),
    identity: db.prepare(
      `INSERT OR REPLACE INTO identities VALUES (@node, @identityKey, @tlsKey, @sealingKey,
        @certificate, @state, @joinedAt, @token, @labels, @suspectedAt)`,
    ),
    dropIdentity: db.prepare<[string]>('DELETE FROM identities WHERE node = ?'),
    reporter: db.prepare(
      `INSERT OR REPLACE INTO reporters VALUES (@node, @journal, @current, @boot, @counter,
        @presenceBoot, @presenceN, @online, @through)`,
    ),
    dropReporters: db.prepare<[string]>('DELETE FROM reporters WHERE node = ?'),
  };
}

export class RecordTables {
  readonly publications: PublicationTable;
  readonly #read: ReturnType<typeof prepareReads>;
  readonly #write: ReturnType<typeof prepareWrites>;

  constructor(db: Database) {
    this.#read = prepareReads(db);
    this.#write = prepareWrites(db);
    this.publications = new PublicationTable(db);
  }

  /** Throws `Conflict`, `AlreadyExists`. */
  apply(write: Write, mutation: RecordMutation): void {
    if (this.#applied(write, mutation)) write.touched.add(mutation.type);
  }

  /** Whether anything changed. */
  #applied(write: Write, mutation: RecordMutation): boolean {
    switch (mutation.type) {
      case 'revision':
        return this.#addRevision(mutation.record);
      case 'blob':
        return this.#addBlob(mutation.record);
      case 'dropBlob':
        return this.#write.dropBlob.run(mutation.digest).changes > 0;
      case 'assignment':
        return this.#assign(mutation.record);
      case 'dropAssignment':
        return this.#write.dropAssignment.run(mutation.node).changes > 0;
      case 'root':
        return this.#addRoot(mutation.record);
      case 'identity':
        return this.#identify(mutation.record, mutation.expect);
      case 'dropIdentity':
        return this.#write.dropIdentity.run(mutation.node).changes > 0;
      case 'reporter':
        return this.#report(mutation.record);
      case 'dropReporters':
        return this.#write.dropReporters.run(mutation.node).changes > 0;
      case 'publish':
        return this.publications.put(write, mutation.topic, mutation.payload);
      case 'unneeded':
        return this.publications.need(mutation.topic, mutation.since);
    }
  }

  #addRevision(record: RevisionRecord): boolean {
    const { namespace, bundle, revision, digest } = record;
    const old = this.#read.revision.get(namespace, bundle, revision);
    if (old && old.digest !== digest) {
      throw new StoreError(
        'Conflict',
        `revision ${revision} of bundle ${namespace}/${bundle} is recorded with digest ` +
          `${old.digest}, not ${digest}; use the next number`,
      );
    }
    if (!old) this.#write.revision.run(record);
    else if (sameBytes(old.envelope, record.envelope)) return false;
    else this.#write.resign.run(record);
    return true;
  }

  #addBlob(record: BlobRecord): boolean {
    const old = this.#read.blob.get(record.digest);
    if (old && !sameBytes(old.content, record.content)) {
      throw new StoreError('Conflict', `blob ${record.digest} is recorded with other bytes`);
    }
    if (!old) this.#write.blob.run(record);
    return !old;
  }

  #assign(record: AssignmentRecord): boolean {
    const { node, epoch, generation } = record;
    const old = this.#read.assignment.get(node);
    const grows = !old || epoch > old.epoch || (epoch === old.epoch && generation > old.generation);
    if (!grows) {
      throw new StoreError(
        'Conflict',
        `the assignment of node ${node} is at epoch ${old.epoch}, generation ${old.generation}; ` +
          `epoch ${epoch}, generation ${generation} does not come after it`,
      );
    }
    this.#write.assignment.run(record);
    return true;
  }

  #addRoot(record: RootRecord): boolean {
    const old = this.#read.root.get(record.version);
    if (old && old.digest !== record.digest) {
      throw new StoreError(
        'Conflict',
        `root version ${record.version} is recorded with digest ${old.digest}, ` +
          `not ${record.digest}`,
      );
    }
    if (!old) this.#write.root.run(record);
    return !old;
  }

  #identify(record: IdentityRecord, expect: 'absent' | 'any' | IdentityRecord): boolean {
    const old = this.#read.identity.get(record.node);
    if (old && expect === 'absent') {
      throw new StoreError('AlreadyExists', `a node named ${record.node} has joined already`);
    }
    if (typeof expect === 'object' && !(old && sameFields(old, identityRow(expect)))) {
      throw new StoreError('Conflict', `the identity of node ${record.node} changed meanwhile`);
    }
    const row = identityRow(record);
    if (old && sameFields(old, row)) return false;
    this.#write.identity.run(row);
    return true;
  }

  #report(record: ReporterRecord): boolean {
    const row = { ...record, current: Number(record.current), online: Number(record.online) };
    const old = this.#read.reporter.get(record.node, record.journal);
    if (old && sameFields(old, row)) return false;
    this.#write.reporter.run(row);
    return true;
  }

  revisions(namespace: string, bundle: string): readonly RevisionRecord[] {
    return this.#read.revisions.all(namespace, bundle).map(withPlainEnvelope);
  }

  revision(namespace: string, bundle: string, revision: number): RevisionRecord | null {
    return withPlainEnvelope(this.#read.revision.get(namespace, bundle, revision) ?? null);
  }

  revisionByDigest(digest: string): RevisionRecord | null {
    return withPlainEnvelope(this.#read.revisionByDigest.get(digest) ?? null);
  }

  blob(digest: string): BlobRecord | null {
    const row = this.#read.blob.get(digest);
    return row ? { ...row, content: plain(row.content) } : null;
  }

  assignment(node: string): AssignmentRecord | null {
    return withPlainEnvelope(this.#read.assignment.get(node) ?? null);
  }

  assignments(): readonly AssignmentRecord[] {
    return this.#read.assignments.all().map(withPlainEnvelope);
  }

  /** The newest, or that version. */
  root(version: number | undefined): RootRecord | null {
    const row = version === undefined ? this.#read.newestRoot.get() : this.#read.root.get(version);
    return withPlainEnvelope(row ?? null);
  }

  rootByDigest(digest: string): RootRecord | null {
    return withPlainEnvelope(this.#read.rootByDigest.get(digest) ?? null);
  }

  identity(node: string): IdentityRecord | null {
    const row = this.#read.identity.get(node);
    return row ? identityOf(row) : null;
  }

  keyHolders(keys: readonly string[]): readonly IdentityRecord[] {
    return this.#read.keyHolders.all({ keys: JSON.stringify(keys) }).map(identityOf);
  }

  identities(): readonly IdentityRecord[] {
    return this.#read.identities.all().map(identityOf);
  }

  reporters(node: string): readonly ReporterRecord[] {
    return this.#read.reporters
      .all(node)
      .map(row => ({ ...row, current: row.current === 1, online: row.online === 1 }));
  }
}

function identityRow(record: IdentityRecord): IdentityRow {
  return { ...record, labels: canonicalJson(record.labels) };
}

function identityOf(row: IdentityRow): IdentityRecord {
  return { ...row, labels: JSON.parse(row.labels) as IdentityRecord['labels'] };
}

function withPlainEnvelope<R extends { readonly envelope: Uint8Array } | null>(row: R): R {
  return row === null ? row : { ...row, envelope: plain(row.envelope) };
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}

function sameFields<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every(key => a[key] === b[key]);
}
