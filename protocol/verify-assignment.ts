/**
 * Acceptance of a node's assignment. Order of checks, cheap first: size, envelope form, type, signatures, payload form,
 * fleet, node, epoch, root version, counter, nonce, expiry (Uptane 2.x full verification). Pure.
 */
import type { AssignmentDocument } from './documents/assignment.js';
import * as validate from './generated/validators.js';
import { ASSIGNMENT_BYTES_MAX, PARAMETERS_BYTES_MAX } from './limits.js';
import { accept, refuse, type Result } from './refusal.js';
import { openSigned, type TrustedRoot, type Verified } from './verified.js';

export interface AssignmentContext {
  readonly root: TrustedRoot;
  readonly node: string;
  readonly nodeKey: string;
  /** The newest assignment accepted so far. */
  readonly accepted: {
    readonly epoch: number;
    readonly generation: number;
    readonly digest: string;
  } | null;
  /** Nonce of the node's open request. With `freshOnly` (journal lost or put back) nothing else is accepted. */
  readonly nonce: string | null;
  readonly freshOnly: boolean;
  /** Milliseconds since 1970: the larger of the clock and the time floor. */
  readonly now: number;
}

/** `changed: false`: it is the accepted one again. */
export interface OpenedAssignment extends Verified<AssignmentDocument> {
  readonly changed: boolean;
}

export function openAssignment(
  bytes: Uint8Array,
  context: AssignmentContext,
): Result<OpenedAssignment> {
  const { root } = context;
  const opened = openSigned<AssignmentDocument>(bytes, {
    kind: 'assignment',
    bytesMax: ASSIGNMENT_BYTES_MAX,
    validator: validate.validateAssignmentDocument,
    root: root.document,
    role: root.document.roles.hub,
  });
  if (!opened.ok) return opened;
  const { document, digest } = opened.value;
  if (document.node !== context.node) return refuse('WrongNode', 'assignment: for another node');
  if (document.nodeKey !== context.nodeKey) {
    return refuse('WrongNode', 'assignment: for another device of the same name');
  }
  if (document.epoch < root.document.epoch)
    return refuse('Rollback', 'assignment: of a former epoch');
  if (document.epoch > root.document.epoch || document.rootVersion > root.document.version) {
    return refuse('RootRequired', `assignment: needs root ${document.rootVersion}`);
  }
  const last = context.accepted?.epoch === document.epoch ? context.accepted : null;
  if (last && digest === last.digest) return accept({ ...opened.value, changed: false });
  if (last && document.generation < last.generation) {
    return refuse(
      'Rollback',
      `assignment: generation ${document.generation} after ${last.generation}`,
    );
  }
  if (last && document.generation === last.generation) {
    return refuse(
      'Equivocation',
      `assignment: other content for generation ${document.generation}: ${digest} after ${last.digest}`,
    );
  }
  if (context.freshOnly && (document.nonce === null || document.nonce !== context.nonce)) {
    return refuse('NotFresh', 'assignment: does not answer the open request of this node');
  }
  // A day that no calendar has compares as never.
  if (Number.isNaN(Date.parse(document.notAfter)) || Number.isNaN(Date.parse(document.issued))) {
    return refuse('Malformed', 'assignment: issued or notAfter is no such day or hour');
  }
  if (context.now > Date.parse(document.notAfter))
    return refuse('Expired', 'assignment: past its notAfter');
  const fault = assignmentFault(document) ?? secretsFault(document);
  if (fault) return fault;
  return accept({ ...opened.value, changed: true });
}

/** Denials and floors of the root depend on what the node runs already: they are judged there. */
function assignmentFault(document: AssignmentDocument): ReturnType<typeof refuse> | null {
  const seen = new Set<string>();
  for (const bundle of document.bundles) {
    const key = `${bundle.namespace}/${bundle.name}`;
    if (seen.has(key)) return refuse('Conflict', `assignment: ${key} twice`);
    seen.add(key);
  }
  if (Buffer.byteLength(JSON.stringify(document.parameters)) > PARAMETERS_BYTES_MAX) {
    return refuse('TooLarge', 'assignment: parameters');
  }
  return null;
}

function secretsFault(document: AssignmentDocument): ReturnType<typeof refuse> | null {
  const bundles = new Set(document.bundles.map(({ namespace, name }) => `${namespace}/${name}`));
  const seen = new Set<string>();
  for (const { namespace, bundle, name } of document.secrets) {
    const key = `${namespace}/${bundle}/${name}`;
    if (seen.has(key)) return refuse('Conflict', `assignment: secret ${key} twice`);
    seen.add(key);
    if (!bundles.has(`${namespace}/${bundle}`)) {
      return refuse('Malformed', `assignment: secret ${key} of a bundle that it does not list`);
    }
  }
  return null;
}
