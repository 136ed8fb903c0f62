/**
 * Root: who is who. Signed by root keys.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type { Counter, Digest, FleetId, PublicKeyHex, Timestamp, Version } from './values.js';

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
  /**
   * The scope holds on nodes that enrolled with all of these labels; empty: on every node. Judged by the node itself, by
   * the labels of its enrolment.
   */
  nodeLabels: Record<string, string>;
  /** The scope holds for a bundle as long as it reaches no more nodes than this; null: any number. Judged by the hub. */
  maxNodes: NodeCount | null;
}

/**
 * @asType integer
 * @minimum 1
 * @maximum 1000000
 */
export type NodeCount = number;

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
