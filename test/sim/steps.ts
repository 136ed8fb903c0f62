/**
 * Where the parts that stand in for the outside find the history that runs now, and where a process dies: each step that
 * leaves something behind is counted, and may be its last.
 */
import type Database from 'better-sqlite3';
import { Killed, type Actor, type Scheduler } from './scheduler.js';

/** A module's calls, by name. */
export type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;
export type Holder = Record<string, AnyFunction>;

/** What the history that runs now brings with it. */
export interface Outside {
  readonly scheduler: Scheduler;
  readonly random: () => number;
  /** Throws what the disk says to a write of this actor. */
  readonly disk: (actor: Actor, database: Database.Database | null) => void;
  /** A name below a directory was written, moved or removed. */
  readonly onFile: (path: string) => void;
}

let now: Outside | null = null;

export function outside(): Outside | null {
  return now;
}

export function enter(history: Outside | null): void {
  now = history;
}

/** Before or after something that stays; a process that dies here does nothing more. */
export function step(half: 0 | 0.5): void {
  const actor = now?.scheduler.actor;
  if (!actor) return;
  if (actor.isDead) throw new Killed(actor.name);
  if (half === 0) actor.steps++;
  if (actor.diesAt !== actor.steps + half) return;
  actor.die();
  throw new Killed(actor.name);
}

export function lives(): void {
  const actor = now?.scheduler.actor;
  if (actor?.isDead) throw new Killed(actor.name);
}
