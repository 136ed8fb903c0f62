/** How long the node waits between two tries to connect. Pure. */

const BACK_OFF_MIN_MS = 1_000;
const BACK_OFF_MAX_MS = 60_000;

/** Half of it is certain, half is chance, so that a fleet does not come back in one moment. */
export function backOffMs(attempt: number, random: number): number {
  const whole = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(attempt, 16));
  return Math.round(whole / 2 + (whole / 2) * random);
}
