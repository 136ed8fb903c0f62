/**
 * What of a former revision is still there while the new one waits for its place: how long that is nobody's fault, and how it
 * is told. Pure.
 */
import type { PodReport, StoppingContainer } from '../ports.js';

/**
 * Beyond the grace: at least two seconds are left for the stop signal when a hook took the grace, and the engine takes its
 * own for the kill.
 */
export const STOP_SLACK_MS = 10_000;

function endOf({ since, graceSeconds }: StoppingContainer): number {
  return since + graceSeconds * 1000 + STOP_SLACK_MS;
}

/** A clock that was set back must not lengthen it. */
function isInTime(stop: StoppingContainer, now: number): boolean {
  return stop.since <= now && now < endOf(stop);
}

/** When the last of these containers has to be over, milliseconds since 1970; null: none ends within its grace. */
export function heldUntil(former: readonly PodReport[], now: number): number | null {
  const stops = former.flatMap(({ stopping = [] }) => stopping);
  const ends = stops.filter(stop => isInTime(stop, now)).map(endOf);
  return ends.length === 0 ? null : Math.max(...ends);
}

/** Of one pod; the same sentence as long as nothing happens, because each other one is sent. */
export function formerText({ key, stopping = [] }: PodReport, now: number): string {
  if (stopping.length === 0) return `${key} is of a former one`;
  const parts = stopping.map(stop => {
    const over = isInTime(stop, now) ? '' : ', which is over';
    return `${stop.container}: grace ${stop.graceSeconds} s${over}`;
  });
  return `${key} of a former one is being stopped (${parts.join(', ')})`;
}
