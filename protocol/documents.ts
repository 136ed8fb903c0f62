/**
 * Every document on the wire: its fields, units and limits. These interfaces are the schemas: the build turns each
 * exported `…Document` into a validator (unknown fields are refused), so the JSDoc tags below are rules.
 *
 * Who signs what: root keys sign `RootDocument`; release keys sign `BundleDocument`; the hub's key signs assignment,
 * hub, mark, answer, ack and joined; the node's identity key signs presence, request, status, pod, event and join.
 */

/** @pattern ^[0-9a-f]{32}$ */
export type FleetId = string;
/**
 * SHA-256, lower-case hex.
 * @pattern ^[0-9a-f]{64}$
 */
export type Digest = string;
/**
 * RFC 1123 label.
 * @pattern ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$
 */
export type Label = string;
/**
 * RFC 1123 subdomain.
 * @pattern ^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$
 * @maxLength 253
 */
export type Subdomain = string;
/**
 * RFC 3339, UTC, with milliseconds.
 * @pattern ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$
 */
export type Timestamp = string;
/**
 * A counter that only grows.
 * @asType integer
 * @minimum 0
 * @maximum 9007199254740991
 */
export type Counter = number;
/**
 * @asType integer
 * @minimum 0
 * @maximum 9007199254740991
 */
export type Bytes = number;
/**
 * 16 random bytes, lower-case hex: journals, sessions, nonces, stores.
 * @pattern ^[0-9a-f]{32}$
 */
export type RandomId = string;

/** DSSE 1.0.2. `payload` and `sig` are standard base64 that re-encodes to itself. */
export interface Envelope {
  /** @maxLength 163840 */
  payload: string;
  /** @maxLength 128 */
  payloadType: string;
  /**
   * @minItems 1
   * @maxItems 16
   */
  signatures: EnvelopeSignature[];
}

export interface EnvelopeSignature {
  /** Only a hint: SHA-256 of the raw public key. */
  keyid: Digest;
  /** @maxLength 128 */
  sig: string;
}

// ---------------------------------------------------------------------------------------------- root

export interface RoleKeys {
  /**
   * Signatures by different keys that are needed.
   * @asType integer
   * @minimum 1
   * @maximum 16
   */
  threshold: number;
  /**
   * @minItems 1
   * @maxItems 16
   */
  keys: Digest[];
}

export interface ReleaseRole extends RoleKeys {
  /**
   * The bundles these keys may sign: `namespace/name`, `*` for a whole part.
   * @minItems 1
   * @maxItems 64
   */
  bundles: BundlePattern[];
  /**
   * What the pods of these bundles may ask of a node. Each holds for what a threshold of its keys signed; a bundle has to
   * keep to one of them.
   * @minItems 1
   * @maxItems 16
   */
  scopes: ReleaseScope[];
}

/** The most that a node grants: its own configuration may grant less, never more. */
export interface ReleaseScope extends RoleKeys {
  /** Level of the Pod Security Standards. */
  podSecurity: 'privileged' | 'baseline' | 'restricted';
  /** Host ports from this number up are allowed at `baseline` and `restricted`; null: none. */
  minHostPort: PortNumber | null;
  /**
   * Host paths that are allowed at `baseline` and `restricted`, with all that lies below them.
   * @maxItems 64
   */
  hostPaths: AbsolutePath[];
}

/**
 * @asType integer
 * @minimum 1
 * @maximum 65535
 */
export type PortNumber = number;

/**
 * Without `.` and `..`, no slash at the end.
 * @pattern ^(/|(/(?!\.{1,2}(/|$))[^/\u0000]+)+)$
 * @maxLength 512
 */
export type AbsolutePath = string;

/** @pattern ^(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)/(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$ */
export type BundlePattern = string;

/** Who is who. A chain: version N+1 is signed by a threshold of N's and of its own root keys (TUF 5.3). */
export interface RootDocument {
  fleet: FleetId;
  /**
   * @asType integer
   * @minimum 1
   * @maximum 9007199254740991
   */
  version: number;
  issued: Timestamp;
  expires: Timestamp;
  /** Raising it drops counters and time floors of the former epoch. */
  epoch: Counter;
  /** Key id (SHA-256 of the raw key, recomputed by the reader) to raw Ed25519 public key, hex. */
  keys: Record<string, PublicKeyHex>;
  roles: {
    root: RoleKeys;
    /**
     * @minItems 1
     * @maxItems 16
     */
    release: ReleaseRole[];
    hub: RoleKeys;
    /** Null: the hub's key signs sealed secrets. */
    secrets: RoleKeys | null;
  };
  /** `namespace/name` to the lowest revision that may ever run again. */
  floors: Record<string, Counter>;
  /**
   * Bundle digests that must not run.
   * @maxItems 1024
   */
  denied: Digest[];
  /**
   * SHA-256 of the SubjectPublicKeyInfo of the certificate authorities that the hub's servers chain to.
   * @minItems 1
   * @maxItems 8
   */
  tls: Digest[];
  /** True where the hub holds every key: said in each node's status. */
  development: boolean;
  /** Lowest agent version, or null. */
  minAgent: Version | null;
  limits: {
    /**
     * Pods in one bundle.
     * @asType integer
     * @minimum 1
     * @maximum 1000
     */
    podsPerBundle: number;
  };
}

/**
 * Raw Ed25519 or X25519 public key, hex.
 * @pattern ^[0-9a-f]{64}$
 */
export type PublicKeyHex = string;

/** @pattern ^\d{1,5}\.\d{1,5}\.\d{1,5}$ */
export type Version = string;

// -------------------------------------------------------------------------------------------- bundle

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
   * Manifest digests (`sha256:…`) and image ids that satisfy it; empty: the tag is trusted.
   * @maxItems 16
   */
  digests: ImageDigest[];
}

/** @pattern ^sha256:[0-9a-f]{64}$ */
export type ImageDigest = string;

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
  /** @maxItems 512 */
  manifests: ManifestEntry[];
  /** @maxItems 512 */
  images: ImageEntry[];
  /**
   * Names of the secrets that the node must have.
   * @maxItems 64
   */
  secrets: Subdomain[];
}

// ---------------------------------------------------------------------------------------- assignment

export interface AssignedBundle {
  namespace: Label;
  name: Label;
  revision: Counter;
  /** Of the bundle document's bytes. */
  digest: Digest;
  /** Of the bundle document, in bytes. */
  size: Bytes;
  /** Raising it has a node try a digest again that it gave up. */
  attempt: Counter;
}

export interface AssignedSecret {
  namespace: Label;
  bundle: Label;
  name: Subdomain;
  version: Counter;
  digest: Digest;
}

/** The complete list of what one node is to run: what is not listed goes. */
export interface AssignmentDocument {
  fleet: FleetId;
  node: Label;
  /** Key id of the node's enrolled identity key: the former device of the same name is somebody else. */
  nodeKey: Digest;
  epoch: Counter;
  generation: Counter;
  /** The node must have at least this root. */
  rootVersion: Counter;
  issued: Timestamp;
  notAfter: Timestamp;
  /** The node's, where it asked for a fresh one. */
  nonce: RandomId | null;
  /** @maxItems 128 */
  bundles: AssignedBundle[];
  /** @maxItems 512 */
  secrets: AssignedSecret[];
  /** Values of this one node, at most 8 KiB together. */
  parameters: Record<string, string>;
}

// ------------------------------------------------------------------------------------ from the hub

/** Presence of the hub: retained, and its will. A hint; nothing is decided on it alone. */
export interface HubDocument {
  fleet: FleetId;
  epoch: Counter;
  /** New with each connection: a node that sees a new one sends again what is not acknowledged. */
  session: RandomId;
  online: boolean;
  /** X25519: container output is sealed to it. */
  sealingKey: PublicKeyHex;
}

/** The last publication that the broker has for certain. */
export interface MarkDocument {
  fleet: FleetId;
  /** New at init and at restore. */
  store: RandomId;
  number: Counter;
}

/** Answer to a request for blobs: published again, or absent at the hub. */
export interface AnswerDocument {
  fleet: FleetId;
  node: Label;
  nonce: RandomId;
  /** @maxItems 256 */
  published: Digest[];
  /** @maxItems 256 */
  absent: Digest[];
}

/** What of a node's reports lies safe in the hub's store. */
export interface AckDocument {
  fleet: FleetId;
  node: Label;
  journal: RandomId;
  /** Every event up to this number. */
  through: Counter;
  /** The newest status, by (boot, counter). */
  boot: Counter;
  counter: Counter;
  /** `namespace/name` to the digest of the pod document. */
  pods: Record<string, Digest>;
}

// ----------------------------------------------------------------------------------- from the node

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
  /** Counts connections of this boot. */
  n: Counter;
  session: RandomId;
  online: boolean;
}

export interface RequestDocument extends NodeStamp {
  counter: Counter;
  nonce: RandomId;
  /** `blobs`: publish these again; `root`: publish this version; `assignment`: a fresh one that carries the nonce. */
  want: 'blobs' | 'root' | 'assignment';
  /** @maxItems 256 */
  digests: Digest[];
  rootVersion: Counter;
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
  attempt: Counter;
  state: BundleState;
  /** @maxLength 128 */
  reason: string;
  /** @maxLength 1024 */
  message: string;
  since: Timestamp;
}

export interface PodSummary {
  /** Of the pod document's `pod`: what differs at the hub is asked for. */
  digest: Digest;
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  ready: boolean;
}

/** The node as a whole; retained, complete each time. What `pods` does not list is gone. */
export interface StatusDocument extends NodeStamp {
  counter: Counter;
  at: Timestamp;
  epoch: Counter;
  /** Of the accepted assignment; 0 before the first. */
  generation: Counter;
  rootVersion: Counter;
  clock: 'synced' | 'floor' | 'suspect';
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
    at: Timestamp;
  };
  /** Hash of the newest row of the journal's history. */
  journalHead: Digest | null;
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

// ---------------------------------------------------------------------------------------- enrolment

/** POSTed once, signed by the identity key that it names: that signature is the proof of possession. */
export interface JoinDocument {
  fleet: FleetId;
  node: Label;
  /**
   * `<id>.<secret>`.
   * @maxLength 128
   */
  token: string;
  /** The hub's, asked for just before. */
  nonce: RandomId;
  /** The node's: comes back in the answer and in its first assignment. */
  nodeNonce: RandomId;
  /** Ed25519. */
  identityKey: PublicKeyHex;
  /**
   * SubjectPublicKeyInfo (P-256), base64.
   * @maxLength 512
   */
  tlsKey: string;
  /** X25519. */
  sealingKey: PublicKeyHex;
}

/** The hub's answer; `nonce` is the node's, so the first assignment is fresh even with a dead clock. */
export interface JoinedDocument {
  fleet: FleetId;
  node: Label;
  nodeKey: Digest;
  nonce: RandomId;
  /**
   * PEM: the client certificate.
   * @maxLength 8192
   */
  certificate: string;
  /**
   * PEM: the authorities, whose keys the root pins.
   * @maxLength 32768
   */
  authorities: string;
  /**
   * `mqtts://host:port`, in order of preference.
   * @minItems 1
   * @maxItems 8
   */
  brokers: string[];
  labels: Record<string, string>;
  /**
   * The envelope of the first assignment, as text.
   * @maxLength 131072
   */
  assignment: string;
}
