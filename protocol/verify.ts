/**
 * Acceptance of documents: pure functions over bytes, trusted state and `now`; they return the parsed document or a
 * refusal with a closed code, and nobody parses the envelope again. Order of checks, cheap first: size, envelope form,
 * type, signatures, payload form, fleet, node, epoch, root version, counter, nonce, expiry (TUF 1.0.34 section 5.3,
 * Uptane 2.x full verification). A `Verified` value cannot be built outside this file.
 */
import { parseCanonical, sha256Hex } from './canonical.js';
import type {
  AckDocument,
  AnswerDocument,
  AssignedBundle,
  AssignmentDocument,
  BundleDocument,
  EventDocument,
  HubDocument,
  JoinDocument,
  JoinedDocument,
  MarkDocument,
  PodDocument,
  PresenceDocument,
  RequestDocument,
  RootDocument,
  StatusDocument,
} from './documents.js';
import {
  countSignatures,
  openEnvelope,
  type DocumentKind,
  type OpenedEnvelope,
} from './envelope.js';
import * as validate from './generated/validators.js';
import { isSoundPublicKey, keyId } from './keys.js';
import {
  ASSIGNMENT_BYTES_MAX,
  BUNDLE_BYTES_MAX,
  BUNDLE_CONTENT_BYTES_MAX,
  MANIFEST_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  PARAMETERS_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  ROOT_BYTES_MAX,
} from './limits.js';
import { accept, refuse, type Result } from './refusal.js';

declare const verified: unique symbol;

/** A document whose signatures, form and addressee were checked here. */
export interface Verified<T> {
  readonly [verified]: true;
  readonly document: T;
  /** SHA-256 of the payload bytes. */
  readonly digest: string;
  /** Of the payload, in bytes. */
  readonly size: number;
  /** The envelope as it came: what is stored, so that it can be checked again. */
  readonly envelope: Buffer;
}

export type TrustedRoot = Verified<RootDocument>;

function brand<T>(document: T, payload: Uint8Array, envelope: Uint8Array): Verified<T> {
  return {
    document,
    digest: sha256Hex(payload),
    size: payload.byteLength,
    envelope: Buffer.from(envelope),
  } as Verified<T>;
}

interface Validator {
  (value: unknown): boolean;
  errors?: readonly { instancePath: string; message?: string }[] | null;
}

/** Payload form: canonical JSON, then the schema of its kind. */
function readPayload<T>(
  payload: Uint8Array,
  options: { what: string; bytesMax: number; validator: Validator },
): Result<T> {
  const parsed = parseCanonical(payload, options);
  if (!parsed.ok) return parsed;
  if (!options.validator(parsed.value)) {
    const first = options.validator.errors?.[0];
    const where = first ? ` at ${first.instancePath || '/'}: ${first.message ?? 'invalid'}` : '';
    return refuse('Malformed', `${options.what}${where}`);
  }
  return accept(parsed.value as T);
}

function envelopeBytesMax(payloadBytesMax: number): number {
  return Math.ceil(payloadBytesMax / 3) * 4 + 4096;
}

// ---------------------------------------------------------------------------------------------- root

function openRootEnvelope(
  bytes: Uint8Array,
): Result<{ opened: OpenedEnvelope; document: RootDocument }> {
  const opened = openEnvelope(bytes, { kind: 'root', bytesMax: envelopeBytesMax(ROOT_BYTES_MAX) });
  if (!opened.ok) return opened;
  const document = readPayload<RootDocument>(opened.value.payload, {
    what: 'root',
    bytesMax: ROOT_BYTES_MAX,
    validator: validate.validateRootDocument,
  });
  if (!document.ok) return document;
  const bad = rootFault(document.value);
  if (bad) return refuse(bad.startsWith('key ') ? 'BadKey' : 'BadRoot', `root: ${bad}`);
  return accept({ opened: opened.value, document: document.value });
}

/** What a schema cannot say: ids recomputed, one role per key, thresholds that can be met. */
function rootFault(root: RootDocument): string | null {
  for (const [id, publicKey] of Object.entries(root.keys)) {
    if (!isSoundPublicKey(publicKey)) return `key ${id} is not a sound Ed25519 key`;
    if (keyId(publicKey) !== id) return `the id ${id} is not the SHA-256 of its key`;
  }
  const roleOf = new Map<string, string>();
  const roles: [string, { threshold: number; keys: string[] }][] = [
    ['root', root.roles.root],
    ['hub', root.roles.hub],
    ...root.roles.release.map((role): [string, typeof role] => ['release', role]),
  ];
  if (root.roles.secrets) roles.push(['secrets', root.roles.secrets]);
  for (const [name, role] of roles) {
    if (new Set(role.keys).size !== role.keys.length) return `role ${name} lists a key twice`;
    if (role.threshold > role.keys.length)
      return `role ${name} wants more signatures than it has keys`;
    for (const id of role.keys) {
      if (!Object.hasOwn(root.keys, id)) return `role ${name} names a key that is not listed`;
      const other = roleOf.get(id);
      if (other !== undefined && other !== name)
        return `one key stands in the roles ${other} and ${name}`;
      roleOf.set(id, name);
    }
  }
  return null;
}

type Role = { threshold: number; keys: string[] };

function signedBy(
  kind: DocumentKind,
  opened: OpenedEnvelope,
  root: RootDocument,
  role: Role,
): boolean {
  const keys = role.keys.map(id => ({ id, publicKey: root.keys[id] ?? '' }));
  return countSignatures(kind, opened, keys) >= role.threshold;
}

/** The root that a join line pins by the SHA-256 of its payload; it must be signed by its own root keys too. */
export function openPinnedRoot(bytes: Uint8Array, fingerprint: string): Result<TrustedRoot> {
  const read = openRootEnvelope(bytes);
  if (!read.ok) return read;
  const { opened, document } = read.value;
  if (sha256Hex(opened.payload) !== fingerprint) {
    return refuse('BadRoot', 'root: its hash is not the one that the join line gives');
  }
  if (!signedBy('root', opened, document, document.roles.root)) {
    return refuse('BadSignature', 'root: not signed by a threshold of its own root keys');
  }
  return accept(brand(document, opened.payload, bytes));
}

/**
 * Root N+1, signed by a threshold of N's root keys and of its own (TUF 5.3.4–5.3.5). The same root again is
 * accepted and changes nothing.
 */
export function openNextRoot(bytes: Uint8Array, current: TrustedRoot): Result<TrustedRoot> {
  const read = openRootEnvelope(bytes);
  if (!read.ok) return read;
  const { opened, document } = read.value;
  const now = current.document;
  const digest = sha256Hex(opened.payload);
  if (document.version === now.version && digest === current.digest) return accept(current);
  if (!signedBy('root', opened, now, now.roles.root)) {
    return refuse('BadSignature', 'root: not signed by a threshold of the root keys in force');
  }
  if (!signedBy('root', opened, document, document.roles.root)) {
    return refuse('BadSignature', 'root: not signed by a threshold of its own root keys');
  }
  if (document.fleet !== now.fleet) return refuse('WrongFleet', 'root: of another fleet');
  if (document.version < now.version)
    return refuse('Rollback', 'root: older than the one in force');
  if (document.version === now.version)
    return refuse('Equivocation', 'root: other content for the same version');
  if (document.version > now.version + 1) {
    return refuse('RootRequired', `root: version ${now.version + 1} must come first`);
  }
  if (document.epoch < now.epoch) return refuse('Rollback', 'root: lowers the epoch');
  for (const [bundle, floor] of Object.entries(now.floors)) {
    if ((document.floors[bundle] ?? 0) < floor)
      return refuse('Rollback', `root: lowers the floor of ${bundle}`);
  }
  return accept(brand(document, opened.payload, bytes));
}

/** A root that this very node accepted before, read back from its journal. */
export function reopenRoot(bytes: Uint8Array, digest: string): Result<TrustedRoot> {
  return openPinnedRoot(bytes, digest);
}

// ---------------------------------------------------------------------------------------- assignment

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
      `assignment: other content for generation ${document.generation}`,
    );
  }
  if (context.freshOnly && (document.nonce === null || document.nonce !== context.nonce)) {
    return refuse('NotFresh', 'assignment: does not answer the open request of this node');
  }
  if (context.now > Date.parse(document.notAfter))
    return refuse('Expired', 'assignment: past its notAfter');
  const fault = assignmentFault(document, root.document);
  if (fault) return fault;
  return accept({ ...opened.value, changed: true });
}

function assignmentFault(
  document: AssignmentDocument,
  root: RootDocument,
): ReturnType<typeof refuse> | null {
  const seen = new Set<string>();
  for (const bundle of document.bundles) {
    const key = `${bundle.namespace}/${bundle.name}`;
    if (seen.has(key)) return refuse('Conflict', `assignment: ${key} twice`);
    seen.add(key);
    if (root.denied.includes(bundle.digest))
      return refuse('Denied', `assignment: ${key} is denied by the root`);
    if (bundle.revision < (root.floors[key] ?? 0)) {
      return refuse('Rollback', `assignment: ${key} below the floor of the root`);
    }
  }
  if (document.secrets.length > 0) return refuse('Unsupported', 'assignment: sealed secrets');
  if (Buffer.byteLength(JSON.stringify(document.parameters)) > PARAMETERS_BYTES_MAX) {
    return refuse('TooLarge', 'assignment: parameters');
  }
  return null;
}

// -------------------------------------------------------------------------------------------- bundle

export interface BundleContext {
  readonly root: TrustedRoot;
  /** How the assignment names it. */
  readonly assigned: AssignedBundle;
  /** Kubernetes' word for the node's architecture. */
  readonly arch: string;
  readonly agentVersion: string;
}

/** The exact bundle that an assignment names, signed by the release role that is responsible for it. */
export function openBundle(
  bytes: Uint8Array,
  context: BundleContext,
): Result<Verified<BundleDocument>> {
  const { assigned, root } = context;
  const what = `bundle ${assigned.namespace}/${assigned.name}`;
  const opened = openEnvelope(bytes, {
    kind: 'bundle',
    bytesMax: envelopeBytesMax(BUNDLE_BYTES_MAX),
  });
  if (!opened.ok) return opened;
  const { payload } = opened.value;
  if (payload.byteLength !== assigned.size || sha256Hex(payload) !== assigned.digest) {
    return refuse('MixMatch', `${what}: not the content that the assignment names`);
  }
  const role = releaseRoleOf(root.document, assigned);
  if (!role || !signedBy('bundle', opened.value, root.document, role)) {
    return refuse(
      'BadSignature',
      `${what}: not signed by a threshold of the release keys responsible for it`,
    );
  }
  const document = readPayload<BundleDocument>(payload, {
    what,
    bytesMax: BUNDLE_BYTES_MAX,
    validator: validate.validateBundleDocument,
  });
  if (!document.ok) return document;
  const fault = bundleFault(document.value, context, what);
  return fault ?? accept(brand(document.value, payload, bytes));
}

/** The first release role whose patterns cover the bundle. */
export function releaseRoleOf(root: RootDocument, bundle: { namespace: string; name: string }) {
  return root.roles.release.find(role =>
    role.bundles.some(pattern => {
      const [namespace, name] = pattern.split('/');
      return (
        (namespace === '*' || namespace === bundle.namespace) &&
        (name === '*' || name === bundle.name)
      );
    }),
  );
}

function bundleFault(
  document: BundleDocument,
  { assigned, root, arch, agentVersion }: BundleContext,
  what: string,
): ReturnType<typeof refuse> | null {
  if (document.fleet !== root.document.fleet)
    return refuse('WrongFleet', `${what}: of another fleet`);
  if (
    document.namespace !== assigned.namespace ||
    document.name !== assigned.name ||
    document.revision !== assigned.revision
  ) {
    return refuse('MixMatch', `${what}: bears another name or revision than the assignment says`);
  }
  if (document.rollbackFloor > document.revision)
    return refuse('Malformed', `${what}: floor above its revision`);
  const { requires } = document;
  if (requires.arch.length > 0 && !requires.arch.includes(arch)) {
    return refuse('Unsupported', `${what}: for ${requires.arch.join(', ')}, this node is ${arch}`);
  }
  if (requires.hardware.length > 0) return refuse('Unsupported', `${what}: for other hardware`);
  if (requires.minAgent && compareVersions(agentVersion, requires.minAgent) < 0) {
    return refuse('Unsupported', `${what}: needs agent ${requires.minAgent} or newer`);
  }
  if (document.secrets.length > 0) return refuse('Unsupported', `${what}: needs sealed secrets`);
  if (document.manifests.length > root.document.limits.podsPerBundle) {
    return refuse('TooLarge', `${what}: more pods than the root allows`);
  }
  return contentFault(document, what);
}

function contentFault(document: BundleDocument, what: string): ReturnType<typeof refuse> | null {
  const names = new Set<string>();
  let total = 0;
  for (const entry of document.manifests) {
    if (names.has(entry.name)) return refuse('Conflict', `${what}: two pods named ${entry.name}`);
    names.add(entry.name);
    total += entry.size;
    if (entry.size > MANIFEST_BYTES_MAX)
      return refuse('TooLarge', `${what}: manifest of ${entry.name}`);
    const partsSize = entry.parts.reduce((sum, part) => sum + part.size, 0);
    if (entry.parts.length > 0 && partsSize !== entry.size) {
      return refuse('Malformed', `${what}: the parts of ${entry.name} do not add up to its size`);
    }
  }
  if (total > BUNDLE_CONTENT_BYTES_MAX)
    return refuse('TooLarge', `${what}: all manifests together`);
  return null;
}

/** Numeric comparison of `a.b.c`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

// ------------------------------------------------------------------- what hub and node say otherwise

interface HubDocuments {
  hub: HubDocument;
  mark: MarkDocument;
  answer: AnswerDocument;
  ack: AckDocument;
  joined: JoinedDocument;
}

interface NodeDocuments {
  presence: PresenceDocument;
  request: RequestDocument;
  status: StatusDocument;
  pod: PodDocument;
  event: EventDocument;
  join: JoinDocument;
}

const HUB_VALIDATORS: Record<keyof HubDocuments, Validator> = {
  hub: validate.validateHubDocument,
  mark: validate.validateMarkDocument,
  answer: validate.validateAnswerDocument,
  ack: validate.validateAckDocument,
  joined: validate.validateJoinedDocument,
};

const NODE_VALIDATORS: Record<keyof NodeDocuments, Validator> = {
  presence: validate.validatePresenceDocument,
  request: validate.validateRequestDocument,
  status: validate.validateStatusDocument,
  pod: validate.validatePodDocument,
  event: validate.validateEventDocument,
  join: validate.validateJoinDocument,
};

function openSigned<T extends { fleet: string }>(
  bytes: Uint8Array,
  expected: {
    kind: DocumentKind;
    bytesMax: number;
    validator: Validator;
    root: RootDocument;
    role: Role;
  },
): Result<Verified<T>> {
  const { kind, root, role } = expected;
  const opened = openEnvelope(bytes, { kind, bytesMax: envelopeBytesMax(expected.bytesMax) });
  if (!opened.ok) return opened;
  if (!signedBy(kind, opened.value, root, role)) {
    return refuse('BadSignature', `${kind}: not signed by the role responsible for it`);
  }
  const document = readPayload<T>(opened.value.payload, { ...expected, what: kind });
  if (!document.ok) return document;
  if (document.value.fleet !== root.fleet) return refuse('WrongFleet', `${kind}: of another fleet`);
  return accept(brand(document.value, opened.value.payload, bytes));
}

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
    bytesMax: kind === 'joined' ? 2 * MESSAGE_BYTES_MAX : PAYLOAD_BYTES_MAX,
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
  return accept(brand(document.value, opened.value.payload, bytes));
}

/**
 * The identity key that a join request names: read before its signature can be checked, trusted for nothing but
 * that check.
 */
export function claimedIdentity(bytes: Uint8Array): Result<{ node: string; identityKey: string }> {
  const opened = openEnvelope(bytes, { kind: 'join', bytesMax: envelopeBytesMax(4096) });
  if (!opened.ok) return opened;
  const document = readPayload<JoinDocument>(opened.value.payload, {
    what: 'join',
    bytesMax: 4096,
    validator: validate.validateJoinDocument,
  });
  if (!document.ok) return document;
  return accept({ node: document.value.node, identityKey: document.value.identityKey });
}
