/**
 * What a node says of itself; signed by its identity key.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type { AssignedSecret } from './assignment.js';
import type {
  Bytes,
  Counter,
  Digest,
  FleetId,
  Label,
  PublicKeyHex,
  RandomId,
  Timestamp,
} from './values.js';

/** (journal, boot, counter) order all that a node says: a new journal supersedes, a former one is ignored. */
export interface NodeStamp {
  fleet: FleetId;
  node: Label;
  /** Made with the journal file, and anew when an older file was put back. */
  journal: RandomId;
  /** Counts agent starts. */
  boot: Counter;
}

export interface PresenceDocument extends NodeStamp {
  /** Orders the connections of this boot; no two have the same. */
  n: Counter;
  session: RandomId;
  online: boolean;
}

export interface RequestDocument extends NodeStamp {
  counter: Counter;
  nonce: RandomId;
  /**
   * `blobs`: publish these again; `root`: publish this version; `assignment`: a fresh one that carries the nonce; `time`:
   * the hub's time with the nonce.
   */
  want: 'blobs' | 'root' | 'assignment' | 'time';
  /** @maxItems 256 */
  digests: Digest[];
  rootVersion: Counter;
}

/** One piece of what a command asked for. Its bytes: an envelope, a blob, a standing as canonical JSON. */
export interface ReplyDocument extends NodeStamp {
  counter: Counter;
  request: RandomId;
  /** Of the piece, from 0. */
  n: Counter;
  last: boolean;
  /** False: the node does not have it; `data` is empty then. */
  found: boolean;
  /**
   * Base64, at most 54 KiB of bytes.
   * @maxLength 73728
   */
  data: string;
}

/**
 * First word of a node on a stream that a command asked for: its key, or why not. Binds the stream to that command; what
 * follows is sealed.
 */
export interface OpeningDocument extends NodeStamp {
  counter: Counter;
  request: RandomId;
  /** SHA-256 of the command's payload. */
  command: Digest;
  /** X25519, made for this stream alone; null when it is refused. */
  key: PublicKeyHex | null;
  refusal: null | {
    code:
      'BadRequest' | 'Forbidden' | 'NotFound' | 'TooManyStreams' | 'InternalError' | 'NotSupported';
    /**
     * A sentence: what, and which setting of the node speaks against it.
     * @maxLength 1024
     */
    message: string;
  };
}

/** A bundle's revision, wherever it may be kept. */
export interface KnownRevision {
  namespace: Label;
  name: Label;
  revision: Counter;
  digest: Digest;
}

/** How far a node is: what a hub that was restored must not fall short of. */
export interface StandingDocument {
  /** Of the root in force. */
  epoch: Counter;
  rootVersion: Counter;
  /** Of the accepted assignment in that epoch; 0 before the first. */
  generation: Counter;
  /**
   * Envelope of the accepted assignment.
   * @maxLength 163840
   */
  assignment: string | null;
  /**
   * The highest revision of each bundle that was ever verified here.
   * @maxItems 1024
   */
  revisions: KnownRevision[];
  /**
   * The highest version of each sealed Secret that was ever kept here, of those too that no assignment lists any more.
   * @maxItems 1024
   */
  secrets: AssignedSecret[];
  /** X25519: what is sealed for this node now. Null where it opens none. */
  sealingKey: PublicKeyHex | null;
}

export interface Condition {
  /** @maxLength 64 */
  type: string;
  status: 'True' | 'False' | 'Unknown';
  /** @maxLength 128 */
  reason: string;
  /** @maxLength 1024 */
  message: string;
  lastTransitionTime: Timestamp;
}

/** State of one bundle's activation on the node. Names are API: never renamed. */
export type BundleState =
  | 'staged'
  | 'waiting'
  | 'activating'
  | 'progressing'
  | 'healthy'
  | 'failed'
  | 'rolledBack'
  | 'removing';

export interface BundleStatus {
  namespace: Label;
  name: Label;
  revision: Counter;
  digest: Digest;
  /**
   * Of the revision whose manifests lie in the static pod directory, which may be a former one; null: none does.
   */
  active: Digest | null;
  /** The wanted digest, once this node gave it up at this attempt: not tried again unless `attempt` rises; else null. */
  failed: Digest | null;
  attempt: Counter;
  state: BundleState;
  /** @maxLength 128 */
  reason: string;
  /** @maxLength 1024 */
  message: string;
  since: Timestamp;
  /** Of one that waits for a maintenance window, where the node knows when one opens. */
  opensAt?: Timestamp;
  /** Seconds from the newest switch here that began containers anew until all of its pods were ready, once one was measured. */
  restartS?: Counter;
}

/** An image on the node's engine. */
export interface HeldImage {
  /**
   * `sha256:…`, as the engine has it.
   * @maxLength 128
   */
  id: string;
  /**
   * `web:1`, `web@sha256:…`.
   * @maxItems 8
   */
  names: HeldName[];
  /** Unpacked. */
  size: Bytes;
}

/** @maxLength 256 */
export type HeldName = string;

/** What the node has room for and holds. Changes make no status: it goes with the next one. */
export interface HoldingsReport {
  /** Bytes, whole MiB, free where the agent keeps content; left out: not known. */
  dataFree?: Bytes;
  /** As above, where the engine keeps images. */
  imagesFree?: Bytes;
  /**
   * The newest images; left out: the engine does not answer, or somebody else runs the pods.
   * @maxItems 32
   */
  images?: HeldImage[];
  /** There are more images than are listed. */
  isCut: boolean;
}

export interface PodSummary {
  /** Of the pod document's `pod`: what differs at the hub is asked for. */
  digest: Digest;
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  ready: boolean;
}

/** What the node used: today, this month (both of UTC) and since then. */
export interface UsageReport {
  since: Timestamp;
  /** By name (usage.ts), in KiB that were begun: of the day of `at`, of its month, in all. What is zero is left out. */
  kib: Record<string, Counter[]>;
  /** Bytes of the link a month. */
  linkBudget?: Bytes;
  /** Bytes written a day. */
  writeBudget?: Bytes;
}

/** The node as a whole; retained, complete each time. What `pods` does not list is gone. */
export interface StatusDocument extends NodeStamp {
  counter: Counter;
  at: Timestamp;
  epoch: Counter;
  /** Of the accepted assignment; 0 before the first. */
  generation: Counter;
  rootVersion: Counter;
  /**
   * `synced`: the hub told the time, or the kernel's clock is disciplined; `floor`: nothing but the time floor is proven;
   * `suspect`: the clock is past the end of the root in force and nothing proves it.
   */
  clock: 'synced' | 'floor' | 'suspect';
  /**
   * Milliseconds to add to the node's own clock; times in its documents have it added already. Null: nobody told.
   */
  clockOffset: number | null;
  /** Of the root in force: the hub holds every key. */
  development: boolean;
  lastRefusal: null | {
    /** @maxLength 64 */
    code: string;
    /** Of the refused bytes. */
    digest: Digest;
    /**
     * Below the fleet's prefix.
     * @maxLength 256
     */
    topic: string;
    /**
     * A sentence of the agent's own: what was wrong. Nothing of what was refused but numbers and digests.
     * @maxLength 512
     */
    detail: string;
    at: Timestamp;
  };
  /** Of the journal: its newest row (0: none yet), the oldest that is kept, and the hash of the row that the hub's last acknowledgement named. */
  history: {
    row: Counter;
    head: Digest | null;
    oldest: Counter;
    known: null | { row: Counter; hash: Digest | null };
  };
  /** Envelope kinds this agent reads, with their versions. */
  reads: Record<string, number[]>;
  /** @maxItems 32 */
  conditions: Condition[];
  info: {
    agentVersion: string;
    architecture: string;
    operatingSystem: string;
    osImage: string;
    kernelVersion: string;
    /** `docker://28.2.2`; empty while the engine does not answer. */
    containerRuntimeVersion: string;
    bootID: string;
    machineID: string;
    /** @maxItems 16 */
    addresses: { type: 'InternalIP' | 'Hostname'; address: string }[];
  };
  /** Kubernetes quantities by resource name. */
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
  /** Announced to the broker, which takes the node for gone after half as long again. */
  keepAliveS?: Counter;
  /** Changes make no status: it goes with the next one. */
  usage?: UsageReport;
  holds?: HoldingsReport;
  /** @maxItems 128 */
  bundles: BundleStatus[];
  /** By `namespace/name`, the name as the kubelet gives it (with the node's suffix). */
  pods: Record<string, PodSummary>;
}

/** One whole v1 Pod as the node sees it. */
export interface PodDocument extends NodeStamp {
  counter: Counter;
  source: 'bundle' | 'file' | 'http';
  bundle: null | { namespace: Label; name: Label; revision: Counter };
  /** v1 Pod: metadata and status; spec too, for one that no bundle brought, with env values redacted. */
  pod: Record<string, unknown>;
}

export interface EventRecord {
  n: Counter;
  at: Timestamp;
  type: 'Normal' | 'Warning';
  /** @maxLength 128 */
  reason: string;
  /**
   * Never container output.
   * @maxLength 1024
   */
  message: string;
  involved: {
    kind: 'Pod' | 'Node' | 'Bundle';
    /** @maxLength 63 */
    namespace: string;
    /** @maxLength 320 */
    name: string;
    /** @maxLength 64 */
    uid: string;
    /**
     * `spec.containers{web}`, or empty.
     * @maxLength 512
     */
    fieldPath: string;
  };
  /** Of a revision that was given up: the last words of the container that ended badly (protocol/last-words.ts). */
  output?: SealedOutput;
}

/** Container output: an age file that the hub alone opens. */
export interface SealedOutput {
  /** Id of the hub's sealing key. */
  recipient: Digest;
  /**
   * Base64.
   * @maxLength 12288
   */
  sealed: string;
}

/** Numbered events; `oldest` is the lowest number still in the outbox: what lies before it is lost or safe. */
export interface EventDocument extends NodeStamp {
  counter: Counter;
  oldest: Counter;
  /**
   * @minItems 1
   * @maxItems 128
   */
  events: EventRecord[];
}
