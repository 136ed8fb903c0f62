/**
 * The director (Uptane): for one node, the next signed assignment, or none when the one it has says the same. Counters
 * only grow. Pure.
 */
import { canonicalJson, parseCanonical, sha256Hex } from '../../protocol/canonical.js';
import type {
  AssignedBundle,
  AssignedSecret,
  AssignmentDocument,
} from '../../protocol/documents/assignment.js';
import { openEnvelope, packed, sealBytes } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { ASSIGNMENT_BYTES_MAX } from '../../protocol/limits.js';
import type { Topics } from '../../protocol/topics.js';
import type { AssignmentRecord, Mutation } from '../store/store.js';

const DAY_MS = 86_400_000;
/** An assignment is accepted this long; what was accepted runs for ever. */
const LIFETIME_MS = 90 * DAY_MS;
/** Signed anew after this, so that a node that comes back finds one that has not expired. */
const RESIGN_MS = 7 * DAY_MS;

/** Limit of the document's schema. */
export const BUNDLES_MAX = 128;
const SECRETS_MAX = 512;

export interface ComposeInput {
  readonly fleet: string;
  readonly epoch: number;
  readonly rootVersion: number;
  readonly node: string;
  readonly nodeKey: string;
  readonly bundles: readonly AssignedBundle[];
  /** Sealed for this node, of those bundles; sorted. */
  readonly secrets: readonly AssignedSecret[];
  readonly current: AssignmentDocument | null;
  /** Absent: as they are. */
  readonly parameters?: AssignmentDocument['parameters'];
  /** The highest that may have been signed before, seen or not. */
  readonly generationFloor?: number;
  /** The node's, when it asked for a fresh one: then there is always a next. */
  readonly nonce: string | null;
  /** Milliseconds since 1970. */
  readonly now: number;
}

function saysTheSame(current: AssignmentDocument, input: ComposeInput): boolean {
  return (
    current.epoch === input.epoch &&
    current.rootVersion === input.rootVersion &&
    current.nodeKey === input.nodeKey &&
    canonicalJson(current.bundles) === canonicalJson(input.bundles) &&
    canonicalJson(current.secrets) === canonicalJson(input.secrets) &&
    canonicalJson(current.parameters) === canonicalJson(parametersOf(input)) &&
    input.now - Date.parse(current.issued) < RESIGN_MS
  );
}

/** Of the place, not of the device: one that takes its name has the same link. */
function parametersOf({ parameters, current }: ComposeInput): AssignmentDocument['parameters'] {
  return { ...(parameters ?? current?.parameters) };
}

/** Null: nothing to say. */
export function compose(input: ComposeInput): AssignmentDocument | null {
  const { current } = input;
  if (current && input.nonce === null && saysTheSame(current, input)) return null;
  // The answer to an open request stays in what follows it: the node may not have read it yet.
  const former = current?.nodeKey === input.nodeKey ? current : null;
  const isSameEpoch = current?.epoch === input.epoch;
  const { generationFloor = 0 } = input;
  const generation = isSameEpoch ? Math.max(current.generation, generationFloor) + 1 : 1;
  return {
    fleet: input.fleet,
    node: input.node,
    nodeKey: input.nodeKey,
    epoch: input.epoch,
    generation,
    rootVersion: input.rootVersion,
    issued: new Date(input.now).toISOString(),
    notAfter: new Date(input.now + LIFETIME_MS).toISOString(),
    nonce: input.nonce ?? former?.nonce ?? null,
    bundles: [...input.bundles],
    secrets: [...input.secrets],
    parameters: parametersOf(input),
  };
}

/** Why no node would accept it, or null. */
export function assignmentFault(document: AssignmentDocument): string | null {
  const { length } = document.bundles;
  const secrets = document.secrets.length;
  if (secrets > SECRETS_MAX) return `${secrets} secrets, a node takes at most ${SECRETS_MAX}`;
  if (length > BUNDLES_MAX) return `${length} bundles, a node takes at most ${BUNDLES_MAX}`;
  const bytes = Buffer.byteLength(canonicalJson(document));
  return bytes > ASSIGNMENT_BYTES_MAX
    ? `the assignment has ${bytes} bytes, the limit is ${ASSIGNMENT_BYTES_MAX}`
    : null;
}

export interface SignedAssignment {
  readonly document: AssignmentDocument;
  readonly record: AssignmentRecord;
  /** Record and publication: for one transaction. */
  readonly mutations: readonly Mutation[];
}

export function signAssignment(
  document: AssignmentDocument,
  signer: Signer,
  topics: Topics,
): SignedAssignment {
  const payload = Buffer.from(canonicalJson(document));
  const envelope = sealBytes('assignment', payload, [signer]);
  const { node, epoch, generation } = document;
  const record = { node, epoch, generation, digest: sha256Hex(payload), envelope };
  return {
    document,
    record,
    mutations: [
      { type: 'assignment', record },
      {
        type: 'publish',
        topic: topics.node(node, 'assignment'),
        payload: packed('assignment', envelope),
      },
    ],
  };
}

/** Documents that were read last, by digest: each look at a fleet wants those of all its nodes. About 1 KiB each. */
const READ_KEPT = 16_384;
const read = new Map<string, AssignmentDocument>();

/** The document of the hub's own record; not to be changed. Throws when the store does not hold what the hub once wrote. */
export function assignmentOf(record: AssignmentRecord): AssignmentDocument {
  const known = read.get(record.digest);
  if (known) return known;
  const document = readAssignment(record);
  const [oldest] = read.keys();
  if (read.size >= READ_KEPT && oldest !== undefined) read.delete(oldest);
  read.set(record.digest, document);
  return document;
}

function readAssignment(record: AssignmentRecord): AssignmentDocument {
  const opened = openEnvelope(record.envelope, {
    kind: 'assignment',
    bytesMax: 2 * ASSIGNMENT_BYTES_MAX,
  });
  const parsed = opened.ok
    ? parseCanonical(opened.value.payload, { bytesMax: ASSIGNMENT_BYTES_MAX, what: 'assignment' })
    : opened;
  if (!parsed.ok)
    throw new Error(`the stored assignment of ${record.node}: ${parsed.refusal.detail}`);
  return parsed.value as AssignmentDocument;
}
