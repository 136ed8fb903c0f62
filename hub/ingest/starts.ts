/**
 * What the newest starts of a node's agent said: kept with the node, so that a hub that was started anew still knows which numbers
 * were used (security.md S33, S64, S73). clones.ts judges. Pure.
 */
import type { NodeStart } from '../objects.js';

/** Starts of the agent that are remembered for a node. */
const STARTS_MAX = 16;

/** Of the current journal, oldest first. */
export type Starts = readonly NodeStart[];

/** The first connection of a start is remembered, and how many there were. */
export function withSession(
  before: Starts,
  { boot, n, session }: { readonly boot: number; readonly n: number; readonly session: string },
): Starts {
  const known = before.find(start => start.boot === boot);
  if (known === undefined || known.n === 0) {
    return put(before, { counter: 0, digest: '', ...known, boot, n, session, lastN: n });
  }
  return n > known.lastN ? put(before, { ...known, lastN: n }) : before;
}

/** And its newest status. */
export function withReport(
  before: Starts,
  { boot, counter, digest }: Pick<NodeStart, 'boot' | 'counter' | 'digest'>,
): Starts {
  const known = before.find(start => start.boot === boot);
  if (known && known.counter >= counter) return before;
  return put(before, { n: 0, session: '', lastN: 0, ...known, boot, counter, digest });
}

function put(before: Starts, start: NodeStart): Starts {
  const others = before.filter(({ boot }) => boot !== start.boot);
  return [...others, start].sort((a, b) => a.boot - b.boot).slice(-STARTS_MAX);
}
