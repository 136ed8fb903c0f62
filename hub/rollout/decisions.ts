/** What the hub decided about a rollout by itself, as lines of the audit log: the difference of two of its states in words. Pure. */
import { waveText } from './waves/plan.js';
import type { RolloutSpec, RolloutStatus } from './waves/rollout-object.js';

/** In the order in which it happened; what people said is told as their own. */
export function decisionsBetween(
  { plan, to }: Pick<RolloutSpec, 'plan' | 'to'>,
  before: RolloutStatus,
  after: RolloutStatus,
): string[] {
  const what = `revision ${to.revision}`;
  const waves = after.waves.flatMap(({ passedAt }, i) => {
    const wave = plan.waves[i];
    const name = `wave ${i + 1} of ${plan.waves.length}${wave === undefined ? '' : ` (${waveText(wave)})`}`;
    const hasPassed = passedAt !== null && (before.waves[i]?.passedAt ?? null) === null;
    return [
      ...(i >= before.waves.length ? [`${what}: ${name} began`] : []),
      ...(hasPassed ? [`${what}: ${name} passed`] : []),
    ];
  });
  const { phase, reason, message } = after;
  if (phase === before.phase && (phase === 'progressing' || reason === before.reason)) return waves;
  const why = message === '' ? '' : `: ${message}`;
  return [...waves, `${what}: ${phase} (${reason})${why}`];
}
