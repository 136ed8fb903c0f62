/**
 * One commit while it is applied: who and when, the counters it draws from, and what it will tell
 * watchers once it is on disk. Thrown away whole when the commit fails. Plain values, shared by the
 * tables of the SQLite store.
 */
import type { KeptChange } from './object-row.js';
import type { Actor, Touched } from './store.js';

/** The highest numbers given out. */
export interface Counters {
  resourceVersion: number;
  publication: number;
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
