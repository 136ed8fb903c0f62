/**
 * `flotilla-agent join` (security.md 3.2): the root fetched by its hash without trusting anybody, the
 * hub's authorities checked against its pins, a new connection that trusts only them, a nonce, keys
 * made here, the join. The token is sent after all that and not before; what fails earlier leaves
 * nothing on the disk. A second try after any failure uses the same keys.
 */
import { keyId, rawPublicKey, signerOf } from '../../protocol/keys.js';
import type {
  JoinDocument,
  JoinedDocument,
  TokenCount,
} from '../../protocol/documents/enrolment.js';
import { seal } from '../../protocol/envelope.js';
import {
  formatToken,
  parseHubUrl,
  parseJoinLine,
  type JoinLine,
} from '../../protocol/join-line.js';
import { isNodeName } from '../../protocol/names.js';
import type { Clock } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openAssignment, type OpenedAssignment } from '../../protocol/verify-assignment.js';
import { believed, certificateIn, nearestFirst, openAnswer } from './answer.js';
import {
  ensureNodeKeys,
  isJoined,
  saveMembership,
  type Membership,
  type NodeKeys,
} from './identity.js';
import { spkiOf } from './refresh.js';
import { ask, JoinError } from './join-http.js';
import { authoritiesOf, newestRoot, nonceOf, refusalOf } from './join-steps.js';

const JOINED_BYTES_MAX = 256 * 1024;

export interface JoinRequest {
  /** The join line, as the token file holds it. */
  readonly line: string;
  /** Instead of the URL in the line. */
  readonly hubUrl?: string | undefined;
  readonly nodeName: string;
  readonly dataDir: string;
  /** Called when there is something to keep. */
  readonly makeDataDir?: () => void;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  /**
   * Called before the node counts as joined: what it stores is there if the membership is. Throwing
   * leaves the node not joined; the next try brings a newer assignment.
   */
  readonly accept?: (first: FirstContent) => void | Promise<void>;
}

/** What a journal begins with. */
export interface FirstContent {
  readonly root: TrustedRoot;
  /** Bears this node's own nonce; null while a person has yet to approve this node. */
  readonly assignment: OpenedAssignment | null;
}

export interface JoinResult extends FirstContent {
  readonly membership: Membership;
  /** Key id of its identity key: what a person compares. */
  readonly nodeKey: string;
  /** Devices that the token let in, and how many it lets in; null: the hub did not say. */
  readonly token: TokenCount | null;
}

/** Throws `JoinError`, and `IdentityError` for damaged keys. */
export async function joinHub(request: JoinRequest): Promise<JoinResult> {
  const line = lineOf(request);
  const { nodeName: node, dataDir, clock } = request;
  if (!isNodeName(node)) {
    throw new JoinError(
      'BadNodeName',
      `node name "${node}": use at most 63 of a-z, 0-9 and "-", beginning and ending with a ` +
        'letter or digit, and none that the hub uses itself; give --node-name',
    );
  }
  if (isJoined(dataDir)) {
    throw new JoinError(
      'AlreadyJoined',
      `${dataDir} belongs to a member already: start it with \`flotilla-agent run\`, or, to ` +
        `leave that hub for good, \`flotilla-agent leave --data-dir ${dataDir}\`, and join again`,
    );
  }
  // 1. The root, by its hash; then the newest.
  const root = await newestRoot(line);
  // 2. Only the authorities that it pins.
  const authorities = await authoritiesOf(line.hubUrl, root);
  const nonce = await nonceOf(line.hubUrl, authorities);
  // 3. Keys, made here and kept from now on: a reply may be lost.
  request.makeDataDir?.();
  const keys = ensureNodeKeys(dataDir);
  // 4. The join.
  const nodeNonce = Buffer.from(request.random(16)).toString('hex');
  const asked: Asked = { line, node, root, keys, authorities, nonce, nodeNonce };
  const document = await post(asked);
  const certificate = certificateIn(document, keys.tls, line.hubUrl);
  const assignment = firstAssignment(document, asked);
  const membership: Membership = {
    fleet: document.fleet,
    node,
    hubUrl: line.hubUrl,
    brokers: nearestFirst(document.brokers, line.hubUrl),
    labels: document.labels,
    root: root.envelope.toString(),
    rootDigest: root.digest,
    joinedAt: new Date(clock.now()).toISOString(),
    renewAfter: document.renewAfter,
  };
  await request.accept?.({ root, assignment });
  saveMembership(dataDir, { membership, certificate, authorities: authorities.join('') });
  const { nodeKey, token = null } = document;
  return { membership, root, assignment, nodeKey, token };
}

function lineOf({ line, hubUrl }: JoinRequest): JoinLine {
  const read = parseJoinLine(line);
  if (!read.ok) throw new JoinError('BadLine', read.refusal.detail);
  if (hubUrl === undefined) return read.value;
  const url = parseHubUrl(hubUrl);
  if (url === null) throw new JoinError('BadLine', `--hub ${hubUrl}: use https://host:8443`);
  return { ...read.value, hubUrl: url };
}

interface Asked {
  readonly line: JoinLine;
  readonly node: string;
  readonly root: TrustedRoot;
  readonly keys: NodeKeys;
  readonly authorities: readonly string[];
  readonly nonce: string;
  readonly nodeNonce: string;
}

async function post(asked: Asked): Promise<JoinedDocument> {
  const { line, node, root, keys, nonce, nodeNonce } = asked;
  const signer = signerOf(keys.identity);
  const document: JoinDocument = {
    fleet: root.document.fleet,
    node,
    token: formatToken(line.token),
    nonce,
    nodeNonce,
    identityKey: signer.publicKey,
    tlsKey: spkiOf(keys.tls),
    sealingKey: rawPublicKey(keys.sealing),
  };
  const { status, body } = await ask({
    hubUrl: line.hubUrl,
    path: '/flotilla/v1/join',
    trust: asked.authorities,
    answerBytesMax: JOINED_BYTES_MAX,
    body: seal('join', document, [signer]),
  });
  if (status !== 200) throw refusalOf(line.hubUrl, status, body);
  const nodeKey = keyId(signer.publicKey);
  return openAnswer(body, { hubUrl: line.hubUrl, root, node, nodeKey, nonce: nodeNonce });
}

/** The first assignment, about this very request; null while a person has yet to approve the node. */
function firstAssignment(document: JoinedDocument, asked: Asked): OpenedAssignment | null {
  const { line, node, root, keys, nodeNonce } = asked;
  if (document.assignment === null) return null;
  const assignment = openAssignment(Buffer.from(document.assignment), {
    root,
    node,
    nodeKey: keyId(rawPublicKey(keys.identity)),
    accepted: null,
    nonce: nodeNonce,
    freshOnly: true,
    // It bears this node's nonce, made a moment ago: no clock has a say.
    now: 0,
  });
  return believed(assignment, line.hubUrl);
}
