/**
 * Bundle revisions, blobs, the files that are owned, and where each bundle stands. Kept: what the
 * accepted assignment names, what is active, and the last two healthy revisions of each bundle; the
 * rest is forgotten but for its digest, which still exposes other content under a known number. Runs
 * inside the caller's transaction.
 */
import { readGate, writtenGate, type GateMemory } from '../activation/gate.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { BundleState } from '../../protocol/documents/node.js';
import type { Verified } from '../../protocol/verified.js';
import type { BundleName } from '../ports.js';
import type { Connection } from './database.js';
import { dropFailure } from './failures.js';
import { appendHistory, plainStep, type Transition } from './history.js';
import type { Stamped } from './outbox.js';
import { readBack } from './trust.js';

/** Digests of old revisions that are remembered for each bundle. */
const REVISIONS_KEPT = 100;

export interface OwnedFile extends BundleName {
  /** Name in the static pod directory. */
  readonly file: string;
  /** The pod's name, or `ConfigMap/<name>`. */
  readonly pod: string;
  /** Digest of the signed manifest. */
  readonly manifest: string;
  /** SHA-256 of the file's bytes. */
  readonly content: string;
}

/** When a state began. */
export interface Since {
  /** Milliseconds since 1970, as the row of history has it: of a clock that may have been wrong. */
  readonly since: number;
  /** The same by what nobody can set; left out: nothing was known of it. */
  readonly sinceBy?: Pick<Stamped, 'machine' | 'uptime' | 'floor'>;
}

export interface BundleRecord extends Omit<Transition, 'state'>, Since {
  readonly state: BundleState;
  /** It is not assigned any more and waits to go: why, and since when. Left out: it does not. */
  readonly going?: Since & { readonly reason: string };
  /** The revision whose files lie in the directory. */
  readonly active: string | null;
  /** At which attempt it was put there. */
  readonly activeAttempt: number;
  /** The revision that was healthy last. */
  readonly healthy: string | null;
  /** The one that was healthy before it, and was not given up since. */
  readonly previous: string | null;
  /** The saved clock of what is active, while it is on trial. */
  readonly gate: GateMemory | null;
  /** What is wanted was given up, at this attempt or a later one. */
  readonly givenUp: boolean;
  /** So was what is active. */
  readonly activeGivenUp: boolean;
  /** Seconds from the newest switch that began containers anew until all pods were ready; left out: none was measured. */
  readonly restartS?: number;
}

export interface RevisionRecord extends BundleName {
  readonly revision: number;
  readonly digest: string;
  readonly storedAt: number;
  readonly healthyAt: number | null;
}

export function knownDigest(db: Connection, bundle: BundleName, revision: number): string | null {
  const row = db
    .prepare('SELECT digest FROM revisions WHERE namespace = ? AND name = ? AND revision = ?')
    .get(bundle.namespace, bundle.name, revision);
  return (row as { digest: string } | undefined)?.digest ?? null;
}

export function insertRevision(db: Connection, at: number, bundle: Verified<BundleDocument>): void {
  const { namespace, name, revision } = bundle.document;
  db.prepare(
    `INSERT INTO revisions (namespace, name, revision, digest, stored_at, envelope)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (namespace, name, revision) DO UPDATE SET envelope = excluded.envelope
     WHERE digest = excluded.digest`,
  ).run(namespace, name, revision, bundle.digest, at, bundle.envelope);
  db.prepare(
    `DELETE FROM revisions WHERE namespace = ? AND name = ? AND envelope IS NULL AND revision NOT IN
     (SELECT revision FROM revisions WHERE namespace = ? AND name = ? ORDER BY stored_at DESC LIMIT ?)`,
  ).run(namespace, name, namespace, name, REVISIONS_KEPT);
}

/** As it lies there; null when it is not kept. */
export function storedEnvelope(db: Connection, digest: string): Buffer | null {
  const row = db
    .prepare('SELECT envelope FROM revisions WHERE digest = ? AND envelope IS NOT NULL')
    .get(digest) as { envelope: Buffer } | undefined;
  return row?.envelope ?? null;
}

export function readRevision(db: Connection, digest: string): BundleDocument | null {
  const envelope = storedEnvelope(db, digest);
  return envelope && readBack<BundleDocument>('bundle', envelope, digest);
}

/** With its signatures, as it came; null when it is not kept, or carries other content by now. */
export function readEnvelope(db: Connection, digest: string): Buffer | null {
  const envelope = storedEnvelope(db, digest);
  return envelope && readBack('bundle', envelope, digest) ? envelope : null;
}

/** Newest first. */
export function listRevisions(db: Connection): RevisionRecord[] {
  const rows = db
    .prepare('SELECT * FROM revisions ORDER BY namespace, name, revision DESC')
    .all() as (BundleName & {
    revision: number;
    digest: string;
    stored_at: number;
    healthy_at: number | null;
  })[];
  return rows.map(row => ({
    namespace: row.namespace,
    name: row.name,
    revision: row.revision,
    digest: row.digest,
    storedAt: row.stored_at,
    healthyAt: row.healthy_at,
  }));
}

export function listBundles(db: Connection): BundleRecord[] {
  const failed = (digest: string, attempt: string) =>
    `EXISTS (SELECT 1 FROM failures f WHERE f.namespace = b.namespace AND f.name = b.name
     AND f.digest = b.${digest} AND f.attempt >= b.${attempt})`;
  const rows = db
    .prepare(
      `SELECT b.*, ${failed('digest', 'attempt')} AS given_up,
       ${failed('active_digest', 'active_attempt')} AS active_given_up
       FROM bundles b ORDER BY namespace, name`,
    )
    .all();
  return (rows as (BundleRecord & Record<string, unknown>)[]).map(row => ({
    namespace: row.namespace,
    name: row.name,
    revision: row.revision,
    digest: row.digest,
    attempt: row.attempt,
    state: row.state,
    reason: row.reason,
    message: row.message,
    since: row.since,
    ...sinceBy(row),
    ...(row['going'] === null
      ? {}
      : { going: JSON.parse(row['going'] as unknown as string) as Going }),
    active: row['active_digest'] as string | null,
    activeAttempt: row['active_attempt'] as number,
    healthy: row['healthy_digest'] as string | null,
    previous: row['previous_digest'] as string | null,
    gate: readGate(row['gate'] as unknown as string | null),
    givenUp: row['given_up'] === 1,
    activeGivenUp: row['active_given_up'] === 1,
    ...(row['restart_s'] === null ? {} : { restartS: row['restart_s'] as number }),
  }));
}

type Going = NonNullable<BundleRecord['going']>;

/** It waits to go, for this reason, from now on; a row of history says so. */
export function putGoing(db: Connection, moment: Stamped, step: Transition): void {
  const { stamp: since, machine, uptime, floor } = moment;
  const { namespace, name, reason } = step;
  appendHistory(db, since, { kind: 'bundle', ...plainStep(step) });
  const going: Going = { reason, since, sinceBy: { machine, uptime, floor } };
  db.prepare('UPDATE bundles SET going = ? WHERE namespace = ? AND name = ?').run(
    ...[JSON.stringify(going), namespace, name],
  );
}

/** It was assigned again before it went; a row of history says how it stands. */
export function dropGoing(db: Connection, at: number, step: Transition): void {
  appendHistory(db, at, { kind: 'bundle', ...plainStep(step) });
  const { namespace, name } = step;
  db.prepare('UPDATE bundles SET going = NULL WHERE namespace = ? AND name = ?').run(
    ...[namespace, name],
  );
}

function sinceBy(row: Record<string, unknown>): Pick<BundleRecord, 'sinceBy'> {
  const machine = row['since_machine'] as string | null;
  const uptime = row['since_uptime'] as number | null;
  const floor = (row['since_floor'] as number | null) ?? 0;
  return machine === null && floor === 0 ? {} : { sinceBy: { machine, uptime, floor } };
}

/** A step of what is wanted. */
export function applyTransition(db: Connection, moment: Stamped, to: Transition): void {
  const { namespace, name } = to;
  const { stamp: at, machine, uptime, floor } = moment;
  appendHistory(db, at, { kind: 'bundle', ...plainStep(to) });
  if (to.state === 'removed') {
    db.prepare('DELETE FROM bundles WHERE namespace = ? AND name = ?').run(namespace, name);
    return;
  }
  db.prepare(
    `INSERT INTO bundles (namespace, name, revision, digest, attempt, state, reason, message,
     since, since_machine, since_uptime, since_floor)
     VALUES (@namespace, @name, @revision, @digest, @attempt, @state, @reason, @message,
     @since, @machine, @uptime, @floor)
     ON CONFLICT (namespace, name) DO UPDATE SET revision = @revision, digest = @digest,
     attempt = @attempt, state = @state, reason = @reason, message = @message, since = @since,
     going = CASE WHEN digest = @digest AND @state <> 'removing' THEN going END,
     since_machine = @machine, since_uptime = @uptime, since_floor = @floor`,
  ).run({
    ...plainStep(to),
    ...{ since: at, machine, floor },
    uptime: uptime === null ? null : Math.round(uptime),
  });
  if (to.state === 'healthy') markHealthy(db, at, to);
}

/** Whether a step is about what is wanted, not about what still lies there of an earlier assignment. */
export function isOfWanted(db: Connection, { namespace, name, digest }: Transition): boolean {
  const row = db
    .prepare('SELECT 1 FROM bundles WHERE namespace = ? AND name = ? AND digest = ?')
    .get(namespace, name, digest);
  return row !== undefined;
}

/**
 * It sets its rollback floor; floors never fall. What was healthy last is the one before it from now on, unless it was given up
 * since: then the one before that stays.
 */
export function markHealthy(db: Connection, at: number, to: Transition): void {
  const { namespace, name, digest } = to;
  db.prepare(
    `UPDATE bundles AS b SET healthy_digest = @digest, gate = NULL, previous_digest = CASE
       WHEN healthy_digest IS NOT NULL AND healthy_digest <> @digest AND NOT EXISTS
         (SELECT 1 FROM failures f WHERE f.namespace = b.namespace AND f.name = b.name
          AND f.digest = b.healthy_digest) THEN healthy_digest
       WHEN previous_digest <> @digest THEN previous_digest END
     WHERE namespace = @namespace AND name = @name`,
  ).run({ namespace, name, digest });
  dropFailure(db, to, digest);
  db.prepare('UPDATE revisions SET healthy_at = ? WHERE digest = ? AND healthy_at IS NULL').run(
    at,
    to.digest,
  );
  const floor = readRevision(db, to.digest)?.rollbackFloor ?? 0;
  db.prepare(
    `INSERT INTO floors VALUES (?, ?, ?) ON CONFLICT (namespace, name)
     DO UPDATE SET floor = max(floor, excluded.floor)`,
  ).run(namespace, name, floor);
}

export function rollbackFloor(db: Connection, bundle: BundleName): number {
  const row = db
    .prepare('SELECT floor FROM floors WHERE namespace = ? AND name = ?')
    .get(bundle.namespace, bundle.name);
  return (row as { floor: number } | undefined)?.floor ?? 0;
}

/** `digest` null: nothing of the bundle is to lie in the directory. What is put there anew is on trial from the beginning. */
export function replaceFiles(
  db: Connection,
  bundle: BundleName,
  next: { digest: string | null; attempt: number; files: readonly OwnedFile[] },
): void {
  const { namespace, name } = bundle;
  db.prepare('DELETE FROM files WHERE namespace = ? AND name = ?').run(namespace, name);
  const insert = db.prepare(
    'INSERT INTO files VALUES (@file, @namespace, @name, @pod, @manifest, @content)',
  );
  for (const file of next.files) insert.run(file);
  const { digest, attempt } = next;
  db.prepare(
    `UPDATE bundles SET gate = CASE WHEN active_digest = @digest AND active_attempt = @attempt THEN gate END,
     active_digest = @digest, active_attempt = @attempt WHERE namespace = @namespace AND name = @name`,
  ).run({ namespace, name, digest, attempt });
}

export function keepRestart(
  db: Connection,
  { namespace, name }: BundleName,
  seconds: number,
): void {
  db.prepare('UPDATE bundles SET restart_s = ? WHERE namespace = ? AND name = ?').run(
    seconds,
    namespace,
    name,
  );
}

export function saveGate(db: Connection, bundle: BundleName, gate: GateMemory): void {
  db.prepare('UPDATE bundles SET gate = ? WHERE namespace = ? AND name = ?').run(
    writtenGate(gate),
    bundle.namespace,
    bundle.name,
  );
}

export function listFiles(db: Connection): OwnedFile[] {
  return db.prepare('SELECT * FROM files ORDER BY file').all() as OwnedFile[];
}

export function filesByName(db: Connection): Map<string, OwnedFile> {
  return new Map(listFiles(db).map(file => [file.file, file]));
}

export function hasBlob(db: Connection, digest: string): boolean {
  return db.prepare('SELECT 1 FROM blobs WHERE digest = ?').get(digest) !== undefined;
}

export function insertBlob(db: Connection, digest: string, bytes: Uint8Array): void {
  db.prepare('INSERT OR IGNORE INTO blobs VALUES (?, ?)').run(digest, bytes);
}

export function readBlob(db: Connection, digest: string): Buffer | null {
  const row = db.prepare('SELECT bytes FROM blobs WHERE digest = ?').get(digest);
  return (row as { bytes: Buffer } | undefined)?.bytes ?? null;
}

/** Digests of the blobs that a bundle is made of. */
export function blobsOf(document: BundleDocument): { digest: string; size: number }[] {
  return document.manifests.flatMap(entry => (entry.parts.length > 0 ? entry.parts : [entry]));
}

/** Of an assignment; of none, none. */
export function digestsOf(document?: { bundles: readonly { digest: string }[] }): string[] {
  return (document?.bundles ?? []).map(bundle => bundle.digest);
}

/** Forgets what neither `assigned` nor a bundle's active, last healthy or previous healthy revision needs. */
export function prune(db: Connection, assigned: readonly string[]): void {
  const kept = new Set(assigned);
  for (const { active, healthy, previous } of listBundles(db)) {
    for (const digest of [active, healthy, previous]) if (digest !== null) kept.add(digest);
  }
  const stored = db.prepare('SELECT digest FROM revisions WHERE envelope IS NOT NULL').all();
  const forget = db.prepare('UPDATE revisions SET envelope = NULL WHERE digest = ?');
  const blobs = new Set<string>();
  for (const { digest } of stored as { digest: string }[]) {
    if (!kept.has(digest)) forget.run(digest);
    else for (const blob of blobsOf(readRevision(db, digest) ?? EMPTY)) blobs.add(blob.digest);
  }
  const drop = db.prepare('DELETE FROM blobs WHERE digest = ?');
  for (const { digest } of db.prepare('SELECT digest FROM blobs').all() as { digest: string }[]) {
    if (!blobs.has(digest)) drop.run(digest);
  }
}

const EMPTY = { manifests: [] } as unknown as BundleDocument;
