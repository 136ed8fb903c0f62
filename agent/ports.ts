/**
 * The small ports between the agent's rooms: types only. Adapters implement them, loops and decisions receive them as
 * arguments.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { SealedOutput } from '../protocol/documents/node.js';

export interface NewEvent {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, the kubelet's word where it has one: Started, BackOff, FailedMount … */
  readonly reason: string;
  /** A sentence; never container output. */
  readonly message: string;
  readonly involved: {
    readonly kind: 'Pod' | 'Node' | 'Bundle';
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly fieldPath: string;
  };
  /** Container output, sealed to the hub. */
  readonly output?: SealedOutput;
}

/** Where events go: the journal's outbox. A call returns after the event is durable. */
export interface EventSink {
  record(event: NewEvent): void;
}

/** A bundle as owned files name it in the annotation `flotilla.dev/bundle`. */
export interface BundleName {
  readonly namespace: string;
  readonly name: string;
}

/** A container that is being stopped, its preStop hook included. */
export interface StoppingContainer {
  readonly container: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly graceSeconds: number;
}

/** One pod as the agent sees it now: what `flotilla-agent pods` shows and what travels to the hub. */
export interface PodReport {
  /** `namespace/name`, the name with the node's suffix. */
  readonly key: string;
  readonly source: 'bundle' | 'file' | 'http';
  readonly bundle: BundleName | null;
  /** Annotation `flotilla.dev/manifest` of an owned file: the manifest's digest. */
  readonly manifestDigest: string | null;
  /** True while a container of what the manifest was before still runs: what the status says is about that one. */
  readonly outdated?: boolean;
  /**
   * What may not take its place, when the status says that something may not: digest of the manifest, or of the file's bytes
   * where these are refused; null: what nobody could read, or no bundle's.
   */
  readonly rejected?: string | null;
  /** Its containers that are being stopped; left out: none. */
  readonly stopping?: readonly StoppingContainer[];
  /**
   * By container: the end of the log of one that failed and left no termination message. Container output, which stays on the
   * node; left out: none.
   */
  readonly lastLines?: ReadonlyMap<string, string>;
  /** Defaulted v1 Pod with `status`, as the kubelet's `/pods` gives it. */
  readonly pod: Pod;
}

/** What a source (the directory, a URL) says at one moment. */
export interface SourceCondition {
  /** `StaticPodPath`, `ManifestRefused` … */
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}
