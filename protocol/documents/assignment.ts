/**
 * Assignment: what one node is to run. Signed by the hub's key.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type {
  Bytes,
  Counter,
  Digest,
  FleetId,
  Label,
  RandomId,
  Subdomain,
  Timestamp,
} from './values.js';

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
  /** This attempt at this digest does not wait for a maintenance window; left out: it does. */
  now?: ActivateNow;
}

export interface ActivateNow {
  /**
   * Who wants it, as the hub knows them: told in the node's journal and events.
   * @minLength 1
   * @maxLength 256
   */
  by: string;
  /** @maxLength 256 */
  reason: string;
  /** Said of a revision that was given up: nor does the way back from it wait for a pod; left out: it does. */
  back?: true;
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
  /** Values of this one node, at most 8 KiB together: its budgets, and what pods of bundles that ask for it see. No secrets. */
  parameters: Record<string, string>;
}
