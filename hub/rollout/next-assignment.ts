/** The next signed assignment of one node under the root in force. Decides nothing by itself; the caller commits it. */
import type { AssignedBundle, AssignedSecret } from '../../protocol/documents/assignment.js';
import type { Signer } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { StoreError, type AssignmentRecord } from '../store/store.js';
import {
  assignmentFault,
  assignmentOf,
  compose,
  signAssignment,
  type SignedAssignment,
} from './director.js';

export interface NextParts {
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
  readonly clock: Clock;
}

/** More is meant for a node than an assignment holds; it keeps the one that it has. */
export class UnfitAssignment extends Error {
  override readonly name = 'UnfitAssignment';
  readonly fault: string;

  constructor(node: string, fault: string) {
    super(`node ${node}: ${fault}`);
    this.fault = fault;
  }
}

export interface NextOf {
  readonly node: string;
  readonly nodeKey: string;
  readonly nonce: string | null;
  readonly bundles: readonly AssignedBundle[];
  readonly secrets: readonly AssignedSecret[];
  readonly current: AssignmentRecord | null;
}

/** Null when the node's assignment says the same already. Throws when none can be made. */
export function next({ root, hubSigner, clock }: NextParts, of: NextOf): SignedAssignment | null {
  const { fleet, epoch, version } = root().document;
  const current = of.current ? assignmentOf(of.current) : null;
  if (current && current.rootVersion > version) {
    // A root came into force while this was thought out.
    throw new StoreError('Conflict', `node ${of.node} has an assignment of a newer root`);
  }
  const document = compose({
    fleet,
    epoch,
    rootVersion: version,
    node: of.node,
    nodeKey: of.nodeKey,
    bundles: of.bundles,
    secrets: of.secrets,
    current,
    generationFloor: of.current?.generation ?? 0,
    nonce: of.nonce,
    now: clock.now(),
  });
  if (!document) return null;
  const fault = assignmentFault(document);
  if (fault !== null) throw new UnfitAssignment(of.node, fault);
  return signAssignment(document, hubSigner, topicsOf(fleet));
}
