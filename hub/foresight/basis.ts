/** What a rehearsal begins from, as the hub serves it: the fleet as it stands, and what was lived through with it. Types only. */
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import type { Passage } from '../store/experience-records.js';
import type { RevisionName, RolloutNode, RolloutObject } from '../rollout/waves/rollout-object.js';
import type { FleetNode } from '../rollout/waves/stand.js';

export interface BasisNode extends FleetNode {
  /** It is kept as it is by a person at the device. */
  readonly isHeld: boolean;
  /** Whether the first of the changes below was a coming. */
  readonly cameFirst: boolean;
  /** Seconds since 1970, by turns coming and going; empty: nothing was recorded. */
  readonly changes: readonly number[];
  /** Of this bundle. */
  readonly passages: readonly Passage[];
  /** Of all bundles on it. */
  readonly others: readonly Passage[];
}

export interface RehearsalBasis {
  /** Milliseconds since 1970, the hub's clock. */
  readonly now: number;
  /** The bundle's newest revision; null: there is none. */
  readonly newest: RevisionName | null;
  /** Of the newest revision; null: it has none. */
  readonly rollout: Pick<RolloutObject, 'spec' | 'status'> | null;
  readonly isWithdrawn: boolean;
  readonly rows: readonly RolloutNode[];
  /** How the newest revision is judged; null: there is none. */
  readonly strategy: BundleStrategy | null;
  /** Those that the selector matches, by name. */
  readonly nodes: readonly BasisNode[];
}
