/** Reads every revision of a bundle with who signed it, what the root in force says of it, and how its rollout ended. No decisions. */
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject } from '../objects.js';
import type { SignatureVerdict } from '../signing/signature-count.js';
import type { RevisionRecord, Store } from '../store/store.js';
import { historyOf, type RevisionHistory } from './history.js';
import type { RolloutObject } from './waves/rollout-object.js';
import { signaturesOn, withdrawalOf, type Withdrawal } from './withdrawn.js';

export interface RevisionEntry {
  readonly record: RevisionRecord;
  readonly isNewest: boolean;
  /** Seen from the root in force. */
  readonly signatures: readonly SignatureVerdict[];
  /** Null: the root in force lets nodes begin with it. */
  readonly withdrawal: Withdrawal | null;
  readonly history: RevisionHistory;
}

export interface HistoryParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
}

/** Ascending; of a bundle that was deleted too. Empty: there was none of that name. */
export async function revisionEntries(
  { store, root }: HistoryParts,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<RevisionEntry[]> {
  const [bundle, rollout, past, records] = await Promise.all([
    store.get('Bundle', namespace, name) as Promise<BundleObject | null>,
    store.get('Rollout', namespace, name) as Promise<RolloutObject | null>,
    store.pastRollouts(namespace, name),
    store.revisions(namespace, name),
  ]);
  const { document } = root();
  return records.map(record => {
    const count = signaturesOn(document, record);
    return {
      record,
      isNewest: record.digest === bundle?.status.digest,
      signatures: count.verdicts,
      withdrawal: withdrawalOf(document, record, () => count),
      history: historyOf(record, { bundle, rollout, past }),
    };
  });
}
