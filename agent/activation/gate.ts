/**
 * The health gate's clock: how long a revision has been on trial and how long without progress. Measured by what the
 * agent itself has lived through, saved now and then: neither a clock that is set nor the time that the agent was away
 * counts. Pure.
 */
import type { Standing } from './standing.js';

export interface GateMemory {
  /** Every container has been ready or completed for this long, none of them another than before; not saved. */
  readonly steadyMs: number;
  /** Which ones; null: not all of them. */
  readonly steady: string | null;
  /** Milliseconds since the last progress. */
  readonly stalledMs: number;
  /** When last looked at, something former was ending in its own time: that is none of the revision's; not saved. */
  readonly isHeld: boolean;
  /** The most that ever was there; null: nothing was looked at yet. */
  readonly made: number | null;
  readonly ready: number;
}

export const JUST_OPENED: GateMemory = {
  ...{ steadyMs: 0, steady: null },
  ...{ stalledMs: 0, isHeld: false, made: null, ready: 0 },
};

/** At most this much is lost when the agent is killed. */
const SAVED_EVERY_MS = 60_000;

export function saveEveryMs(deadlineMs: number): number {
  return Math.min(SAVED_EVERY_MS, Math.ceil(deadlineMs / 10));
}

export function passed(memory: GateMemory, ms: number): GateMemory {
  const stalledMs = memory.stalledMs + (memory.isHeld ? 0 : ms);
  return { ...memory, steadyMs: memory.steadyMs + ms, stalledMs };
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
 * there only what never was counts, so that a pod that becomes ready and crashes by turns does not live for ever. While
 * something former ends within its grace the deadline stands still: nothing of the revision could begin.
 */
export function withProgress(memory: GateMemory, standing: Standing): GateMemory {
  const { made, ready, steady } = standing;
  const same = steady !== null && steady === memory.steady;
  const isHeld = standing.heldUntil !== undefined;
  const next = { ...memory, isHeld, steady, steadyMs: same ? memory.steadyMs : 0 };
  const isMore = made > (memory.made ?? Number.NEGATIVE_INFINITY) || ready > memory.ready;
  if (!isMore) return next;
  return {
    ...next,
    stalledMs: 0,
    made: Math.max(made, memory.made ?? made),
    ready: Math.max(ready, memory.ready),
  };
}

/**
 * Milliseconds until the deadline ends; 0 or less: it has. What became ready before it did, all of it, has `minReadySeconds` to prove
 * that it stays so: it fails with the first container that does not, and another start later does not count.
 */
export function leftMs(
  { stalledMs, steady, steadyMs, isHeld }: GateMemory,
  { deadlineMs, minReadyMs }: { readonly deadlineMs: number; readonly minReadyMs: number },
): number {
  if (isHeld) return Infinity;
  const isProving = steady !== null && steadyMs < minReadyMs;
  const wasReadyInTime = isProving && stalledMs - steadyMs < deadlineMs;
  return deadlineMs + (wasReadyInTime ? minReadyMs : 0) - stalledMs;
}

export function writtenGate({ stalledMs, made, ready }: GateMemory): string {
  return JSON.stringify({ stalledMs: Math.round(stalledMs), made, ready });
}

/** Of `writtenGate`. What was ready has to be seen to be so anew. */
export function readGate(text: string | null): GateMemory | null {
  if (text === null) return null;
  const value = JSON.parse(text) as Pick<GateMemory, 'stalledMs' | 'made' | 'ready'>;
  return { ...JUST_OPENED, ...value };
}
