/** What a person at the device keeps as it is, until it is released. Runs inside the caller's transaction. */
import type { BundleName } from '../ports.js';
import type { Connection } from './database.js';

/** With the name empty: all bundles, those to come too. */
export interface HoldRecord extends BundleName {
  /** Who, and why; empty: no reason was given. */
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The one that keeps this bundle as it is; null: none does. */
export function holdOn(holds: readonly HoldRecord[], of: BundleName): HoldRecord | null {
  const isOn = (one: HoldRecord) =>
    one.name === '' || (one.namespace === of.namespace && one.name === of.name);
  return holds.find(isOn) ?? null;
}

/** `all bundles`, `bundle default/shop`. */
export function heldName({ namespace, name }: BundleName): string {
  return name === '' ? 'all bundles' : `bundle ${namespace}/${name}`;
}

/** Oldest first. */
export function listHolds(db: Connection): HoldRecord[] {
  return db
    .prepare(
      'SELECT namespace, name, held_by AS by, reason, held_at AS at FROM holds ORDER BY held_at',
    )
    .all() as HoldRecord[];
}

/** Again: replaces who and why; since when stays. */
export function putHold(db: Connection, { namespace, name, by, reason, at }: HoldRecord): void {
  db.prepare(
    `INSERT INTO holds (namespace, name, held_by, reason, held_at) VALUES (@namespace, @name, @by, @reason, @at)
     ON CONFLICT (namespace, name) DO UPDATE SET held_by = @by, reason = @reason`,
  ).run({
    ...{ namespace, name, by, reason, at },
  });
}

export function dropHold(db: Connection, { namespace, name }: BundleName): void {
  db.prepare('DELETE FROM holds WHERE namespace = ? AND name = ?').run(namespace, name);
}
