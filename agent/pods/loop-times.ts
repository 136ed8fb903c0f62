/** How long the loop over the pods waits for what. Kubelet behaviour rows 81, 82, 219. Pure. */

/** A whole look although nothing was heard (row 81). */
const RESYNC_MS = 60_000;
/** An engine that is down at the start is no reason to say nothing at all. */
export const UNKNOWN_MAX_MS = 30_000;
/** How soon an engine that does not answer is asked again (row 82). */
const ENGINE_RETRY_FIRST_MS = 100;
const ENGINE_RETRY_MAX_MS = 5_000;
/** Events of a pod that is being worked on need no plan at once: its worker's end brings one. */
export const BUSY_EVENT_MS = 1_000;
/** A pod whose step met an engine that does not answer rests this long, whatever the engine says next. */
export const UNAVAILABLE_RETRY_MS = 1_000;
/** Row 219: a loop that has not moved for this long has stopped. */
export const STANDSTILL_MS = 300_000;
/** How long the end waits for calls that the engine has not answered. */
export const STOP_MS = 2_000;

/** In how many milliseconds to look again, when something is to happen at these times. */
export function nextLookMs(now: number, times: readonly number[]): number {
  return Math.max(0, Math.min(RESYNC_MS, ...times.map(at => at - now)));
}

/** After so many looks in a row that failed. */
export function engineRetryMs(failures: number): number {
  return Math.min(ENGINE_RETRY_FIRST_MS * 2 ** (failures - 1), ENGINE_RETRY_MAX_MS);
}
