/** `flotilla-agent plan`: bundles that wait, with what for, before what is done to pods. Pure. */
import { HELD, LOCKED, WINDOW } from '../protocol/bundle-reasons.js';
import type { BundleStatus } from '../protocol/documents/node.js';
import { obstacleOf } from './activation/undo.js';
import { NOTHING_TO_DO } from './pods/plan.js';

/** Their message is a sentence that needs no reason before it. */
const PLAIN: ReadonlySet<string> = new Set([WINDOW, HELD, LOCKED]);

type Told = Pick<BundleStatus, 'namespace' | 'name' | 'revision' | 'state' | 'reason' | 'message'>;

/** Null: nothing of it waits. */
function waitOf({ namespace, name, revision, state, reason, message }: Told): string | null {
  const bundle = `bundle ${namespace}/${name}`;
  const why = PLAIN.has(reason) ? message : `${reason}: ${message}`;
  if (state === 'waiting' || state === 'staged')
    return `${bundle}: switch to revision ${revision}: ${why}`;
  if (state === 'removing') return `${bundle}: removal: ${why}`;
  const obstacle = obstacleOf({ state, message });
  if (obstacle === null) return null;
  return `${bundle}: way back from revision ${revision}: ${obstacle}`;
}

/** `pods`: what the pod runner says. */
export function planLines(bundles: readonly Told[], pods: string): string {
  const waits = bundles.flatMap(one => waitOf(one) ?? []);
  const rest = pods === '' || (pods === NOTHING_TO_DO && waits.length > 0) ? [] : [pods];
  return [...waits, ...rest].join('\n');
}
