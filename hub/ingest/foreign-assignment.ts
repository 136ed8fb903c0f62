/**
 * Whether a node follows what this hub cannot have made: an assignment or a root with a higher number than its store knows. The store
 * is written before anything is published, so either somebody else has the hub's key, or this hub's directory was put back to an older
 * state without a restore. Pure.
 */
import type { StatusDocument } from '../../protocol/documents/node.js';

/** As condition and as event. */
export const FOREIGN_ASSIGNMENT = 'ForeignAssignment';
export const NOT_OF_THIS_HUB = 'NotOfThisHub';

/** The highest that this hub's store knows. */
export interface OwnNumbers {
  readonly epoch: number;
  readonly rootVersion: number;
  /** Of this node, in that epoch; 0 before the first. */
  readonly generation: number;
}

const CURE =
  'somebody else signs with the key of this hub, or its directory was put back to an older state without ' +
  '`flotilla hub restore`. The node refuses what is older; a root of a new epoch ends it: `flotilla hub recover`';

/** What the node follows, and what to do; null: nothing but what this hub knows. */
export function foreignFault(
  { epoch, rootVersion, generation }: Pick<StatusDocument, 'epoch' | 'rootVersion' | 'generation'>,
  own: OwnNumbers,
): string | null {
  if (rootVersion > own.rootVersion) {
    return `it follows root ${rootVersion}, the newest here is ${own.rootVersion}: ${CURE}`;
  }
  if (epoch !== own.epoch || generation <= own.generation) return null;
  return `it accepted generation ${generation}, the newest here is ${own.generation}: ${CURE}`;
}
