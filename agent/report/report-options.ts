/** What the report is handed: types only. */
import type { Activation } from '../activation/activation.js';
import type { HoldingsReport } from '../../protocol/documents/node.js';
import type { AckDocument } from '../../protocol/documents/hub.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { IntakeState } from '../intake/intake-options.js';
import type { Journal } from '../journal/journal.js';
import type { Link } from '../link/link-options.js';
import type { NodeInfo } from '../node-info.js';
import type { PodReport, SourceCondition } from '../ports.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import type { Budgets } from '../usage/budgets.js';
import type { Meter } from '../usage/meter.js';
import type { NodeIdentity } from './node.js';

export interface ReportOptions {
  readonly identity: NodeIdentity;
  readonly journal: Journal;
  readonly link: Pick<Link, 'connected' | 'publish'>;
  readonly intake: () => IntakeState;
  /** Judged with every look, hub or no hub. */
  readonly activation: Activation;
  readonly nodeInfo: () => NodeInfo;
  readonly agentVersion: string;
  /** `docker://28.2.2`; empty while the engine does not answer. */
  readonly containerRuntimeVersion: () => string;
  /** Seconds, as announced to the broker; 0: never. */
  readonly keepAliveS?: () => number;
  /** What the node used; absent: nobody counts. */
  readonly meter?: Pick<Meter, 'ledger'>;
  /** What it holds and has room for; null: nobody looked yet. Absent: nobody looks. */
  readonly holds?: () => HoldingsReport | null;
  /** How often to speak; absent: no budget. */
  readonly budgets?: Pick<Budgets, 'inForce' | 'pace'>;
  /** Null until the pods of this start are known. */
  readonly pods: () => readonly PodReport[] | null;
  /** Nobody will ever tell how the pods are: a status goes without them, instead of never. */
  readonly podsAreNeverTold?: boolean;
  readonly conditions: () => readonly SourceCondition[];
  readonly clock: Clock;
  readonly time: Pick<
    TimeKeeper,
    'now' | 'told' | 'timeline' | 'timeOf' | 'correct' | 'heard' | 'uptime' | 'conditions'
  >;
  readonly random: () => number;
  readonly log: Log;
  /** A status of this number goes out; that of this number, and all before it, are safe at the hub. */
  readonly onStatus?: Readonly<Record<'said' | 'confirmed', (counter: number) => void>>;
  /** A genuine acknowledgement. */
  readonly onAck?: (ack: AckDocument) => void;
}
