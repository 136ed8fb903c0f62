/** How many more nodes the pace lets be told now, and when it lets the next. Pure. */
import type { RolloutNode } from './rollout-object.js';

const MINUTE_MS = 60_000;

/** In any minute at most `nodesPerMinute`; 0: any number. `nextAt`: when there is room for more; null: there is, or nothing limits it. */
export function paceOf(
  rows: Iterable<RolloutNode>,
  { nodesPerMinute, now }: { readonly nodesPerMinute: number; readonly now: number },
): { readonly room: number; readonly nextAt: number | null } {
  if (nodesPerMinute === 0) return { room: Number.POSITIVE_INFINITY, nextAt: null };
  const times: number[] = [];
  for (const { toldAt, isBack } of rows) {
    const at = toldAt === null || isBack ? 0 : Date.parse(toldAt);
    if (at > now - MINUTE_MS) times.push(at);
  }
  const room = Math.max(0, nodesPerMinute - times.length);
  return { room, nextAt: times.length === 0 ? null : Math.min(...times) + MINUTE_MS };
}
