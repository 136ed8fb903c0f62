/** When a wave may take nodes: its own windows, by the hub's clock. Pure. */
import { openAt, readWindows, type Window } from '../../../protocol/maintenance-window.js';
import { waveText, type Wave } from './plan.js';
import type { RolloutSpec } from './rollout-object.js';

/** Windows are values: read once, asked again and again. */
const READ = new WeakMap<Wave, readonly Window[]>();

/**
 * `now`: it may, a wave without windows always; later: when it may next; null: its windows do not open in nine years. Times are
 * milliseconds since 1970. A person who let a wave pass by force said it for the windows of that wave and of the next.
 */
export function opensAt(
  { plan, forced }: Pick<RolloutSpec, 'plan' | 'forced'>,
  wave: number,
  now: number,
): number | null {
  const one = plan.waves[wave];
  if (one?.windows === undefined || (forced > 0 && wave <= forced)) return now;
  const windows = READ.get(one) ?? readWindows(one.windows);
  READ.set(one, windows);
  return openAt([windows], now);
}

/** `wave 2 of 3 (25%) takes nodes from 2026-06-07T00:00:00Z on`. */
export function opensText(
  { plan }: Pick<RolloutSpec, 'plan'>,
  wave: number,
  at: number | null,
): string {
  const when =
    at === null
      ? 'in none of the coming years'
      : `from ${new Date(at).toISOString().slice(0, 19)}Z on`;
  return `wave ${placeText({ plan }, wave)} takes nodes ${when}`;
}

/** `2 of 3 (25%)`. */
export function placeText({ plan: { waves } }: Pick<RolloutSpec, 'plan'>, wave: number): string {
  const one = waves[wave];
  return `${wave + 1} of ${waves.length}${one === undefined ? '' : ` (${waveText(one)})`}`;
}
