/**
 * The journal's tables as numbered migrations: migration n brings `user_version` from n - 1 to n.
 * A migration that was ever released is never edited; a change is a new one at the end.
 */

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE roots (
    version INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    envelope BLOB NOT NULL
  );

  CREATE TABLE assignments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    digest TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    envelope BLOB NOT NULL
  );

  -- One row for each revision ever verified here; the envelope goes when nothing needs it any more.
  CREATE TABLE revisions (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    stored_at INTEGER NOT NULL,
    healthy_at INTEGER,
    envelope BLOB,
    PRIMARY KEY (namespace, name, revision)
  ) WITHOUT ROWID;

  CREATE TABLE blobs (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL);

  -- What runs of each bundle: the state that is reported, the revision whose files lie in the
  -- directory, the last
  -- one that was healthy, and the floor that it set.
  CREATE TABLE bundles (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    since INTEGER NOT NULL,
    active_digest TEXT,
    healthy_digest TEXT,
    PRIMARY KEY (namespace, name)
  ) WITHOUT ROWID;

  CREATE TABLE floors (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    floor INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
  ) WITHOUT ROWID;

  CREATE TABLE files (
    file TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    pod TEXT NOT NULL,
    manifest TEXT NOT NULL,
    content TEXT NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE history (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    entry TEXT NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL
  );

  CREATE TABLE events (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    event TEXT NOT NULL
  );
  `,
  `
  -- Pods that ended for good: not run again although the engine forgets them. One row for each that is still wanted.
  CREATE TABLE completions (
    uid TEXT PRIMARY KEY,
    config_hash TEXT NOT NULL,
    phase TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    finished_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- What each pod on the engine was made from: acted on while its successor may not begin.
  CREATE TABLE versions (uid TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
  `,
  `
  -- Sealed secrets: the newest version that was kept of each. The envelope goes when no assignment lists it any more.
  CREATE TABLE secrets (
    namespace TEXT NOT NULL,
    bundle TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    digest TEXT NOT NULL,
    envelope BLOB,
    PRIMARY KEY (namespace, bundle, name)
  ) WITHOUT ROWID;
  `,
  `
  -- When an event happened by a clock that nobody can set: milliseconds of uptime, in which run of the machine.
  ALTER TABLE events ADD COLUMN machine TEXT;
  ALTER TABLE events ADD COLUMN uptime INTEGER;
  `,
  `
  -- Which attempt lies in the directory, and the clock of a revision that is on trial there (JSON).
  ALTER TABLE bundles ADD COLUMN active_attempt INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE bundles ADD COLUMN gate TEXT;
  UPDATE bundles SET active_attempt = attempt WHERE active_digest = digest;

  -- Revisions that this node gave up: not tried again unless the assignment's attempt rises.
  CREATE TABLE failures (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    revision INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    last_words TEXT,
    PRIMARY KEY (namespace, name, digest)
  ) WITHOUT ROWID;
  `,
  `
  -- The newest wish for each bundle not to wait for a maintenance window: who, why, and when it was acted on.
  CREATE TABLE overrides (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (namespace, name)
  ) WITHOUT ROWID;

  -- What a person at the device keeps as it is; without namespace and name: all of it.
  CREATE TABLE holds (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    held_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    held_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
  ) WITHOUT ROWID;
  `,
  `
  -- The revision that was healthy before the one that was healthy last: kept whole, so that a node can go back to it alone.
  ALTER TABLE bundles ADD COLUMN previous_digest TEXT;
  `,
  `
  -- What was overridden: \`window\`, or \`lock\`, with which a pod asks not to be disturbed.
  ALTER TABLE overrides ADD COLUMN past TEXT NOT NULL DEFAULT 'window';

  -- Owned files that a person changed and that are left so; \`found\`: digest of what lies there, or null.
  CREATE TABLE drifts (
    file TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    found TEXT,
    since INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Seconds from the newest switch that began containers anew until all pods were ready; null: none was measured.
  ALTER TABLE bundles ADD COLUMN restart_s INTEGER;
  `,
  `
  -- \`since\` of a bundle by a clock that nobody can set, as of events; and what the root proved to be past then, milliseconds since 1970.
  ALTER TABLE bundles ADD COLUMN since_machine TEXT;
  ALTER TABLE bundles ADD COLUMN since_uptime INTEGER;
  ALTER TABLE bundles ADD COLUMN since_floor INTEGER;

  -- Why one that is not assigned any more is there still, and since when (JSON).
  ALTER TABLE bundles ADD COLUMN going TEXT;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;
