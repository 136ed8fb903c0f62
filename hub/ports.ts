/** The small ports between the hub's rooms: types only. `main` builds the real ones and hands them in. */
import type { BudgetName } from '../protocol/budget.js';
import type { CarriedMessage } from '../protocol/carried.js';
import type { ImageEntry } from '../protocol/documents/bundle.js';
import type { RootDocument } from '../protocol/documents/root.js';
import type { BundleObject, BundleSpec, SecretSpec, TokenObject, VersionRange } from './objects.js';
import type { RootStatus } from './root/root-status.js';
import type { TlsChange } from './root/tls-change.js';
import type { BundleFile } from './signing/bundle-file.js';
import type { Actor } from './store/store.js';

/** A request that is refused: becomes a Kubernetes Status (`reason`, `code`) at the API. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly reason: RequestReason;
  /** Field errors, if the body is at fault. */
  readonly causes: readonly { readonly field: string; readonly message: string }[];
  constructor(
    reason: RequestReason,
    message: string,
    causes: readonly { field: string; message: string }[] = [],
  ) {
    super(message);
    this.reason = reason;
    this.causes = causes;
  }
}

/** Kubernetes' words (metav1.StatusReason) that the hub uses, with their HTTP codes. */
export const REQUEST_REASONS = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;
export type RequestReason = keyof typeof REQUEST_REASONS;

export interface ApplyRequest {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Manifests are validated here; a Pod without a namespace takes the bundle's. */
  readonly spec: BundleSpec;
  /** A revision that was signed elsewhere; its manifests are `spec.manifests`. Absent: to be signed here. */
  readonly signed?: BundleFile;
  readonly expect: 'absent' | 'any' | { readonly resourceVersion: string };
  /** Everything is checked, nothing is written. */
  readonly dryRun: boolean;
}

export interface BundleWriter {
  /**
   * Makes a new revision only when the manifests changed; one transaction. Throws `RequestError` (Invalid with the
   * field paths, Conflict, AlreadyExists, Forbidden for what no key here or no signature allows). Applying the same twice
   * changes nothing.
   */
  apply(
    actor: Actor,
    request: ApplyRequest,
  ): Promise<{ object: BundleObject; outcome: 'created' | 'configured' | 'unchanged' }>;
  /** The bundle's pods leave the nodes. Throws NotFound. */
  remove(
    actor: Actor,
    bundle: { readonly namespace: string; readonly name: string; readonly dryRun: boolean },
  ): Promise<BundleObject>;
}

/**
 * Nodes that gave the newest revision up try it again; only these if any are named. Their names. Throws NotFound, for a node that is
 * not there too.
 */
export type BundleRetry = (
  actor: Actor,
  bundle: { readonly namespace: string; readonly name: string; readonly nodes: readonly string[] },
) => Promise<readonly string[]>;

export interface Activated {
  /** Who was told, sorted; a node is told once of the switch, and once of the way back. */
  readonly nodes: readonly string[];
  /** Where a person keeps what runs, as far as the node said: told or not, nothing changes there until it is released. */
  readonly held: readonly { readonly node: string; readonly message: string }[];
}

/**
 * Nodes that the newest revision is assigned to and where it does not run yet take it up without waiting for a maintenance window; only
 * these if any are named. Throws NotFound, for a node that is not there too.
 */
export type BundleActivate = (
  actor: Actor,
  bundle: {
    readonly namespace: string;
    readonly name: string;
    readonly nodes: readonly string[];
    /** Told on the nodes; may be empty. */
    readonly reason: string;
  },
) => Promise<Activated>;

/** As people write it (`20Mi`); null: none any more; left out: as it is. */
export type BudgetWish = Readonly<Partial<Record<BudgetName, string | null>>>;

/** What is in force at the hub then. Throws BadRequest, NotFound, Conflict. */
export type SetNodeBudget = (
  actor: Actor,
  of: { readonly node: string; readonly wish: BudgetWish },
) => Promise<Readonly<Partial<Record<BudgetName, string>>>>;

export interface NodeWriter {
  /** Forgets the node, its identity, assignment, pods. It has to join anew. Throws NotFound. */
  remove(actor: Actor, node: { readonly name: string; readonly dryRun: boolean }): Promise<void>;
}

export interface TokenRequest {
  readonly labels: Readonly<Record<string, string>>;
  readonly ttlS: number;
  /** Names and patterns of nodes; absent: every name. */
  readonly nodes?: readonly string[];
  /** Absent: one. */
  readonly uses?: number;
  /** Absent: nobody is asked. */
  readonly approve?: boolean;
}

/** What a node that is shut out could read: to be replaced. */
export interface Readable {
  readonly bundles: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly revision: number;
  }[];
  readonly secrets: readonly ReadableSecret[];
  /** The broker could not be told to end its connection: what it says is ignored, what is for all it may still read. */
  readonly sessionLives?: true;
}

/** What goes to nodes in a file. */
export interface Carried {
  readonly fleet: string;
  readonly nodes: readonly string[];
  /** In the order in which a node reads them. */
  readonly messages: readonly CarriedMessage[];
  /** That the bundles bind. */
  readonly images: readonly ImageEntry[];
}

/** The way to and from nodes that no network reaches: a file that a person carries. */
export interface Carrier {
  /** Null: for all members. Throws `RequestError` (NotFound, RequestEntityTooLarge). */
  export(nodes: readonly string[] | null): Promise<Carried>;
  /**
   * What a node answered, as if the broker had kept it; resolves when it is recorded. Taking it twice changes nothing. Gives the
   * nodes that it is of. Throws Invalid for a file of another fleet.
   */
  receive(receipt: {
    readonly fleet: string;
    readonly messages: readonly CarriedMessage[];
  }): Promise<readonly string[]>;
}

/** A person's word on who belongs to the fleet. */
export interface Standing {
  /**
   * Lets a node in that waits, and ends the suspicion that it was cloned. `key`: the key id that the person compared;
   * another one is refused. Doing it again changes nothing. Throws NotFound, Conflict.
   */
  approve(
    actor: Actor,
    node: { readonly name: string; readonly key: string | null },
  ): Promise<void>;
  /** Cuts its session, refuses its renewal, ignores what it says. Doing it again changes nothing. Throws NotFound. */
  revoke(actor: Actor, node: { readonly name: string }): Promise<Readable>;
}

/** The root in force, and what the hub says of it. */
export interface RootObject {
  readonly spec: RootDocument;
  readonly status: RootStatus;
}

export interface RootWriter {
  current(): Promise<RootObject>;
  /**
   * The next root becomes the one in force, for the hub and by it for the nodes. Throws `RequestError`: Invalid when a node
   * would refuse it, Conflict when this hub could not go on under it. The same again changes nothing.
   */
  publish(
    actor: Actor,
    envelope: Uint8Array,
    options: { readonly dryRun: boolean },
  ): Promise<RootObject>;
  /** Throws `RequestError`. */
  rotate(actor: Actor, request: RotationRequest): Promise<Rotation>;
}

/** `tls` is no role: the authority of the hub's certificates, which the root pins. */
export type RotatedRole = 'root' | 'release' | 'hub' | 'tls';

export interface RotationRequest {
  readonly role: RotatedRole;
  /** Only makes the new key, for a root that is made elsewhere to name. */
  readonly prepare: boolean;
  /** Of `tls`: the former authority goes. */
  readonly finish?: boolean;
  /** And does so though nodes do not know the next one yet. */
  readonly force?: boolean;
}

export interface Rotation {
  readonly key: { readonly id: string; readonly publicKey: string } | null;
  /** Versions that were published, in order. */
  readonly roots: readonly number[];
  /** Of private keys that were removed: nothing trusts them any more. */
  readonly dropped: readonly string[];
  /** Of `tls`: how far it has come; null: it is done. */
  readonly tls: TlsChange | null;
}

/** What one seals for: the members that the selector matches, their keys, and what they have. */
export interface Sealing {
  readonly fleet: string;
  /** Key ids of the role that signs secrets; null: the hub signs. */
  readonly secretKeys: readonly string[] | null;
  readonly secrets: readonly SecretSpec[];
  /** By name: the highest version that ever was, of deleted ones too. */
  readonly versions: Readonly<Record<string, number>>;
  /** Of names that are not among them: 0, but where nodes may know one that a restored hub does not. */
  readonly versionsAbove: number;
  readonly nodes: readonly {
    readonly node: string;
    /** Raw Ed25519, hex. */
    readonly identityKey: string;
    /** Raw X25519, hex. */
    readonly sealingKey: string;
    /** By name: the version that the node can read. */
    readonly has: Readonly<Record<string, number>>;
  }[];
}

/** For the hub to sign, or signed by the operator. */
export type SealedItem =
  | { readonly node: string; readonly recipient: string; readonly sealed: string }
  | { readonly envelope: string };

export interface SealRequest {
  readonly namespace: string;
  readonly bundle: string;
  readonly secret: string;
  /** The newest, for nodes that lack it; or the next, which replaces it. */
  readonly version: number;
  /** What follows counts for a new version alone. */
  readonly type: string;
  readonly immutable: boolean;
  readonly keys: readonly string[];
  readonly fingerprint: string | null;
  readonly sealed: readonly SealedItem[];
}

export interface ReadableSecret {
  readonly namespace: string;
  readonly bundle: string;
  readonly secret: string;
  /** The highest that the device could open. */
  readonly version: number;
  /** All that it could open, sorted. */
  readonly versions: readonly VersionRange[];
  /** Null: the Secret was deleted. */
  readonly newest: number | null;
  /** Who could: the member of that name, one that was shut out, or one that had the name before. */
  readonly device: 'current' | 'revoked' | 'former';
}

/** A Secret that pods of a bundle want and that is not there: never sealed, or deleted. */
export interface UnsealedSecret {
  readonly namespace: string;
  readonly bundle: string;
  readonly secret: string;
  /** `pod web: spec.volumes[0].secret.secretName`: the first place that names it. */
  readonly field: string;
  /** There was one. */
  readonly isDeleted: boolean;
  /** Members of the bundle, sorted, without those that run it with a Secret of their own; at least one. */
  readonly nodes: readonly string[];
}

export interface SecretWriter {
  /** `nodeSelector` null: the bundle's. Throws NotFound for a bundle that is not there then. */
  sealing(of: {
    readonly namespace: string;
    readonly bundle: string;
    readonly nodeSelector: string | null;
  }): Promise<Sealing>;
  /** What devices of that name could open, of those that left too. Throws NotFound for a name that none ever had. */
  readableBy(node: string): Promise<readonly ReadableSecret[]>;
  /**
   * Takes off that list what the operator replaced; `names`: `<bundle>.<secret>` in the namespace; null: all, in every namespace. What the
   * member of that name is to have stays. Gives what was taken off. Throws NotFound for a name that is not on the list.
   */
  replaced(
    actor: Actor,
    of: {
      readonly node: string;
      readonly namespace: string;
      readonly names: readonly string[] | null;
    },
  ): Promise<readonly ReadableSecret[]>;
  /** Of one namespace, or of all. */
  unsealed(namespace: string | null): Promise<readonly UnsealedSecret[]>;
  /** One transaction. Throws Conflict (sealed meanwhile, a key was rotated), Invalid. */
  seal(actor: Actor, request: SealRequest): Promise<{ version: number; nodes: number }>;
  /** Nodes forget what they have. Throws NotFound. */
  remove(
    actor: Actor,
    secret: { readonly namespace: string; readonly name: string; readonly dryRun: boolean },
  ): Promise<void>;
}

export interface Enrolment {
  /** The secret is shown in this answer and never again. */
  createToken(
    actor: Actor,
    request: TokenRequest,
  ): Promise<{ object: TokenObject; joinLine: string }>;
  /** The root document's envelope by the SHA-256 of its payload, or a version after it; null = no such root. */
  rootByDigest(digest: string): Promise<Uint8Array | null>;
  rootByVersion(version: number): Promise<Uint8Array | null>;
  /** PEM of the authorities that the root pins. */
  authorities(): string;
  /** A nonce of the hub for one request of those below, valid for ten minutes. */
  nonce(): string;
  /** The body is a join envelope; the answer a joined envelope. Throws `RequestError`. */
  join(envelope: Uint8Array, address: string): Promise<Uint8Array>;
  /** As above, for renew envelopes. */
  renew(envelope: Uint8Array, address: string): Promise<Uint8Array>;
  /** As above, for rotate envelopes. */
  rotate(envelope: Uint8Array, address: string): Promise<Uint8Array>;
  readonly standing: Standing;
}
