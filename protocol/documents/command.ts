/**
 * What the hub asks of one node: what it keeps, or a stream of one pod. Signed by the hub's key, good for one session of the
 * node and once in it. What is secret in it (the words of a program) is not here: it follows sealed, in the first frame.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type {
  Bytes,
  Counter,
  Digest,
  FleetId,
  Label,
  PublicKeyHex,
  RandomId,
  Subdomain,
} from './values.js';

/**
 * Answered under `reply/<request>`. `session` is that of the node's last presence and `n` grows in it, so that none can be
 * replayed; `request` is random, so that the answer is proof of being said now.
 */
export interface CommandDocument {
  fleet: FleetId;
  node: Label;
  epoch: Counter;
  session: RandomId;
  n: Counter;
  request: RandomId;
  ask: KeptAsk | LogsAsk | ExecAsk | AttachAsk | PortForwardAsk;
}

/** Answered in `reply` documents. */
export interface KeptAsk {
  kind: 'kept';
  /** `standing`: how far the node is; the others: bytes that it keeps, for a hub that lost them. */
  want: 'standing' | 'bundle' | 'blob' | 'secret' | 'root';
  /** Of the bundle or secret document, or the blob; null for the others. */
  digest: Digest | null;
  /** 0 unless a root is wanted. */
  rootVersion: Counter;
}

/** The others are answered by an `opening` and sealed frames. */
export interface StreamTarget {
  /** X25519, made for this stream alone. */
  key: PublicKeyHex;
  /**
   * Who asks, as the hub knows them: told in the node's events.
   * @minLength 1
   * @maxLength 256
   */
  user: string;
  namespace: Label;
  /** The node's suffix may be left out. */
  pod: Subdomain;
}

export interface ContainerTarget extends StreamTarget {
  /** Null: the pod's default, or its only one. */
  container: Label | null;
}

export interface LogsAsk extends ContainerTarget {
  kind: 'logs';
  /**
   * Of the pod that is meant; null: whichever bears the name.
   * @maxLength 64
   */
  uid: string | null;
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines: Counter | null;
  sinceSeconds: Counter | null;
  /**
   * RFC 3339, as `kubectl` gives it.
   * @maxLength 40
   */
  sinceTime: string | null;
  limitBytes: Bytes | null;
}

/** The program and its arguments come in the first frame. */
export interface ExecAsk extends ContainerTarget {
  kind: 'exec';
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

export interface AttachAsk extends ContainerTarget {
  kind: 'attach';
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** One TCP connection. */
export interface PortForwardAsk extends StreamTarget {
  kind: 'portForward';
  /**
   * @asType integer
   * @minimum 1
   * @maximum 65535
   */
  port: number;
}
