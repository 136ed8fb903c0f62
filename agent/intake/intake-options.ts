/** What the intake is handed, and what the status says of it: types only. */
import type { HubDocument } from '../../protocol/documents/hub.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { ImagesAhead } from '../images/ahead.js';
import type { Journal } from '../journal/journal.js';
import type { Link } from '../link/link-options.js';
import type { SourceCondition } from '../ports.js';
import type { NodeIdentity } from '../report/node.js';
import type { SealedSecrets } from '../secrets/sealed-secrets.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import type { LockGate } from './lock-gate.js';
import type { OwnedDirectory } from './owned-files.js';
import type { StageOptions } from './stage-options.js';
import type { WindowGate } from './window-gate.js';

export interface IntakeOptions {
  readonly identity: NodeIdentity;
  readonly journal: Journal;
  readonly directory: OwnedDirectory;
  readonly link: Pick<Link, 'connected' | 'publish' | 'subscribe' | 'unsubscribe'>;
  /** Where a kubelet runs the pods, bundles with ConfigMaps are refused. */
  readonly runtimeNone?: boolean;
  /** What the root withdrew runs on, or ends; absent: it runs on. */
  readonly revokedBundles?: 'keep' | 'stop';
  /** What becomes of files that a person changed; absent: they are put back. */
  readonly drift?: 'restore' | 'report';
  /** From the join: where the chain of roots begins. */
  readonly pinnedRoot: TrustedRoot;
  /** Kubernetes' word for this machine: `amd64`, `arm64`, `arm`. */
  readonly arch: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly time: Pick<TimeKeeper, 'now' | 'known' | 'doubt' | 'assigned' | 'timeline' | 'uptime'>;
  readonly random: () => number;
  readonly randomId: () => string;
  readonly log: Log;
  readonly refuses: StageOptions['refuses'];
  readonly secrets?: SealedSecrets;
  readonly images?: Pick<ImagesAhead, 'hold' | 'confirm' | 'drop' | 'dropReturn' | 'pulling'>;
  readonly onTriedAgain?: StageOptions['onTriedAgain'];
  readonly hasLocalSecret?: StageOptions['hasLocalSecret'];
  /** Left out: a bundle switches at any time. */
  readonly windows?: WindowGate;
  /** Left out: pods have no way to ask for time. */
  readonly locks?: LockGate;
  /** Left out: no revision waits until the node could go back. */
  readonly readiness?: StageOptions['readiness'];
  readonly enrolledLabels?: Readonly<Record<string, string>>;
  /** Something changed that the status says. */
  readonly onChange: () => void;
  /** Another root is in force, and in the journal. */
  readonly onRoot?: () => void;
  /** A genuine presence of the hub; `isNew`: another session than before. */
  readonly onHub: (hub: HubDocument, isNew: boolean) => void;
}

/** What the status says of the intake. */
export interface IntakeState {
  readonly root: TrustedRoot;
  readonly lastRefusal: StatusDocument['lastRefusal'];
  /** The same, whatever was accepted since. */
  readonly newestRefusal: StatusDocument['lastRefusal'];
  readonly conditions: readonly SourceCondition[];
}
