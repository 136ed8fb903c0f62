/**
 * Notices that two devices speak with one key, or that an old disk was put back: documents that the
 * node's key signed and that one journal cannot have made (security.md S33, S64, S73). A replay is
 * what was said before, word by word; it is never taken for one of these. Pure.
 */
import type { NodeFork, NodeStart } from '../objects.js';

/** Starts of the agent that are remembered for a node. */
const STARTS_MAX = 16;

export interface Starts {
  /** Of the current journal, oldest first. */
  readonly starts: readonly NodeStart[];
  readonly fork: NodeFork | null;
}

export const NO_STARTS: Starts = { starts: [], fork: null };

/** Each connection has a random session: two under one number are of two devices. */
export function withSession(
  before: Starts,
  { boot, n, session }: { readonly boot: number; readonly n: number; readonly session: string },
): Starts {
  const known = before.starts.find(start => start.boot === boot);
  if (known === undefined || known.n === 0) {
    const said = known ?? { counter: 0, digest: '' };
    return put(before, { ...said, boot, n, session });
  }
  if (known.n !== n || known.session === session) return before;
  const what = `connection ${n} of start ${boot} was made twice`;
  return forked(before, { reason: 'SessionTwice', what });
}

/** `retained`: kept by the broker, said at some earlier time. */
export function withReport(
  before: Starts,
  said: { readonly boot: number; readonly counter: number; readonly digest: string },
  { retained }: { readonly retained: boolean },
): Starts {
  const { boot, counter, digest } = said;
  const known = before.starts.find(start => start.boot === boot);
  if (known && known.counter === counter) {
    if (known.digest === digest) return before;
    const what = `two different statuses bear number ${counter} of start ${boot}`;
    return forked(before, { reason: 'StatusTwice', what });
  }
  if (known && known.counter > counter) return before;
  const after = put(before, { n: 0, session: '', ...known, boot, counter, digest });
  const newest = Math.max(...before.starts.map(start => start.boot));
  if (retained || newest <= boot || known === undefined) return after;
  const what = `start ${boot} reports on after start ${newest} has begun`;
  return forked(after, { reason: 'OlderStart', what });
}

function put(before: Starts, start: NodeStart): Starts {
  const others = before.starts.filter(({ boot }) => boot !== start.boot);
  const starts = [...others, start].sort((a, b) => a.boot - b.boot).slice(-STARTS_MAX);
  return { ...before, starts };
}

/** The first that was noticed stays. */
function forked(
  before: Starts,
  { reason, what }: { reason: NodeFork['reason']; what: string },
): Starts {
  const message =
    `${what}: two devices hold this node's key, or an old disk was put back; ` +
    'find out which is which, revoke the node and join it anew';
  return { ...before, fork: before.fork ?? { reason, message } };
}
