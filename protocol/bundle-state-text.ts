/** A bundle's state on a node as people read it, the same at the hub and at the device; documents and JSON have the word of the wire. Pure. */
import { UNDONE } from './bundle-reasons.js';
import type { BundleStatus } from './documents/node.js';

/** `rolled back`; `undone` where a person at the device went back from it, or wants to; else the state as it is. */
export function bundleStateText({
  state,
  reason,
}: {
  readonly state: BundleStatus['state'] | 'removed';
  readonly reason: string;
}): string {
  if (state !== 'failed' && state !== 'rolledBack') return state;
  if (reason === UNDONE) return 'undone';
  return state === 'rolledBack' ? 'rolled back' : state;
}
