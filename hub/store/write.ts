/**
 * One commit while it is applied: who and when, the counters it draws from, and what it will tell
 * watchers once it is on disk. Thrown away whole when the commit fails. Plain values, shared by the
 * tables of the SQLite store.
 */
import type { Actor, Change, ObjectKind, Touched } from './store.js';

/** The highest numbers given out. */
export interface Counters {
  resourceVersion: number;
  publication: number;
}

/**
 * A change as the history keeps it: JSON as text, parsed for each watch that reads it. Parsed
 * objects would take some five times the memory, and most of the time of a commit would go to the
 * garbage collector.
 */
export interface KeptChange {
  readonly kind: ObjectKind;
  readonly resourceVersion: number;
  read(): Change;
}

export interface Write {
  readonly actor: Actor;
  /** RFC 3339, seconds. */
  readonly at: string;
  readonly counters: Counters;
  readonly changes: KeptChange[];
  readonly touched: Set<Touched>;
}

/** RFC 3339 in UTC with seconds, as Kubernetes writes times. */
export function rfc3339(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}
