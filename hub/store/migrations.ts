/**
 * The SQLite schema of the hub's store, as numbered steps that are never edited once released: a
 * change of the schema is a new step at the end. `user_version` holds the number of the last step
 * taken. Each step is one transaction, so that a crash leaves the schema before or after it.
 */
import type { Database } from 'better-sqlite3';

export interface Migration {
  /** 1, 2, 3 … without a gap. */
  readonly version: number;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: `
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  resource_version INTEGER NOT NULL,
  publication INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, lower(hex(randomblob(16))), 0, 0);

CREATE TABLE objects (
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  generation INTEGER NOT NULL,
  resource_version INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  labels TEXT NOT NULL,
  annotations TEXT NOT NULL,
  spec TEXT NOT NULL,
  status TEXT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (kind, namespace, name)
) STRICT;
CREATE INDEX events_by_change ON objects (resource_version) WHERE kind = 'Event';

CREATE TABLE revisions (
  namespace TEXT NOT NULL,
  bundle TEXT NOT NULL,
  revision INTEGER NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  envelope BLOB NOT NULL,
  created_by TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (namespace, bundle, revision)
) STRICT;
CREATE INDEX revisions_by_digest ON revisions (digest);

CREATE TABLE blobs (
  digest TEXT NOT NULL PRIMARY KEY,
  content BLOB NOT NULL
) STRICT;

CREATE TABLE assignments (
  node TEXT NOT NULL PRIMARY KEY,
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  digest TEXT NOT NULL,
  envelope BLOB NOT NULL
) STRICT;

CREATE TABLE roots (
  version INTEGER PRIMARY KEY,
  digest TEXT NOT NULL,
  envelope BLOB NOT NULL
) STRICT;
CREATE INDEX roots_by_digest ON roots (digest);

CREATE TABLE identities (
  node TEXT NOT NULL PRIMARY KEY,
  identity_key TEXT NOT NULL,
  tls_key TEXT NOT NULL,
  sealing_key TEXT NOT NULL,
  certificate TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'revoked')),
  joined_at TEXT NOT NULL,
  token TEXT NOT NULL
) STRICT;

CREATE TABLE reporters (
  node TEXT NOT NULL,
  journal TEXT NOT NULL,
  current INTEGER NOT NULL CHECK (current IN (0, 1)),
  boot INTEGER NOT NULL,
  counter INTEGER NOT NULL,
  presence_boot INTEGER NOT NULL,
  presence_n INTEGER NOT NULL,
  online INTEGER NOT NULL CHECK (online IN (0, 1)),
  through INTEGER NOT NULL,
  PRIMARY KEY (node, journal)
) STRICT, WITHOUT ROWID;

CREATE TABLE publications (
  topic TEXT NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,
  payload BLOB
) STRICT;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  address TEXT,
  verb TEXT NOT NULL CHECK (verb IN ('create', 'update', 'delete')),
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  before TEXT,
  after TEXT
) STRICT;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`,
  },
  {
    version: 2,
    sql: `
CREATE TABLE recovery (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  restored_at TEXT NOT NULL,
  backup_at TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  learning INTEGER NOT NULL CHECK (learning IN (0, 1))
) STRICT;

CREATE TABLE unheard (
  node TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE highest_revisions (
  namespace TEXT NOT NULL,
  bundle TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (namespace, bundle)
) STRICT, WITHOUT ROWID;
`,
  },
  {
    version: 3,
    sql: `
ALTER TABLE identities ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
ALTER TABLE identities ADD COLUMN suspected_at TEXT;
`,
  },
  {
    // Verbs that change nothing, and what was used: a CHECK cannot be altered, so the table is made anew.
    version: 4,
    sql: `
CREATE TABLE audit_with_uses (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  address TEXT,
  verb TEXT NOT NULL CHECK (verb IN ('create', 'update', 'delete', 'logs', 'exec', 'attach', 'portforward')),
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  before TEXT,
  after TEXT,
  detail TEXT
) STRICT;
INSERT INTO audit_with_uses SELECT *, NULL FROM audit;
DROP TABLE audit;
ALTER TABLE audit_with_uses RENAME TO audit;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`,
  },
  {
    // For which device a Secret was sealed, as far as is known: the one that has the node's name.
    version: 5,
    sql: `
UPDATE objects SET spec = json_set(spec, '$.device', coalesce(
  (SELECT joined_at FROM identities WHERE node = json_extract(objects.spec, '$.node')), ''))
WHERE kind = 'SealedSecret' AND json_extract(spec, '$.device') IS NULL;
`,
  },
  {
    // A hub that is started anew every day clears blobs all the same.
    version: 6,
    sql: `
CREATE TABLE unneeded (
  topic TEXT NOT NULL PRIMARY KEY,
  since TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
  },
  {
    // A program that knows no rollouts would give every node the newest revision at once: it is not to open this file.
    version: 7,
    sql: `
CREATE TABLE rollout_nodes (
  namespace TEXT NOT NULL,
  bundle TEXT NOT NULL,
  node TEXT NOT NULL,
  wave INTEGER NOT NULL,
  told_at TEXT,
  is_back INTEGER NOT NULL CHECK (is_back IN (0, 1)),
  is_excused INTEGER NOT NULL CHECK (is_excused IN (0, 1)),
  PRIMARY KEY (namespace, bundle, node)
) STRICT, WITHOUT ROWID;
`,
  },
  {
    // Of what was before nothing is known.
    version: 8,
    sql: `
CREATE TABLE past_rollouts (
  namespace TEXT NOT NULL,
  bundle TEXT NOT NULL,
  revision INTEGER NOT NULL,
  digest TEXT NOT NULL,
  change_cause TEXT NOT NULL,
  node_selector TEXT NOT NULL,
  rollout TEXT,
  ended_at TEXT NOT NULL,
  ended_by TEXT NOT NULL,
  next INTEGER,
  PRIMARY KEY (namespace, bundle, revision)
) STRICT, WITHOUT ROWID;
`,
  },
  {
    // Also what the hub decides: a CHECK cannot be altered, so the table is made anew.
    version: 9,
    sql: `
CREATE TABLE audit_with_decisions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'node', 'hub')),
  actor_name TEXT NOT NULL,
  address TEXT,
  verb TEXT NOT NULL CHECK (verb IN ('create', 'update', 'delete', 'decide', 'logs', 'exec', 'attach', 'portforward')),
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  before TEXT,
  after TEXT,
  detail TEXT
) STRICT;
INSERT INTO audit_with_decisions SELECT number, at, 'user', actor_name, address, verb, kind, namespace,
  name, before, after, detail FROM audit;
DROP TABLE audit;
ALTER TABLE audit_with_decisions RENAME TO audit;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`,
  },
  {
    version: 10,
    sql: `
ALTER TABLE rollout_nodes ADD COLUMN obstacle TEXT;
ALTER TABLE rollout_nodes ADD COLUMN is_released INTEGER NOT NULL DEFAULT 0 CHECK (is_released IN (0, 1));
`,
  },
  {
    // For rehearsals; what was before nobody wrote down.
    version: 11,
    sql: `
CREATE TABLE connections (
  node TEXT NOT NULL PRIMARY KEY,
  log BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE passages (
  namespace TEXT NOT NULL,
  bundle TEXT NOT NULL,
  node TEXT NOT NULL,
  log BLOB NOT NULL,
  PRIMARY KEY (namespace, bundle, node)
) STRICT, WITHOUT ROWID;
`,
  },
  {
    // Who joins or renews is asked for whether another has its keys.
    version: 12,
    sql: `
CREATE INDEX identities_identity_key ON identities (identity_key);
CREATE INDEX identities_tls_key ON identities (tls_key);
CREATE INDEX identities_sealing_key ON identities (sealing_key);
`,
  },
];

/** The schema that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Takes the steps that the file lacks. Calling it again does nothing. */
export function migrate(db: Database): void {
  const from = db.pragma('user_version', { simple: true }) as number;
  for (const { version, sql } of MIGRATIONS.slice(from)) {
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${version}`);
    }).exclusive();
  }
}
