/**
 * How often what changes over and over is put on the disk: the first changes as they come, then with growing pauses, as
 * an event that repeats itself is told. A probe that flaps each second must not write to flash each second; what such a
 * pod loses with the agent is the time of its last turn. Pure.
 */

/** A series of saves ends when there was none, nor a need of one, for this long. */
const CALM_MS = 120_000;
/** So many changes come with the start of a pod. */
const FREE_SAVES = 8;
const PAUSE_FIRST_MS = 2_000;
const PAUSE_MAX_MS = 60_000;

/** Of one thing that is saved; times are of a clock that never jumps. */
export interface SavePace {
  readonly savedAt: number;
  /** In a row. */
  readonly saves: number;
}

function pauseMs({ saves }: SavePace): number {
  if (saves < FREE_SAVES) return 0;
  return Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** (saves - FREE_SAVES));
}

/** When what changed at `changedAt` is to be on the disk; changes come in swarms, so it is given `settleMs` first. */
export function saveDueAt(
  pace: SavePace | undefined,
  { changedAt, settleMs }: { readonly changedAt: number; readonly settleMs: number },
): number {
  const settled = changedAt + settleMs;
  return pace === undefined ? settled : Math.max(settled, pace.savedAt + pauseMs(pace));
}

export function afterSave(pace: SavePace | undefined, now: number): SavePace {
  const isSeries = pace !== undefined && now - pace.savedAt <= pauseMs(pace) + CALM_MS;
  return { savedAt: now, saves: isSeries ? pace.saves + 1 : 1 };
}
