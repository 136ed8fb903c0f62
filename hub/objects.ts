/**
 * The shapes of the objects that the hub keeps and its API serves. An API object is `{apiVersion, kind, metadata,
 * spec, status}` of the stored one; only v1 Event is flattened (its `spec` here holds the event's own fields).
 * Node and Pod are v1 with `status.flotilla` added, which Kubernetes' clients pass over.
 */
import type { BundleManifest } from '../protocol/bundle-manifest.js';
import type {
  NodeSpec,
  NodeStatus,
  PodCondition,
  PodSpec,
  PodStatus,
} from 'kubernetes-types/core/v1.js';
import type { BundleStrategy, ImageEntry } from '../protocol/documents/bundle.js';
import type { BundleStatus, SealedOutput, StatusDocument } from '../protocol/documents/node.js';
import type { RolloutPlan } from './rollout/waves/plan.js';
import type { Phase, PhaseReason } from './rollout/waves/rollout-object.js';
import type { StoredObject } from './store/store.js';

export const API_VERSION = {
  Node: 'v1',
  Pod: 'v1',
  Event: 'v1',
  Bundle: 'flotilla.dev/v1',
  Token: 'flotilla.dev/v1',
  Secret: 'flotilla.dev/v1',
  SealedSecret: 'flotilla.dev/v1',
  SecretVersion: 'flotilla.dev/v1',
  SecretTrace: 'flotilla.dev/v1',
  Rollout: 'flotilla.dev/v1',
  Root: 'flotilla.dev/v1',
} as const;

/** The row that the hub names in its acknowledgements, until a status has shown its hash; row 0: none. */
export type HistoryAnchor = Pick<StatusDocument['history'], 'row' | 'head'>;

/** What a node's newest status said beyond the v1 fields. */
export interface NodeExtra {
  /** RFC 3339: when the hub recorded the newest status. */
  readonly reportedAt: string | null;
  readonly journal: string | null;
  /** Of the journal: what it has to show in its next status. */
  readonly history?: HistoryAnchor;
  /** Who stands for what is told below, and as of when. */
  readonly said?: NodeWord;
  /** Starts of the agent under its current journal. */
  readonly starts?: readonly NodeStart[];
  readonly epoch: number;
  readonly generation: number;
  readonly rootVersion: number;
  readonly clock: StatusDocument['clock'] | null;
  readonly development: boolean;
  readonly lastRefusal: StatusDocument['lastRefusal'];
  readonly bundles: readonly BundleStatus[];
  /** Seconds, as announced to its broker, which takes the node for gone after half as long again. */
  readonly keepAliveS?: number;
  /** What the node used, as of its newest status. */
  readonly usage?: StatusDocument['usage'];
  /** What it holds and has room for, as of its newest status; left out: it does not say. */
  readonly holds?: StatusDocument['holds'];
  /** Attempts that the node was given (`rollout retry`) and has not spoken of yet: what it says of these is of an earlier one. */
  readonly retried?: readonly BundleAttempt[];
  /** Of the newest status; what differs from the recorded pods is asked for. */
  readonly pods: StatusDocument['pods'];
  /** By the same keys: the pod documents that were recorded. */
  readonly recorded: Readonly<Record<string, RecordedPod>>;
}

export interface BundleAttempt {
  readonly namespace: string;
  readonly name: string;
  readonly digest: string;
  readonly attempt: number;
}

/** The document that a Node's status was made from, `Ready`, `Enrolled`, `CloneSuspected`, `AheadOfHub` and `JournalIntact` excepted: they are the hub's own. */
export interface NodeWord {
  /** RFC 3339: the node's time, as it told it. */
  readonly at: string;
  /** Milliseconds that the node adds to its own clock; null: nobody told it. */
  readonly clockOffset: number | null;
  readonly boot: number;
  readonly counter: number;
  /** Newest row of the journal's history and its hash: `flotilla-agent journal verify --head`. */
  readonly history: Pick<StatusDocument['history'], 'row' | 'head'>;
  /** Key id of the identity key that signed it. */
  readonly signedBy: string;
}

export interface NodeStart {
  readonly boot: number;
  /** The first connection that was heard of; 0: none yet. */
  readonly n: number;
  readonly session: string;
  /** The highest number of a connection that was heard of. */
  readonly lastN: number;
  /** Of the newest status of this start. */
  readonly counter: number;
  readonly digest: string;
}

export interface RecordedPod {
  readonly digest: string;
  /** Of the Pod object: the key's own, unless another node's pod had that name first. */
  readonly name: string;
  /** Order the documents of one pod. */
  readonly boot: number;
  readonly counter: number;
}

export type NodeObject = StoredObject<NodeSpec, NodeStatus & { flotilla: NodeExtra }>;

export interface PodExtra {
  readonly source: 'bundle' | 'file' | 'http';
  readonly bundle: {
    readonly namespace: string;
    readonly name: string;
    readonly revision: number;
  } | null;
  /** Digest of the pod document that this object was made from. */
  readonly digest: string;
  /** It is being ended at its node, and will be gone by then. Served as `metadata.deletionTimestamp`, RFC 3339, and its grace in seconds. */
  readonly deletion?: { readonly timestamp: string; readonly graceSeconds: number };
  /** While the node is silent: what the status said before the hub wrote `NodeLost` there. */
  readonly lastKnown?: Pick<PodStatus, 'phase' | 'reason' | 'message'> & {
    readonly conditions: readonly PodCondition[];
  };
}

/** A mirror pod: metadata.name ends in `-<node>`; `kubernetes.io/config.mirror` and its kin are set. */
export type PodObject = StoredObject<PodSpec, PodStatus & { flotilla: PodExtra }>;

export interface EventSpec {
  readonly involvedObject: {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly fieldPath: string;
  };
  readonly reason: string;
  readonly message: string;
  readonly type: 'Normal' | 'Warning';
  readonly source: { readonly component: string; readonly host: string };
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly count: number;
  /** The node's own number and journal: without a gap or a double. */
  readonly flotilla: {
    readonly node: string;
    readonly journal: string;
    readonly n: number;
    /** As the node sealed it: opened when it is read (hub/last-words). */
    readonly output?: SealedOutput;
  };
}

export type EventObject = StoredObject<EventSpec, null>;

export interface BundleSpec {
  /** Kubernetes selector grammar over node labels; empty selects every node. */
  readonly nodeSelector: string;
  /** As applied: strict v1 Pods and ConfigMaps without defaults, in the bundle's namespace, sorted by name and kind. */
  readonly manifests: readonly BundleManifest[];
  /** Images of the manifests that are bound to digests, sorted; left out: none, tags are trusted. */
  readonly images?: readonly ImageEntry[];
  /** Left out: the defaults (protocol/strategy.ts). */
  readonly strategy?: BundleStrategy;
  /** How its next revisions go through the fleet; left out: to all nodes at once. */
  readonly rollout?: RolloutPlan;
}

/** How the newest revision goes through the fleet. */
export interface BundleRollout {
  readonly phase: Phase;
  readonly reason: PhaseReason;
  /** Under way, counted from 1; 0: none has begun. */
  readonly wave: number;
  /** Of how many. */
  readonly waves: number;
  /** Of one that was aborted: connected nodes that still say something of it; left out: none. */
  readonly goingBack?: number;
}

export interface BundleObjectStatus {
  /** Newest revision and the digest of its document. */
  readonly revision: number;
  readonly digest: string;
  /** Counted over the nodes that the selector matches. */
  readonly nodes: {
    readonly desired: number;
    /** Say that this revision's manifests lie in their directory. */
    readonly updated: number;
    readonly healthy: number;
    readonly failed: number;
    /** Presence is offline. */
    readonly offline: number;
  };
  /** Nodes where it waits for a maintenance window; left out: none. */
  readonly waiting?: {
    readonly nodes: number;
    /** The first that opens, RFC 3339; null: none of them knows. */
    readonly opensAt: string | null;
  };
  /** Nodes where a person at the device holds what was there before; left out: none. */
  readonly held?: number;
  /** Nodes where it waits for a pod that asks not to be disturbed; left out: none. */
  readonly locked?: number;
  /** Nodes where it waits because they could not go back from it, which it requires; left out: none. */
  readonly notUndoReady?: number;
  /** Nodes where it waits for something else: an image, a Secret, a name that another bundle has; left out: none. */
  readonly obstructed?: number;
  /** Nodes where a person went back from it, which counts as no failure; left out: none. */
  readonly undone?: number;
  /** Nodes that cannot know how it is: a kubelet runs its pods and is not asked; left out: none. */
  readonly unknown?: number;
  /** Left out: the newest revision went to all nodes at once. */
  readonly rollout?: BundleRollout;
  /** `Withdrawn`, while the root in force lets no node begin with the newest revision. Left out: not looked at yet. */
  readonly conditions?: readonly BundleCondition[];
  /** Ids of the release keys in force whose signatures the newest revision bears, sorted. Left out as above. */
  readonly signedBy?: readonly string[];
}

export interface BundleCondition {
  readonly type: 'Withdrawn';
  readonly status: 'True';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

export type BundleObject = StoredObject<BundleSpec, BundleObjectStatus>;

export interface TokenSpec {
  /** SHA-256 of the secret: never served by the API. */
  readonly secretHash: string;
  /** That a node enrols with. */
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** Names that it lets in; `*` stands for any characters. Empty: every name. */
  readonly nodes: readonly string[];
  /** How many devices it lets in. */
  readonly uses: number;
  /** Each of them waits until a person approves it. */
  readonly approve: boolean;
}

export interface TokenUse {
  readonly node: string;
  readonly identityKey: string;
  /** RFC 3339. */
  readonly at: string;
}

export interface TokenStatus {
  /** Who used it, in order. */
  readonly usedBy: readonly TokenUse[];
}

export type TokenObject = StoredObject<TokenSpec, TokenStatus>;

/** Of a Secret the hub knows everything but the values. Its name is `<bundle>.<secret>`. */
export interface SecretSpec {
  readonly bundle: string;
  readonly secret: string;
  /** `Opaque`, `kubernetes.io/dockerconfigjson` … */
  readonly type: string;
  readonly version: number;
  readonly immutable: boolean;
  /** Names, sorted. */
  readonly keys: readonly string[];
  /**
   * HMAC of the values under a key that the operator's machine has and the hub has not: tells the same operator whether they
   * changed. Null: nobody can tell. Never served in lists.
   */
  readonly fingerprint: string | null;
}

/** Counted over the nodes that the bundle's selector matches. */
export interface SecretStatus {
  /** Have the newest version, sealed for the key that they have. */
  readonly sealed: number;
  readonly lacking: number;
  /** Names, sorted; the first hundred. */
  readonly lackingNodes: readonly string[];
}

export type SecretObject = StoredObject<SecretSpec, SecretStatus>;

/** What one node has of a Secret; named `<bundle>.<secret>.<node>`. The envelope is what the blob's topic holds. */
export interface SealedSecretSpec {
  readonly bundle: string;
  readonly secret: string;
  readonly node: string;
  readonly version: number;
  /** Key id of the sealing key. */
  readonly recipient: string;
  /** Of the secret document. */
  readonly digest: string;
  /** `joinedAt` of the device that it was sealed for: another one may have the name later. */
  readonly device: string;
  /** True: by the root in force somebody else has to sign it. Who has it goes on with it, nobody else takes it. */
  readonly isVoid?: boolean;
}

export type SealedSecretObject = StoredObject<SealedSecretSpec, null>;

/** From one version to another, both included. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

/**
 * What one device could open of a Secret besides what is sealed for it now: earlier versions, and those of a Secret that was deleted. Goes
 * when the device's signed status proves that it has them no more, or an operator says that the values are replaced. Named
 * `<bundle>.<secret>.<node>.<milliseconds since 1970 of device>`.
 */
export interface SecretTraceSpec {
  readonly bundle: string;
  readonly secret: string;
  readonly node: string;
  /** `joinedAt` of the device. */
  readonly device: string;
  /** Sorted, apart from each other. */
  readonly versions: readonly VersionRange[];
}

export type SecretTraceObject = StoredObject<SecretTraceSpec, null>;

/** Outlives the Secret: nodes refuse to go back. */
export type SecretVersionObject = StoredObject<{ readonly version: number }, null>;
