/**
 * The health gate's clock: how long a revision has been on trial and how long without progress. Measured by what the
 * agent itself has lived through, saved now and then: neither a clock that is set nor the time that the agent was away
 * counts. Pure.
 */
import type { Standing } from './standing.js';

export interface GateMemory {
  /** Milliseconds since the revision's files were put in place. */
  readonly openMs: number;
  /** Milliseconds since the last progress. */
  readonly stalledMs: number;
  /** The most that ever was there; null: nothing was looked at yet. */
  readonly made: number | null;
  readonly ready: number;
}

export const JUST_OPENED: GateMemory = { openMs: 0, stalledMs: 0, made: null, ready: 0 };

/** At most this much is lost when the agent is killed. */
const SAVED_EVERY_MS = 60_000;

export function saveEveryMs(deadlineMs: number): number {
  return Math.min(SAVED_EVERY_MS, Math.ceil(deadlineMs / 10));
}

export function passed(memory: GateMemory, ms: number): GateMemory {
  return { ...memory, openMs: memory.openMs + ms, stalledMs: memory.stalledMs + ms };
}

/**
 * An agent that was started anew lost what it had not saved; half of what that may be is taken for gone. So a revision that
 * brings the agent or the machine down again and again meets its deadline too.
 */
export function afterRestart(memory: GateMemory, deadlineMs: number): GateMemory {
  return passed(memory, Math.round(saveEveryMs(deadlineMs) / 2));
}

/**
 * As a Deployment does: more pods of the revision, fewer of others, or more of them ready begin the deadline anew. Unlike
 * there only what never was counts, so that a pod that becomes ready and crashes by turns does not live for ever.
 */
export function withProgress(memory: GateMemory, { made, ready }: Standing): GateMemory {
  const isMore = made > (memory.made ?? Number.NEGATIVE_INFINITY) || ready > memory.ready;
  if (!isMore) return memory;
  return {
    openMs: memory.openMs,
    stalledMs: 0,
    made: Math.max(made, memory.made ?? made),
    ready: Math.max(ready, memory.ready),
  };
}

/** Null for what was not written by `JSON.stringify` of one. */
export function readGate(text: string | null): GateMemory | null {
  if (text === null) return null;
  const value = JSON.parse(text) as Partial<GateMemory>;
  const { openMs = 0, stalledMs = 0, made = null, ready = 0 } = value;
  return { openMs, stalledMs, made, ready };
}
