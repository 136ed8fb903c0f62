/**
 * What a store that was restored from a backup remembers until the fleet has told it the rest: types and the names of
 * the mutations. The rules are in `hub/recovery/`.
 */
import type { Mutation } from './store.js';

export interface RecoveryRecord {
  /** RFC 3339. */
  readonly restoredAt: string;
  /** When the backup was made: what happened since is only in the fleet. */
  readonly backupAt: string;
  /** Of the root in the backup: under a higher one no counter of a node is in the way. */
  readonly epoch: number;
  /** True: nothing is applied or assigned until every node was heard, or the operator ends it. */
  readonly learning: boolean;
}

export type RecoveryMutation =
  /** One for each store; replaces the former. */
  | { readonly type: 'recovery'; readonly record: RecoveryRecord }
  | { readonly type: 'unheard'; readonly node: string }
  /** Nothing happens for a node that was heard already. */
  | { readonly type: 'heard'; readonly node: string }
  /** Only raised: a lower one does nothing. */
  | {
      readonly type: 'highestRevision';
      readonly namespace: string;
      readonly bundle: string;
      readonly revision: number;
    };

export interface RecoveryReads {
  /** Null for a store that was never restored. */
  recovery(): Promise<RecoveryRecord | null>;
  /** Nodes that the restored hub has not heard, by name: nothing is sent to them. */
  unheard(): Promise<readonly string[]>;
  /** Of a bundle's revisions that are known to exist somewhere, recorded here or not; 0 for none. */
  highestRevision(namespace: string, bundle: string): Promise<number>;
}

const TYPES: ReadonlySet<string> = new Set<RecoveryMutation['type']>([
  'recovery',
  'unheard',
  'heard',
  'highestRevision',
]);

export function isRecoveryMutation(mutation: Mutation): mutation is RecoveryMutation {
  return TYPES.has(mutation.type);
}
