/**
 * Bundle: what may run. Signed by release keys.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type {
  Bytes,
  Counter,
  Digest,
  FleetId,
  Label,
  Subdomain,
  Timestamp,
  Version,
} from './values.js';

export interface BlobPart {
  digest: Digest;
  size: Bytes;
}

export interface ManifestEntry {
  /** A ConfigMap is seen by the pods of its bundle alone. */
  kind: 'Pod' | 'ConfigMap';
  name: Subdomain;
  /** Of the whole content, canonical JSON. */
  digest: Digest;
  size: Bytes;
  /**
   * Empty: the content is the blob named by `digest`. Else it is these blobs, one after the other.
   * @maxItems 64
   */
  parts: BlobPart[];
}

export interface ImageEntry {
  /**
   * As the manifests name it.
   * @maxLength 512
   */
  image: string;
  /**
   * Manifest digests (`sha256:…`) and image ids that satisfy it, the first to be pulled; empty: the tag is trusted.
   * @maxItems 64
   */
  digests: ImageDigest[];
}

/** @pattern ^[-._a-zA-Z0-9]{1,253}$ */
export type ParameterName = string;

/** @pattern ^sha256:[0-9a-f]{64}$ */
export type ImageDigest = string;

/** When a node may switch to a revision: from each time that matches the schedule, for so long. */
export interface MaintenanceWindow {
  /**
   * Cron expression of five fields, or `@daily` and its like.
   * @minLength 1
   * @maxLength 128
   */
  schedule: string;
  /**
   * `90m`, `4h`, `2d`: from a minute to 31 days.
   * @minLength 2
   * @maxLength 32
   */
  duration: string;
  /**
   * IANA name, such as `Europe/Berlin`.
   * @minLength 1
   * @maxLength 64
   */
  timeZone: string;
}

/** How a node judges the passage to this revision, by Kubernetes' names (Deployment, DaemonSet). */
export interface BundleStrategy {
  /**
   * Without progress for this long the revision has failed.
   * @asType integer
   * @minimum 1
   * @maximum 2147483647
   */
  progressDeadlineSeconds: number;
  /**
   * Every container must have been ready, or be completed, for this long. Less than `progressDeadlineSeconds`.
   * @asType integer
   * @minimum 0
   * @maximum 2147483647
   */
  minReadySeconds: number;
  /** `rollback`: back to the last revision that was healthy on the node. */
  onFailure: 'rollback' | 'keep';
  /**
   * A node switches to this revision while one of them is open; left out: at any time.
   * @minItems 1
   * @maxItems 16
   */
  maintenanceWindows?: MaintenanceWindow[];
  /**
   * What a node has to prove: `aloneReady`, before the revision is healthy there: that it could start it without network, clock and
   * hub; `undoReady`, before it switches to it: that it could go back. Left out: nothing.
   * @minItems 1
   * @maxItems 2
   */
  require?: Requirement[];
}

export type Requirement = 'aloneReady' | 'undoReady';

/** Revision N of a bundle: what may run. No expiry; withdrawn by the root's `floors` and `denied`. */
export interface BundleDocument {
  fleet: FleetId;
  namespace: Label;
  name: Label;
  /**
   * @asType integer
   * @minimum 1
   * @maximum 9007199254740991
   */
  revision: number;
  /** Once this revision is healthy on a node, nothing below this number is accepted there. At most `revision`. */
  rollbackFloor: Counter;
  /** Information only. */
  issued: Timestamp;
  requires: {
    /**
     * Node architectures (`amd64`, `arm64`, `arm`); empty: any.
     * @maxItems 8
     */
    arch: Label[];
    /**
     * Hardware names; empty: any.
     * @maxItems 16
     */
    hardware: Label[];
    minAgent: Version | null;
  };
  strategy: BundleStrategy;
  /** @maxItems 512 */
  manifests: ManifestEntry[];
  /** @maxItems 512 */
  images: ImageEntry[];
  /**
   * Names of the secrets that the node must have.
   * @maxItems 64
   */
  secrets: Subdomain[];
  /**
   * Names of the node's parameters that its pods see, sorted; left out: none.
   * @minItems 1
   * @maxItems 64
   */
  parameters?: ParameterName[];
}
