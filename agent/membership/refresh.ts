/**
 * How a member comes back by its identity key alone, over HTTPS: the roots that it missed, which
 * verify themselves over a connection that nobody trusts; the authorities that the newest pins; then,
 * trusting only those, a new client certificate. Works after years, with an expired certificate and
 * a dead clock (security.md 1.8). And how it changes its keys.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type {
  JoinedDocument,
  RenewDocument,
  RotateDocument,
} from '../../protocol/documents/enrolment.js';
import { seal } from '../../protocol/envelope.js';
import { keyId, rawPublicKey, signerOf } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { certificateIn, nearestFirst, openAnswer } from './answer.js';
import { loadIdentity, saveJoin, type StoredIdentity } from './identity.js';
import { ask, JoinError } from './join-http.js';
import { authoritiesOf, newerRoots, nonceOf, refusalOf } from './join-steps.js';
import {
  beginRotation,
  keepCertificate,
  nextTlsKey,
  openRotation,
  settleRotation,
  type Rotation,
} from './next-keys.js';
import { identityPaths, writePrivateFile } from './private-keys.js';

const ANSWER_BYTES_MAX = 256 * 1024;

export interface MemberParts {
  readonly dataDir: string;
  readonly identity: StoredIdentity;
  /** In force at this node. */
  readonly root: TrustedRoot;
  /** Each newer one, in order; durable when it returns. */
  readonly acceptRoot: (root: TrustedRoot) => void;
  readonly random: (bytes: number) => Uint8Array;
}

/** The hub as this node knows it now. */
interface Hub {
  readonly url: string;
  readonly root: TrustedRoot;
  readonly authorities: readonly string[];
  readonly nonce: string;
}

async function meet({ identity, root, acceptRoot }: MemberParts): Promise<Hub> {
  const url = identity.membership.hubUrl;
  const newest = await newerRoots(url, root, acceptRoot);
  const authorities = await authoritiesOf(url, newest);
  return { url, root: newest, authorities, nonce: await nonceOf(url, authorities) };
}

interface Asked {
  readonly path: string;
  readonly envelope: Uint8Array;
  readonly nodeKey: string;
  readonly nonce: string;
}

async function post(hub: Hub, node: string, asked: Asked): Promise<JoinedDocument> {
  const { url, root, authorities } = hub;
  const { path, envelope, nodeKey, nonce } = asked;
  const { status, body } = await ask({
    ...{ hubUrl: url, path, trust: authorities },
    ...{ answerBytesMax: ANSWER_BYTES_MAX, body: envelope },
  });
  if (status !== 200) throw refusalOf(url, status, body);
  return openAnswer(body, { hubUrl: url, root, node, nodeKey, nonce });
}

/**
 * The identity as it is afterwards: with a new certificate, or still without one while a person has
 * yet to approve the node. Cut off at any point it is asked again with the same key. Throws
 * `JoinError`.
 */
export async function renewMembership(parts: MemberParts): Promise<StoredIdentity> {
  const { dataDir, identity, random } = parts;
  const { fleet, node, nodeKey, signer } = identity;
  const hub = await meet(parts);
  const key = nextTlsKey(dataDir);
  const nonce = Buffer.from(random(16)).toString('hex');
  const tlsKey = spkiOf(key);
  const document: RenewDocument = { fleet, node, nonce: hub.nonce, nodeNonce: nonce, tlsKey };
  const envelope = seal('renew', document, [signer]);
  const told = await post(hub, node, { path: '/flotilla/v1/renew', envelope, nodeKey, nonce });
  const certificate = certificateIn(told, key, hub.url);
  if (certificate !== null) {
    writePrivateFile(identityPaths(dataDir).authorities, hub.authorities.join(''));
    keepCertificate(dataDir, certificate);
  }
  return saved(parts, hub, told);
}

/**
 * Other keys for this node, signed for by the former identity key and the new one; `identity`
 * false: the sealing key alone. Cut off at any point, {@link resumeRotation} ends it.
 */
export async function rotateKeys(
  parts: MemberParts,
  what: { readonly identity: boolean },
): Promise<StoredIdentity> {
  const hub = await meet(parts);
  return exchange(parts, hub, beginRotation(parts.dataDir, parts.identity.keys, what));
}

/** Does nothing if none was begun. */
export async function resumeRotation(parts: MemberParts): Promise<StoredIdentity> {
  const rotation = openRotation(parts.dataDir, parts.identity.keys);
  return rotation ? exchange(parts, await meet(parts), rotation) : parts.identity;
}

async function exchange(parts: MemberParts, hub: Hub, next: Rotation): Promise<StoredIdentity> {
  const { dataDir, identity, random } = parts;
  const { fleet, node, signer } = identity;
  const successor = signerOf(next.identity);
  const nonce = Buffer.from(random(16)).toString('hex');
  const document: RotateDocument = {
    ...{ fleet, node, nonce: hub.nonce, nodeNonce: nonce },
    previousKey: signer.publicKey,
    identityKey: successor.publicKey,
    sealingKey: rawPublicKey(next.sealing),
  };
  const isNew = successor.publicKey !== signer.publicKey;
  const envelope = seal('rotate', document, isNew ? [signer, successor] : [signer]);
  const nodeKey = keyId(successor.publicKey);
  const told = await post(hub, node, { path: '/flotilla/v1/rotate', envelope, nodeKey, nonce });
  settleRotation(dataDir);
  return saved(parts, hub, told);
}

/** Labels and node name are of the first answer for ever; where to go may change. */
function saved({ dataDir, identity }: MemberParts, hub: Hub, told: JoinedDocument): StoredIdentity {
  saveJoin(dataDir, {
    ...identity.membership,
    brokers: nearestFirst(told.brokers, hub.url),
    root: hub.root.envelope.toString(),
    rootDigest: hub.root.digest,
    renewAfter: told.renewAfter,
  });
  const read = loadIdentity(dataDir);
  if (!read) throw new JoinError('BadAnswer', `${dataDir} does not belong to a member any more`);
  return read;
}

/** SubjectPublicKeyInfo, base64. */
export function spkiOf(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
}
