/**
 * Objects in SQLite: one row each, labels, annotations, spec and status as JSON. Gives every change
 * its resourceVersion, tells it to watchers and writes the audit line of a user; runs inside the
 * caller's transaction.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Database } from 'better-sqlite3';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import {
  type Actor,
  type Change,
  type Mutation,
  type ObjectKind,
  type StoredObject,
  StoreError,
} from './store.js';
import type { AuditMutation, AuditRecord } from './audit-records.js';
import { toObject, type ObjectRow } from './object-row.js';
import type { Write } from './write.js';

type Put = Extract<Mutation, { type: 'put' }>;
type Delete = Extract<Mutation, { type: 'delete' }>;
type Key = Pick<ObjectRow, 'kind' | 'namespace' | 'name'>;
type Parts = Pick<ObjectRow, 'labels' | 'annotations' | 'spec' | 'status'>;

const COLUMNS = `kind, namespace, name, uid, generation, resource_version, created_at, labels,
  annotations, spec, status`;

function prepare(db: Database) {
  return {
    get: db.prepare<[ObjectKind, string, string], ObjectRow>(
      `SELECT ${COLUMNS} FROM objects WHERE kind = ? AND namespace = ? AND name = ?`,
    ),
    list: db.prepare<[ObjectKind], ObjectRow>(
      `SELECT ${COLUMNS} FROM objects WHERE kind = ? ORDER BY namespace, name`,
    ),
    listNamespace: db.prepare<[ObjectKind, string], ObjectRow>(
      `SELECT ${COLUMNS} FROM objects WHERE kind = ? AND namespace = ? ORDER BY name`,
    ),
    write: db.prepare(
      `INSERT INTO objects (${COLUMNS}, updated_by, updated_at) VALUES (
        @kind, @namespace, @name, @uid, @generation, @resource_version, @created_at, @labels,
        @annotations, @spec, @status, @updated_by, @updated_at)
      ON CONFLICT (kind, namespace, name) DO UPDATE SET generation = excluded.generation,
        resource_version = excluded.resource_version, labels = excluded.labels,
        annotations = excluded.annotations, spec = excluded.spec, status = excluded.status,
        updated_by = excluded.updated_by, updated_at = excluded.updated_at`,
    ),
    remove: db.prepare<[ObjectKind, string, string]>(
      'DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?',
    ),
    eventsBeyond: db.prepare<[number], ObjectRow>(
      `SELECT ${COLUMNS} FROM objects WHERE kind = 'Event'
        ORDER BY resource_version DESC LIMIT -1 OFFSET ?`,
    ),
    audit: db.prepare(
      `INSERT INTO audit (at, actor_kind, actor_name, address, verb, kind, namespace, name, before,
        after, detail) VALUES (@at, @actorKind, @actorName, @address, @verb, @kind, @namespace, @name,
        @before, @after, @detail)`,
    ),
    audited: db.prepare<[number, number], AuditRow>(
      'SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?',
    ),
    lastAudit: db.prepare<[], number | null>('SELECT max(number) FROM audit').pluck(),
  };
}

interface AuditRow extends Omit<AuditRecord, 'actor' | 'detail'> {
  readonly detail: string | null;
  readonly actor_kind: Actor['kind'];
  readonly actor_name: string;
  readonly address: string | null;
}

export class ObjectTable {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  get(kind: ObjectKind, namespace: string, name: string): StoredObject | null {
    const row = this.#sql.get.get(kind, namespace, name);
    return row ? toObject(row) : null;
  }

  list(kind: ObjectKind, namespace: string | undefined): readonly StoredObject[] {
    const rows =
      namespace === undefined
        ? this.#sql.list.all(kind)
        : this.#sql.listNamespace.all(kind, namespace);
    return rows.map(toObject);
  }

  /** The row as it is afterwards. Throws `AlreadyExists`, `NotFound`, `Conflict`. */
  put(write: Write, { object: draft, expect, wish }: Put): ObjectRow {
    const { namespace, name, uid, labels, annotations } = draft.metadata;
    const key = { kind: draft.kind, namespace, name };
    const row = this.#sql.get.get(key.kind, namespace, name);
    if (expect === 'absent') {
      if (row) throw new StoreError('AlreadyExists', `${describe(key)} exists already`);
    } else if (expect !== 'any') checkVersion(key, row, expect.resourceVersion);
    const parts = {
      labels: JSON.stringify(labels ?? {}),
      annotations: JSON.stringify(annotations ?? {}),
      spec: JSON.stringify(draft.spec ?? null),
      status: JSON.stringify(draft.status ?? null),
    };
    if (row && (uid === undefined || uid === row.uid)) {
      return this.#update(write, row, { parts, wish });
    }
    if (row) this.#remove(write, row);
    const created = {
      ...key,
      ...parts,
      uid: uid ?? randomUUID(),
      generation: 1,
      resource_version: ++write.counters.resourceVersion,
      created_at: draft.metadata.creationTimestamp ?? write.at,
    };
    this.#keep(write, created, { previous: null, wish });
    return created;
  }

  /** Throws `NotFound`, `Conflict`. */
  delete(write: Write, { kind, namespace, name, expect }: Delete): void {
    const row = this.#sql.get.get(kind, namespace, name);
    checkVersion({ kind, namespace, name }, row, expect?.resourceVersion);
    this.#remove(write, row);
  }

  /** Deletes all but the `keep` events that changed last; how many went. */
  pruneEvents(write: Write, keep: number): number {
    const rows = this.#sql.eventsBeyond.all(keep).reverse();
    for (const row of rows) this.#remove(write, row);
    return rows.length;
  }

  audit(after: number, limit: number): readonly AuditRecord[] {
    const rows = this.#sql.audited.all(after, limit);
    return rows.map(({ actor_kind: kind, actor_name: name, address, detail, ...line }) => ({
      ...line,
      actor: { kind, name, ...(address === null ? {} : { address }) },
      ...(detail === null ? {} : { detail }),
    }));
  }

  lastAudit(): number {
    return this.#sql.lastAudit.get() ?? 0;
  }

  note(write: Write, mutation: AuditMutation): void {
    const verb = mutation.type === 'use' ? mutation.verb : 'decide';
    const { kind, namespace, name, detail } = mutation;
    this.line(write, { verb, kind, namespace, name, before: null, after: null, detail });
  }

  /** Of the audit log. */
  line({ at, actor }: Write, line: Omit<AuditRecord, 'number' | 'at' | 'actor'>): void {
    const who = { actorKind: actor.kind, actorName: actor.name, address: actor.address ?? null };
    this.#sql.audit.run({ at, ...who, detail: null, ...line });
  }

  #update(
    write: Write,
    row: ObjectRow,
    { parts, wish }: { readonly parts: Parts; readonly wish: string | undefined },
  ): ObjectRow {
    const labels = sameJson(row.labels, parts.labels) ? row.labels : parts.labels;
    const annotations = sameJson(row.annotations, parts.annotations)
      ? row.annotations
      : parts.annotations;
    const spec = sameJson(row.spec, parts.spec) ? row.spec : parts.spec;
    const status = sameJson(row.status, parts.status) ? row.status : parts.status;
    const unchanged =
      labels === row.labels &&
      annotations === row.annotations &&
      spec === row.spec &&
      status === row.status;
    if (unchanged) return row;
    const updated = {
      ...row,
      labels,
      annotations,
      spec,
      status,
      generation: row.generation + (spec === row.spec ? 0 : 1),
      resource_version: ++write.counters.resourceVersion,
    };
    this.#keep(write, updated, { previous: row, wish });
    return updated;
  }

  #keep(
    write: Write,
    row: ObjectRow,
    { previous, wish }: { readonly previous: ObjectRow | null; readonly wish: string | undefined },
  ): void {
    const { kind, name } = write.actor;
    this.#sql.write.run({ ...row, updated_by: `${kind}:${name}`, updated_at: write.at });
    this.#record(write, previous ? 'MODIFIED' : 'ADDED', { row, previous, wish });
  }

  #remove(write: Write, previous: ObjectRow): void {
    this.#sql.remove.run(previous.kind, previous.namespace, previous.name);
    const row = { ...previous, resource_version: ++write.counters.resourceVersion };
    this.#record(write, 'DELETED', { row, previous });
  }

  #record(
    write: Write,
    type: Change['type'],
    {
      row,
      previous,
      wish,
    }: { row: ObjectRow; previous: ObjectRow | null; wish?: string | undefined },
  ): void {
    write.changes.push({ type, row, previous });
    write.touched.add(row.kind);
    if (write.actor.kind !== 'user') return;
    const { kind, namespace, name } = row;
    const before = previous && specHash(previous);
    const after = type === 'DELETED' ? null : specHash(row);
    const detail = wish === undefined ? {} : { detail: wish };
    this.line(write, { verb: VERBS[type], kind, namespace, name, before, after, ...detail });
  }
}

const VERBS = { ADDED: 'create', MODIFIED: 'update', DELETED: 'delete' } as const;

function specHash(row: ObjectRow): string {
  return sha256Hex(canonicalJson(JSON.parse(row.spec)));
}

/**
 * Whether two texts of JSON.stringify say the same. The order of keys is all that may differ, so
 * lengths do not.
 */
function sameJson(a: string, b: string): boolean {
  if (a === b) return true;
  return a.length === b.length && isDeepStrictEqual(JSON.parse(a), JSON.parse(b));
}

function checkVersion(
  key: Key,
  row: ObjectRow | undefined,
  expected: string | undefined,
): asserts row is ObjectRow {
  if (!row) throw new StoreError('NotFound', `${describe(key)} does not exist`);
  if (expected !== undefined && String(row.resource_version) !== expected) {
    throw new StoreError(
      'Conflict',
      `${describe(key)} has changed: its resourceVersion is ${row.resource_version}, not ` +
        `${expected}; read it again and repeat the change on that`,
    );
  }
}

function describe({ kind, namespace, name }: Key): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
