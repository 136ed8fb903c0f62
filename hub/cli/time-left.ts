/** How long a rollout will go on, if it goes on as it did so far: an estimate for people, and nothing is decided by it. Pure. */
import { humanDuration } from '../../protocol/human-duration.js';
import type { RolloutView } from './rollout-view.js';

type Seen = Pick<RolloutView, 'spec' | 'status' | 'waves' | 'total'>;

/**
 * Milliseconds; null where there is no rate to go by, or where the end is not for nodes alone to bring about: paused, over, or to be promoted
 * by people. Counted are nodes that can be reached and wait for nothing; and the bakes to come. `now`: milliseconds since 1970.
 */
export function timeLeftMs({ spec, status, waves, total }: Seen, now: number): number | null {
  const { bakeSeconds, promotion } = spec.plan;
  const under = status.waves.length - 1;
  const isLast = under === waves.length - 1;
  const isByPerson =
    promotion === 'manual' && Math.max(spec.promoted, spec.forced) < waves.length - 1;
  const isGoing = ['Nodes', 'NotProven', 'Bake'].includes(status.reason);
  if (status.phase !== 'progressing' || !isGoing || under < 0 || isByPerson) return null;
  const done = total.healthy + total.failed + total.aside + total.unknown;
  const workedMs = status.waves.reduce((sum, { startedAt, settledAt }) => {
    return sum + (settledAt === null ? now : Date.parse(settledAt)) - Date.parse(startedAt);
  }, 0);
  if (done === 0 || workedMs <= 0) return null;
  const left = total.underWay + total.waiting;
  const bakeMs = bakeSeconds * 1000;
  const settledAt = status.waves[under]?.settledAt ?? null;
  const bakedMs = settledAt === null ? 0 : Math.min(bakeMs, now - Date.parse(settledAt));
  const bakes = isLast ? 0 : (waves.length - 1 - under) * bakeMs - bakedMs;
  return Math.round((left * workedMs) / done + bakes);
}

/** `about 12m left at the rate so far`; empty: nobody can tell. */
export function timeLeftText(seen: Seen, now: number): string {
  const ms = timeLeftMs(seen, now);
  if (ms === null) return '';
  const { window, obstructed, silent, away, person } = seen.total;
  const others = window + obstructed + silent + away + person;
  const rest = others === 0 ? '' : `, without ${others} that wait or are away`;
  return `about ${humanDuration(ms)} left at the rate so far${rest}`;
}
