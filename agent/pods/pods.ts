/**
 * The pod runner as the rest of the agent sees it: types only. `reconcile.ts` makes it.
 */
import type { VersionStore } from './versions.js';
import type { Completion, Completions } from './completion.js';
import type { PodSource } from './desired.js';
import type { HookRunner, Prober } from './health.js';
import type { LogLinks } from './log-links.js';
import type { PodSettings } from './pod-settings.js';
import type { ImagePulls } from '../images/pulls.js';
import type { Admission } from '../admission/admit.js';
import type { ShutdownPeriod } from './node-shutdown.js';
import type { NodeAddresses } from './field-values.js';
import type { PodFigures } from './tallies.js';
import type { EventSink, PodReport, SourceCondition } from '../ports.js';
import type { ContainerRuntime } from '../runtime/runtime.js';
import type { PodVolumes } from '../volumes/volumes.js';
import type { Clock, Log } from '../../protocol/ports.js';

/** Where pods that ended for good are remembered; a call returns after it is durable. */
export interface CompletionStore {
  all(): Completions;
  remember(completion: Completion): void;
  forget(uids: readonly string[]): void;
}

export interface PodsOptions {
  readonly runtime: ContainerRuntime;
  /** Absent: with the pods' own pull secrets alone. */
  readonly images?: ImagePulls;
  /** Absent: none are made. */
  readonly logLinks?: LogLinks;
  readonly sources: readonly PodSource[];
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeAddresses & { readonly name: string };
  readonly prober?: Prober;
  readonly hooks?: HookRunner;
  readonly completions?: CompletionStore;
  /** Absent: what pods were made from is forgotten with the agent. */
  readonly versions?: VersionStore;
  /** The longest wait between two restarts; the kubelet's 5 minutes unless given. */
  readonly restartBackOffMaxMs?: number;
  /** Absent: the defaults. */
  readonly settings?: PodSettings;
  /** Absent: below `dataDir`. */
  readonly volumes?: PodVolumes;
  /** Tells when files of pods change that no source brings; the returned function ends it. */
  readonly onFilesChange?: (listener: () => void) => () => void;
  /** Decides which pods may begin; absent: all. */
  readonly admission?: Admission;
  /** Files of pods are kept under `<dataDir>/pods/`. */
  readonly dataDir: string;
}

export interface Pods {
  /** False until the engine was looked at once, or did not answer for half a minute: till then nobody knows. */
  areKnown(): boolean;
  /** All pods as they are now, sorted by key. */
  reports(): readonly PodReport[];
  /** What the sources and the engine say. */
  conditions(): readonly SourceCondition[];
  /** Called after reports or conditions changed; the returned function ends it. */
  onChange(listener: () => void): () => void;
  /** What is being done and what waits for its time, line by line. */
  planText(): string;
  /** Tries at once what waits for its time: of all pods, or of one `namespace/name`; false when there is no such pod. */
  retry(key: string | null): boolean;
  /**
   * Ends all pods for the node's shutdown, the less important first, each group in its own time (rows 186 to 188). Resolves
   * when they have ended or their time is over; the loop goes on, and they stay ended until the agent starts again. Twice
   * is the same as once.
   */
  shutdown(periods: readonly ShutdownPeriod[]): Promise<void>;
  /** Counted since the agent was started (row 222). */
  figures(): PodFigures;
  /** False when the loop has stopped moving (row 219). */
  isMoving(): boolean;
  /** Ends the loop; what runs goes on. */
  stop(): Promise<void>;
}
