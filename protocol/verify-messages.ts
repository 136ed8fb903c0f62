/**
 * Acceptance of what hub and node say to each other beside assignments: signed by the hub's role, or by the identity key
 * of the node that the topic names. Pure.
 */
import type { CommandDocument } from './documents/command.js';
import type {
  JoinDocument,
  JoinedDocument,
  RenewDocument,
  RotateDocument,
} from './documents/enrolment.js';
import type {
  AckDocument,
  AnswerDocument,
  HubDocument,
  MarkDocument,
  TimeDocument,
} from './documents/hub.js';
import type {
  EventDocument,
  OpeningDocument,
  PodDocument,
  PresenceDocument,
  ReplyDocument,
  RequestDocument,
  StatusDocument,
} from './documents/node.js';
import { countSignatures, openEnvelope } from './envelope.js';
import * as validate from './generated/validators.js';
import { keyId } from './keys.js';
import { MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX } from './limits.js';
import { accept, refuse, type Result } from './refusal.js';
import {
  brand,
  envelopeBytesMax,
  openSigned,
  readPayload,
  type TrustedRoot,
  type Validator,
  type Verified,
} from './verified.js';

interface HubDocuments {
  hub: HubDocument;
  mark: MarkDocument;
  answer: AnswerDocument;
  time: TimeDocument;
  ack: AckDocument;
  command: CommandDocument;
  joined: JoinedDocument;
}

export interface NodeDocuments {
  presence: PresenceDocument;
  request: RequestDocument;
  status: StatusDocument;
  pod: PodDocument;
  event: EventDocument;
  reply: ReplyDocument;
  opening: OpeningDocument;
  join: JoinDocument;
  renew: RenewDocument;
  rotate: RotateDocument;
}

const HUB_VALIDATORS: Record<keyof HubDocuments, Validator> = {
  hub: validate.validateHubDocument,
  mark: validate.validateMarkDocument,
  answer: validate.validateAnswerDocument,
  time: validate.validateTimeDocument,
  ack: validate.validateAckDocument,
  command: validate.validateCommandDocument,
  joined: validate.validateJoinedDocument,
};

/** Of the payload, where it is not that of any document. */
const HUB_BYTES_MAX: Partial<Record<keyof HubDocuments, number>> = {
  joined: 2 * MESSAGE_BYTES_MAX,
  time: 1024,
};

const NODE_VALIDATORS: Record<keyof NodeDocuments, Validator> = {
  presence: validate.validatePresenceDocument,
  request: validate.validateRequestDocument,
  status: validate.validateStatusDocument,
  pod: validate.validatePodDocument,
  event: validate.validateEventDocument,
  reply: validate.validateReplyDocument,
  opening: validate.validateOpeningDocument,
  join: validate.validateJoinDocument,
  renew: validate.validateRenewDocument,
  rotate: validate.validateRotateDocument,
};

/**
 * A document of the hub. `node`: the addressee, for the kinds that have one. Freshness (session, counters, nonce) is
 * the caller's, for it knows what it asked.
 */
export function openHubDocument<K extends keyof HubDocuments>(
  kind: K,
  bytes: Uint8Array,
  context: { root: TrustedRoot; node?: string },
): Result<Verified<HubDocuments[K]>> {
  const root = context.root.document;
  const opened = openSigned<HubDocuments[K]>(bytes, {
    kind,
    bytesMax: HUB_BYTES_MAX[kind] ?? PAYLOAD_BYTES_MAX,
    validator: HUB_VALIDATORS[kind],
    root,
    role: root.roles.hub,
  });
  if (!opened.ok) return opened;
  const { document } = opened.value;
  if ('node' in document && document.node !== context.node) {
    return refuse('WrongNode', `${kind}: for another node`);
  }
  return opened;
}

/** A document of the node that holds `identityKey`; the topic it came on must name the same node. */
export function openNodeDocument<K extends keyof NodeDocuments>(
  kind: K,
  bytes: Uint8Array,
  context: { fleet: string; node: string; identityKey: string },
): Result<Verified<NodeDocuments[K]>> {
  const opened = openEnvelope(bytes, { kind, bytesMax: envelopeBytesMax(PAYLOAD_BYTES_MAX) });
  if (!opened.ok) return opened;
  const key = { id: keyId(context.identityKey), publicKey: context.identityKey };
  if (countSignatures(kind, opened.value, [key]) < 1) {
    return refuse('BadSignature', `${kind}: not signed by the identity key of ${context.node}`);
  }
  const document = readPayload<NodeDocuments[K]>(opened.value.payload, {
    what: kind,
    bytesMax: PAYLOAD_BYTES_MAX,
    validator: NODE_VALIDATORS[kind],
  });
  if (!document.ok) return document;
  if (document.value.fleet !== context.fleet)
    return refuse('WrongFleet', `${kind}: of another fleet`);
  if (document.value.node !== context.node)
    return refuse('WrongNode', `${kind}: names another node`);
  return accept(brand(document.value, opened.value));
}

/** Requests over HTTPS are under this. */
const REQUEST_BYTES_MAX = 4096;

/**
 * The identity key that a join request names: read before its signature can be checked, trusted for nothing but
 * that check.
 */
export function claimedIdentity(bytes: Uint8Array): Result<{ node: string; identityKey: string }> {
  return claimed('join', bytes, ({ node, identityKey }) => ({ node, identityKey }));
}

/** The node that asks, as it says itself: good for nothing but to look up the key that must have signed. */
export function claimedNode(kind: 'renew' | 'rotate', bytes: Uint8Array): Result<string> {
  return claimed(kind, bytes, ({ node }) => node);
}

function claimed<K extends 'join' | 'renew' | 'rotate', T>(
  kind: K,
  bytes: Uint8Array,
  pick: (document: NodeDocuments[K]) => T,
): Result<T> {
  const opened = openEnvelope(bytes, { kind, bytesMax: envelopeBytesMax(REQUEST_BYTES_MAX) });
  if (!opened.ok) return opened;
  const document = readPayload<NodeDocuments[K]>(opened.value.payload, {
    what: kind,
    bytesMax: REQUEST_BYTES_MAX,
    validator: NODE_VALIDATORS[kind],
  });
  if (!document.ok) return document;
  return accept(pick(document.value));
}
