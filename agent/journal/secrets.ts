/**
 * Sealed Secrets as they came, the newest version of each that was kept here: envelopes only, never what they hold. The version
 * stays when the envelope goes, so that an older one is known as such. One that goes leaves no copy in the file or its log: the hub takes it
 * off the list of what a thief of the disk can open. One thing: the table.
 */
import Database from 'better-sqlite3';
import type { AssignedSecret } from '../../protocol/documents/assignment.js';
import type { Connection } from './database.js';

export interface KeptSecret extends AssignedSecret {
  readonly epoch: number;
  readonly envelope: Buffer;
}

type SecretName = Pick<AssignedSecret, 'namespace' | 'bundle' | 'name'>;

/** Versions never fall within an epoch. */
export interface SecretFloor {
  readonly epoch: number;
  readonly version: number;
}

export interface SecretStore {
  /** Those whose envelopes are here. */
  all(): KeptSecret[];
  /** The newest version that was ever kept, and its epoch. */
  floor(secret: SecretName): SecretFloor | null;
  /** In the place of a former version. Durable when it returns. */
  keep(secret: KeptSecret): void;
  /** The envelopes of all others go. */
  forgetAllBut(listed: readonly SecretName[]): void;
}

/** Another reader of the file may hold its log this long. */
const LOG_WAIT_MS = 200;

/** What `work` deletes is overwritten, in the log too as soon as nobody reads it. Freed pages keep their content otherwise. */
function withoutTraces(db: Connection, work: () => void): void {
  db.pragma('secure_delete = ON');
  try {
    work();
  } finally {
    db.pragma('secure_delete = OFF');
  }
  const waited = db.pragma('busy_timeout', { simple: true }) as number;
  db.pragma(`busy_timeout = ${LOG_WAIT_MS}`);
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } catch (error) {
    // Read by another, or a disk that says no: what follows is written over it.
    if (!(error instanceof Database.SqliteError)) throw error;
  } finally {
    db.pragma(`busy_timeout = ${waited}`);
  }
}

const keyOf = ({ namespace, bundle, name }: SecretName) => `${namespace}/${bundle}/${name}`;

export function secretStore(db: Connection): SecretStore {
  const all = db.prepare('SELECT * FROM secrets WHERE envelope IS NOT NULL');
  const floor = db.prepare(
    'SELECT epoch, version FROM secrets WHERE namespace = ? AND bundle = ? AND name = ?',
  );
  const here = db.prepare(
    `SELECT 1 FROM secrets
     WHERE namespace = ? AND bundle = ? AND name = ? AND envelope IS NOT NULL`,
  );
  const keep = db.prepare(
    `INSERT OR REPLACE INTO secrets (namespace, bundle, name, version, epoch, digest, envelope)
     VALUES (@namespace, @bundle, @name, @version, @epoch, @digest, @envelope)`,
  );
  const forget = db.prepare(
    'UPDATE secrets SET envelope = NULL WHERE namespace = ? AND bundle = ? AND name = ?',
  );
  return {
    all: () => all.all() as KeptSecret[],
    floor: ({ namespace, bundle, name }) =>
      (floor.get(namespace, bundle, name) as SecretFloor | undefined) ?? null,
    keep(secret) {
      const { namespace, bundle, name } = secret;
      const isFirst = (here.get(namespace, bundle, name) ?? null) === null;
      if (isFirst) keep.run(secret);
      else withoutTraces(db, () => void keep.run(secret));
    },
    forgetAllBut(listed) {
      const kept = new Set(listed.map(keyOf));
      const gone = (all.all() as KeptSecret[]).filter(secret => !kept.has(keyOf(secret)));
      if (gone.length === 0) return;
      const forgetGone = db.transaction(() => {
        for (const { namespace, bundle, name } of gone) forget.run(namespace, bundle, name);
      });
      withoutTraces(db, () => forgetGone.immediate());
    },
  };
}
