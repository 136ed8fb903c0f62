/** What a node's word on the wanted revision comes to, in counts and sentences alike. Pure. */
import {
  HEALTH_UNKNOWN,
  HELD,
  LOCKED,
  NOT_UNDO_READY,
  UNDONE,
  WINDOW,
} from '../../protocol/bundle-reasons.js';
import type { BundleStatus } from '../../protocol/documents/node.js';

export type Fate =
  | 'healthy'
  | 'failed'
  /** A person at the device went back from it. */
  | 'undone'
  /** A person at the device keeps what was there before. */
  | 'held'
  /** It waits for a maintenance window. */
  | 'window'
  /** A pod there asks not to be disturbed. */
  | 'locked'
  /** The node could not go back from it, which its rollout requires. */
  | 'notUndoReady'
  /** It waits for something else. */
  | 'obstructed'
  /** Its files lie there, and nobody tells the node how their pods are. */
  | 'unknown'
  | 'underWay';

export function fateOf({ state, reason }: Pick<BundleStatus, 'state' | 'reason'>): Fate {
  if (state === 'healthy') return 'healthy';
  if (state === 'failed' || state === 'rolledBack') return reason === UNDONE ? 'undone' : 'failed';
  if (state === 'activating' && reason === HEALTH_UNKNOWN) return 'unknown';
  if (state !== 'waiting') return 'underWay';
  if (reason === HELD) return 'held';
  if (reason === LOCKED) return 'locked';
  if (reason === NOT_UNDO_READY) return 'notUndoReady';
  return reason === WINDOW ? 'window' : 'obstructed';
}
