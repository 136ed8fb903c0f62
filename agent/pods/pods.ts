/**
 * The pod runner as the rest of the agent sees it: types only. `reconcile.ts` makes it.
 */
import type { PodSource } from './desired.js';
import type { PodSettings } from './pod-settings.js';
import type { ImagePulls } from '../images/pulls.js';
import type { EventSink, PodReport, SourceCondition } from '../ports.js';
import type { ContainerRuntime } from '../runtime/runtime.js';
import type { PodVolumes } from '../volumes/volumes.js';
import type { Clock, Log } from '../../protocol/ports.js';

export interface PodsOptions {
  readonly runtime: ContainerRuntime;
  /** Absent: with the pods' own pull secrets alone. */
  readonly images?: ImagePulls;
  readonly sources: readonly PodSource[];
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: {
    readonly name: string;
    /** The node's address; empty when it has none. */
    readonly hostIP: string;
  };
  /** Absent: the defaults. */
  readonly settings?: PodSettings;
  /** Absent: below `dataDir`. */
  readonly volumes?: PodVolumes;
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
  /** Ends the loop; what runs goes on. */
  stop(): Promise<void>;
}
