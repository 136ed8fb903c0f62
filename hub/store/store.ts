/**
 * The hub's store: one interface, whose calls return promises and are one transaction each. Objects
 * are what the API serves; records are what lies behind them. Every mutation names its actor.
 * Implementations (SQLite now) pass `test/contracts/store.contract.ts`; no decision is taken here.
 */

import type { AuditMutation, AuditRecord } from './audit-records.js';
import type { ExperienceMutation, ExperienceReads } from './experience-records.js';
import type { RecoveryMutation, RecoveryReads } from './recovery-records.js';
import type { RolloutMutation, RolloutReads } from './rollout-records.js';

export type ObjectKind =
  | 'Node'
  | 'Pod'
  | 'Event'
  | 'Bundle'
  | 'Token'
  | 'Secret'
  /** Not served: one for each Secret and node, and the highest version of each Secret that ever was. */
  | 'SealedSecret'
  | 'SecretVersion'
  /** Not served: what a device could open besides what is sealed for it now. */
  | 'SecretTrace'
  /** The way of a bundle's newest revision through the fleet; named like the bundle. */
  | 'Rollout';

export interface ObjectMeta {
  /** Empty for kinds without a namespace (Node, Token). */
  readonly namespace: string;
  readonly name: string;
  /** Random UUID, made by the store when the object is created, unless the draft brings one. */
  readonly uid: string;
  /** From 1; grows when `spec` changes. */
  readonly generation: number;
  /** Decimal; one global counter over all kinds that survives restarts and never goes back. */
  readonly resourceVersion: string;
  /** RFC 3339, seconds. */
  readonly creationTimestamp: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface StoredObject<Spec = unknown, Status = unknown> {
  readonly kind: ObjectKind;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status: Status;
}

/**
 * What a caller may set; the rest of the metadata is the store's. A put replaces labels,
 * annotations, spec and status whole. A `uid` other than the stored one replaces the object:
 * watchers see DELETED, then ADDED (mirror pods need that). `creationTimestamp` counts when the
 * object is created.
 */
export interface ObjectDraft<Spec = unknown, Status = unknown> {
  readonly kind: ObjectKind;
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid?: string;
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Spec;
  readonly status: Status;
}

/** Who does it: `user` = through the API, `node` = its own reports, `hub` = the controller. */
export interface Actor {
  readonly kind: 'user' | 'node' | 'hub';
  readonly name: string;
  /** Where the request came from, if from anywhere. */
  readonly address?: string;
}

// ------------------------------------------------------------------------------------------- records

/** One immutable signed revision of a bundle. */
export interface RevisionRecord {
  readonly namespace: string;
  readonly bundle: string;
  readonly revision: number;
  /** Of the bundle document. */
  readonly digest: string;
  readonly size: number;
  readonly envelope: Uint8Array;
  /** Who made it and when (RFC 3339). */
  readonly createdBy: string;
  readonly createdAt: string;
}

/** Bytes named by their SHA-256, uncompressed. The store does not hash them again. */
export interface BlobRecord {
  readonly digest: string;
  readonly content: Uint8Array;
}

/** The newest assignment of a node. */
export interface AssignmentRecord {
  readonly node: string;
  readonly epoch: number;
  readonly generation: number;
  readonly digest: string;
  readonly envelope: Uint8Array;
}

export interface RootRecord {
  readonly version: number;
  readonly digest: string;
  readonly envelope: Uint8Array;
}

/** What a node proved at enrolment, and how it stands with the fleet. */
export interface IdentityRecord {
  readonly node: string;
  /** Raw Ed25519, hex. */
  readonly identityKey: string;
  /** SubjectPublicKeyInfo, base64. */
  readonly tlsKey: string;
  /** Raw X25519, hex. */
  readonly sealingKey: string;
  /** PEM; empty before the first. */
  readonly certificate: string;
  /** `pending`: waits for a person. Whatever is not `active` gets, says and is assigned nothing. */
  readonly state: 'pending' | 'active' | 'revoked';
  /** RFC 3339: when this device came first. Tells devices apart that had one name. */
  readonly joinedAt: string;
  /** Id of the token that it came with. */
  readonly token: string;
  /** Of the enrolment: fixed, whatever the Node is labelled later. */
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339: two devices seem to use this identity; its assignment does not change. Null: no. */
  readonly suspectedAt: string | null;
}

/** How far a node's reports are recorded; one per node and journal. */
export interface ReporterRecord {
  readonly node: string;
  readonly journal: string;
  /** False for the journals that a newer one superseded. */
  readonly current: boolean;
  /** Of the newest status recorded, ordered by (boot, counter). */
  readonly boot: number;
  readonly counter: number;
  /** Of the newest presence, ordered by (boot, n). */
  readonly presenceBoot: number;
  readonly presenceN: number;
  readonly online: boolean;
  /** All events up to this number are recorded or known as lost. */
  readonly through: number;
}

/** What a retained topic of the broker shall hold; the newest per topic. */
export interface Publication {
  /** Grows with every change of any topic. */
  readonly number: number;
  readonly topic: string;
  /** Null: the topic shall be empty. */
  readonly payload: Uint8Array | null;
}

export type { AuditRecord, UseVerb } from './audit-records.js';

// ----------------------------------------------------------------------------------------- mutations

/**
 * `expect` is checked inside the transaction: `absent`, a resourceVersion, or `any` (created or
 * replaced). A put that changes nothing keeps the resourceVersion and is not seen by watchers; the
 * order of an object's keys is no difference. A delete of what is not there is NotFound, a `drop…`
 * of it does nothing.
 */
export type Mutation =
  | {
      readonly type: 'put';
      readonly object: ObjectDraft;
      readonly expect: 'absent' | 'any' | { readonly resourceVersion: string };
      /** What a person said, in words, for the audit log. */
      readonly wish?: string;
    }
  | {
      readonly type: 'delete';
      readonly kind: ObjectKind;
      readonly namespace: string;
      readonly name: string;
      readonly expect?: { readonly resourceVersion: string };
    }
  /**
   * If a revision with this number and digest is recorded, its envelope is replaced (the same content, signed by others) and nothing
   * else; Conflict if one with another digest is. Revisions outlive their bundle, so that one made anew under the same name goes on
   * counting (nodes refuse to go back).
   */
  | { readonly type: 'revision'; readonly record: RevisionRecord }
  /** Nothing happens if these bytes are recorded; Conflict if others are under this digest. */
  | { readonly type: 'blob'; readonly record: BlobRecord }
  | { readonly type: 'dropBlob'; readonly digest: string }
  /** Refused with Conflict unless (epoch, generation) grows. `wish`: what a person changed, in words, for the audit log. */
  | { readonly type: 'assignment'; readonly record: AssignmentRecord; readonly wish?: string }
  | { readonly type: 'dropAssignment'; readonly node: string }
  /** As a revision: Conflict for a second digest under one version. */
  | { readonly type: 'root'; readonly record: RootRecord }
  /**
   * `expect: 'absent'` refuses a name that is taken (AlreadyExists), a record what is not that one
   * any more (Conflict).
   */
  | {
      readonly type: 'identity';
      readonly record: IdentityRecord;
      readonly expect: 'absent' | 'any' | IdentityRecord;
    }
  | { readonly type: 'dropIdentity'; readonly node: string }
  | { readonly type: 'reporter'; readonly record: ReporterRecord }
  | { readonly type: 'dropReporters'; readonly node: string }
  /** Keeps the topic's number if it holds these bytes already. */
  | { readonly type: 'publish'; readonly topic: string; readonly payload: Uint8Array | null }
  /** Since when (RFC 3339) nothing needs what the topic holds; null: something does. */
  | { readonly type: 'unneeded'; readonly topic: string; readonly since: string | null }
  | AuditMutation
  | RecoveryMutation
  | RolloutMutation
  | ExperienceMutation;

/** What a commit changed: for `put` and `delete` the kind of object, else the type of the mutation. */
export type Touched =
  ObjectKind | Exclude<Mutation['type'], 'put' | 'delete' | AuditMutation['type']>;

export interface Committed {
  /** Of the store after the transaction. */
  readonly resourceVersion: string;
  /** The objects as written, in the order of the `put`s. */
  readonly objects: readonly StoredObject[];
}

/**
 * `Unavailable`: nothing of the commit was kept because the store is closed or what lies under it
 * failed (disk full, I/O error, connection lost); the same call may succeed later.
 */
export type StoreErrorCode =
  | 'Conflict'
  | 'AlreadyExists'
  | 'NotFound'
  | 'Expired'
  | 'NewerSchema'
  | 'Corrupt'
  | 'Locked'
  | 'Unavailable';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** For DELETED the object as it last was, with the resourceVersion of the deletion. */
  readonly object: StoredObject;
  /** The object before the change (null for ADDED): tells a watch whether it left a selector. */
  readonly previous: StoredObject | null;
}

export interface ListOptions {
  readonly namespace?: string;
}

export interface Store extends RecoveryReads, RolloutReads, ExperienceReads {
  /** Random, made at init and anew at restore: 32 hex digits. */
  id(): Promise<string>;

  get(kind: ObjectKind, namespace: string, name: string): Promise<StoredObject | null>;
  /** Ordered by namespace and name, with the store's resourceVersion at that moment. */
  list(
    kind: ObjectKind,
    options?: ListOptions,
  ): Promise<{ resourceVersion: string; items: readonly StoredObject[] }>;
  /**
   * All changes of a kind after `resourceVersion`, then live ones, in order, one transaction's
   * changes together, until the signal aborts or the store closes. The first `next()` throws
   * `Expired` when the history does not reach back that far, or `resourceVersion` is not one that
   * this store gave out (answer: 410); a later one does when the receiver has fallen behind it. The
   * history of a kind is its newest 10,000 changes since the store was opened, or fewer where those
   * take more than 16 MiB of text.
   */
  watch(kind: ObjectKind, resourceVersion: string, signal: AbortSignal): AsyncIterable<Change>;
  /**
   * The listener is called after commits that changed something, with what they touched; commits
   * made at once may come as one call. Returns the function that ends it.
   */
  onCommit(listener: (touched: ReadonlySet<Touched>) => void): () => void;

  /**
   * All or nothing, in the order given; resolves when it is on disk. The mutations must not be
   * altered before. Throws `Conflict`, `AlreadyExists`, `NotFound`, `Unavailable`.
   */
  commit(actor: Actor, mutations: readonly Mutation[]): Promise<Committed>;

  /** Ascending. */
  revisions(namespace: string, bundle: string): Promise<readonly RevisionRecord[]>;
  revision(namespace: string, bundle: string, revision: number): Promise<RevisionRecord | null>;
  revisionByDigest(digest: string): Promise<RevisionRecord | null>;
  blob(digest: string): Promise<BlobRecord | null>;
  assignment(node: string): Promise<AssignmentRecord | null>;
  /** By node. */
  assignments(): Promise<readonly AssignmentRecord[]>;
  /** The newest, or that version. */
  root(version?: number): Promise<RootRecord | null>;
  rootByDigest(digest: string): Promise<RootRecord | null>;
  identity(node: string): Promise<IdentityRecord | null>;
  /** Those with one of these public keys, whichever of their three it is; by node. */
  keyHolders(keys: readonly string[]): Promise<readonly IdentityRecord[]>;
  /** By node. */
  identities(): Promise<readonly IdentityRecord[]>;
  /** All journals of a node, by journal id. */
  reporters(node: string): Promise<readonly ReporterRecord[]>;
  /** Publications with a number above `after`, ascending, at most `limit`. */
  publications(after: number, limit: number): Promise<readonly Publication[]>;
  /** How many there are with a number above `after`. */
  countPublications(after: number): Promise<number>;
  publication(topic: string): Promise<Publication | null>;
  /** By topic, since when nothing needs it. */
  unneeded(): Promise<ReadonlyMap<string, string>>;
  /** Highest number given out. */
  lastPublication(): Promise<number>;
  /** Lines with a number above `after`, ascending, at most `limit`. */
  audit(after: number, limit: number): Promise<readonly AuditRecord[]>;
  /** Number of the newest line; 0: there is none. */
  lastAudit(): Promise<number>;

  /**
   * Deletes all but the `keep` events that changed last; watchers see it. Returns how many went.
   */
  pruneEvents(keep: number): Promise<number>;

  /** Finishes the commits under way. Every later call is `Unavailable`; closing twice is safe. */
  close(): Promise<void>;
}
