/**
 * Whether a node follows what this hub cannot have made: an assignment or a root with a higher number than its store knows. The store
 * is written before anything is published, so either somebody else has the hub's key, or this hub's directory was put back to an older
 * state without a restore. Pure.
 */
import type { StatusDocument } from '../../protocol/documents/node.js';

/** As condition and as event. */
export const AHEAD_OF_HUB = 'AheadOfHub';

/** The highest that this hub's store knows. */
export interface OwnNumbers {
  readonly epoch: number;
  readonly rootVersion: number;
  /** Of this node, in that epoch; 0 before the first. */
  readonly generation: number;
}

const CURE =
  'another hub with these keys is or was at work, or this one was put back without `flotilla hub restore`. The node refuses what this ' +
  'hub says. Stop the other one; then take a backup of this one and restore it: it learns from the fleet. Where the key may be ' +
  'stolen, `flotilla hub recover` begins a new epoch';

/** What the node follows, and what to do; null: nothing but what this hub knows. */
export function aheadFault(
  { epoch, rootVersion, generation }: Pick<StatusDocument, 'epoch' | 'rootVersion' | 'generation'>,
  own: OwnNumbers,
): string | null {
  if (rootVersion > own.rootVersion) {
    return `it has root ${rootVersion}, and the newest that this hub published is ${own.rootVersion}: ${CURE}`;
  }
  if (epoch !== own.epoch || generation <= own.generation) return null;
  return `it has assignment ${generation}, and the newest that this hub made is ${own.generation}: ${CURE}`;
}
