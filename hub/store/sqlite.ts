/**
 * The hub's store in one SQLite file: WAL, synchronous FULL, every promise settled only when its
 * commit is on disk. Puts the parts together: the file, the tables, group commit, the history for
 * watches. better-sqlite3 works synchronously, so a read sees exactly what was committed last,
 * never half of a commit.
 */
import type { Clock } from '../../protocol/ports.js';
import { isAuditMutation } from './audit-records.js';
import { GroupCommit } from './group-commit.js';
import { History } from './history.js';
import { asStoreError, openStoreFile, type StoreFile } from './sqlite-file.js';
import { isRecoveryMutation } from './recovery-records.js';
import { type ObjectRow, toObject } from './object-row.js';
import { ObjectTable } from './sqlite-objects.js';
import { RecordTables, type RecordMutation } from './sqlite-records.js';
import { RecoveryTables } from './sqlite-recovery.js';
import { isExperienceMutation } from './experience-records.js';
import { ExperienceTables } from './sqlite-experience.js';
import { isRolloutMutation } from './rollout-records.js';
import { RolloutTable } from './sqlite-rollouts.js';
import {
  type Actor,
  type Committed,
  type ListOptions,
  type Mutation,
  type ObjectKind,
  type Store,
  type StoredObject,
  StoreError,
  type Touched,
} from './store.js';
import type { Write } from './write.js';

/** Who deletes old events. */
const PRUNER: Actor = { kind: 'hub', name: 'store' };

export interface SqliteStoreOptions {
  /** The file; its directory must exist. `-lock`, `-wal` and `-shm` files lie beside it. */
  readonly path: string;
  readonly clock: Clock;
  /** False: `NotFound` unless the file exists. Default true. */
  readonly create?: boolean;
}

/**
 * Opens or makes the store, and brings its schema up to date. Throws `Locked` while another process
 * has it open, `NewerSchema`, `Corrupt`, `NotFound`, `Unavailable`.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, clock, create = true } = options;
  return new SqliteStore(openStoreFile({ path, create }), clock);
}

class SqliteStore implements Store {
  readonly #file: StoreFile;
  readonly #objects: ObjectTable;
  readonly #records: RecordTables;
  readonly #recovery: RecoveryTables;
  readonly #rollouts: RolloutTable;
  readonly #experience: ExperienceTables;
  readonly #commits: GroupCommit;
  readonly #history: History;
  readonly #listeners = new Set<(touched: ReadonlySet<Touched>) => void>();
  #closed = false;

  constructor(file: StoreFile, clock: Clock) {
    const { db } = file;
    this.#file = file;
    this.#objects = new ObjectTable(db);
    this.#records = new RecordTables(db);
    this.#recovery = new RecoveryTables(db);
    this.#rollouts = new RolloutTable(db);
    this.#experience = new ExperienceTables(db);
    this.#commits = new GroupCommit({ db, clock, committed: writes => this.#committed(writes) });
    this.#history = new History(this.#commits.counters.resourceVersion);
  }

  async id() {
    return this.#read(
      () => this.#file.db.prepare<[], string>('SELECT id FROM store').pluck().get() ?? '',
    );
  }

  async get(kind: ObjectKind, namespace: string, name: string) {
    return this.#read(() => this.#objects.get(kind, namespace, name));
  }

  async list(kind: ObjectKind, options: ListOptions = {}) {
    return this.#read(() => ({
      resourceVersion: String(this.#commits.counters.resourceVersion),
      items: this.#objects.list(kind, options.namespace),
    }));
  }

  watch(kind: ObjectKind, resourceVersion: string, signal: AbortSignal) {
    return this.#history.watch(kind, resourceVersion, signal);
  }

  onCommit(listener: (touched: ReadonlySet<Touched>) => void) {
    const own = (touched: ReadonlySet<Touched>) => listener(touched);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async commit(actor: Actor, mutations: readonly Mutation[]): Promise<Committed> {
    return this.#commits.run(actor, write => {
      const rows: ObjectRow[] = [];
      for (const mutation of mutations) {
        if (mutation.type === 'put') rows.push(this.#objects.put(write, mutation));
        else if (mutation.type === 'delete') this.#objects.delete(write, mutation);
        else if (isAuditMutation(mutation)) this.#objects.note(write, mutation);
        else if (isRecoveryMutation(mutation)) this.#recovery.apply(write, mutation);
        else if (isRolloutMutation(mutation)) this.#rollouts.apply(write, mutation);
        else if (isExperienceMutation(mutation)) this.#experience.apply(write, mutation);
        else {
          if (mutation.type === 'dropIdentity') this.#recovery.forget(write, mutation.node);
          this.#audited(write, mutations, mutation);
          this.#records.apply(write, mutation);
        }
      }
      return committed(String(write.counters.resourceVersion), rows);
    });
  }

  /** What a user changes that is no object. A new root has every assignment signed anew, which is no wish about a node. */
  #audited(write: Write, all: readonly Mutation[], mutation: RecordMutation): void {
    if (write.actor.kind !== 'user') return;
    if (mutation.type === 'root') {
      const { version, digest } = mutation.record;
      if (this.#records.root(version)) return;
      const before = this.#records.root(undefined)?.digest ?? null;
      const line = { kind: 'Root', namespace: '', name: String(version) } as const;
      this.#objects.line(write, { verb: 'create', ...line, before, after: digest });
    }
    if (mutation.type === 'assignment' && !all.some(({ type }) => type === 'root')) {
      const { node, digest } = mutation.record;
      const before = this.#records.assignment(node)?.digest ?? null;
      const line = { kind: 'Assignment', namespace: '', name: node } as const;
      const verb = before === null ? 'create' : 'update';
      const detail = mutation.wish === undefined ? {} : { detail: mutation.wish };
      this.#objects.line(write, { verb, ...line, before, after: digest, ...detail });
    }
  }

  async revisions(namespace: string, bundle: string) {
    return this.#read(() => this.#records.revisions(namespace, bundle));
  }

  async revision(namespace: string, bundle: string, revision: number) {
    return this.#read(() => this.#records.revision(namespace, bundle, revision));
  }

  async revisionByDigest(digest: string) {
    return this.#read(() => this.#records.revisionByDigest(digest));
  }

  async blob(digest: string) {
    return this.#read(() => this.#records.blob(digest));
  }

  async assignment(node: string) {
    return this.#read(() => this.#records.assignment(node));
  }

  async assignments() {
    return this.#read(() => this.#records.assignments());
  }

  async root(version?: number) {
    return this.#read(() => this.#records.root(version));
  }

  async rootByDigest(digest: string) {
    return this.#read(() => this.#records.rootByDigest(digest));
  }

  async identity(node: string) {
    return this.#read(() => this.#records.identity(node));
  }

  async keyHolders(keys: readonly string[]) {
    return this.#read(() => this.#records.keyHolders(keys));
  }

  async identities() {
    return this.#read(() => this.#records.identities());
  }

  async reporters(node: string) {
    return this.#read(() => this.#records.reporters(node));
  }

  async publications(after: number, limit: number) {
    return this.#read(() => this.#records.publications.list(after, limit));
  }

  async countPublications(after: number) {
    return this.#read(() => this.#records.publications.count(after));
  }

  async publication(topic: string) {
    return this.#read(() => this.#records.publications.get(topic));
  }

  async unneeded() {
    return this.#read(() => this.#records.publications.unneeded());
  }

  async lastPublication() {
    return this.#read(() => this.#commits.counters.publication);
  }

  async recovery() {
    return this.#read(() => this.#recovery.recovery());
  }

  async unheard() {
    return this.#read(() => this.#recovery.unheard());
  }

  async highestRevision(namespace: string, bundle: string) {
    return this.#read(() => this.#recovery.highestRevision(namespace, bundle));
  }

  async rolloutNodes(namespace: string, bundle: string) {
    return this.#read(() => this.#rollouts.nodes(namespace, bundle));
  }

  async connections() {
    return this.#read(() => this.#experience.connections());
  }

  async passages() {
    return this.#read(() => this.#experience.passages());
  }

  async pastRollouts(namespace: string, bundle: string) {
    return this.#read(() => this.#rollouts.past(namespace, bundle));
  }

  async audit(after: number, limit: number) {
    return this.#read(() => this.#objects.audit(after, limit));
  }

  async lastAudit() {
    return this.#read(() => this.#objects.lastAudit());
  }

  async pruneEvents(keep: number) {
    return this.#commits.run(PRUNER, write => this.#objects.pruneEvents(write, keep));
  }

  async close() {
    if (this.#closed) return;
    this.#commits.close();
    this.#closed = true;
    this.#history.close();
    this.#file.close();
  }

  #read<T>(from: () => T): T {
    if (this.#closed) throw new StoreError('Unavailable', 'the store is closed');
    try {
      return from();
    } catch (error) {
      throw asStoreError(error, this.#file.db.name);
    }
  }

  #committed(writes: readonly Write[]): void {
    const touched = new Set<Touched>();
    for (const write of writes) {
      this.#history.append(write.changes);
      for (const one of write.touched) touched.add(one);
    }
    for (const listener of [...this.#listeners]) listener(touched);
  }
}

/** Most callers do not look at the objects: they are parsed when somebody does. */
function committed(resourceVersion: string, rows: readonly ObjectRow[]): Committed {
  let objects: readonly StoredObject[] | null = null;
  return {
    resourceVersion,
    get objects() {
      objects ??= rows.map(toObject);
      return objects;
    },
  };
}
