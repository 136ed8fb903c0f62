/**
 * How a simulated device becomes a node: keys of its own and the join of security.md 3.2 over HTTPS, as `flotilla-agent join` does it, but
 * with nothing on the disk. Root and authorities are fetched once for all that join with one line.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { believed, certificateIn, openAnswer } from '../../../agent/membership/answer.js';
import type { BrokerTls } from '../../../agent/membership/hub-tls.js';
import { ask } from '../../../agent/membership/join-http.js';
import {
  authoritiesOf,
  newestRoot,
  nonceOf,
  refusalOf,
} from '../../../agent/membership/join-steps.js';
import { spkiOf } from '../../../agent/membership/refresh.js';
import { seal } from '../../../protocol/envelope.js';
import { formatToken, parseJoinLine, type JoinLine } from '../../../protocol/join-line.js';
import { keyId, rawPublicKey, signerOf, type Signer } from '../../../protocol/keys.js';
import type { TrustedRoot } from '../../../protocol/verified.js';

const ANSWER_BYTES_MAX = 256 * 1024;

export interface Member {
  readonly node: string;
  readonly signer: Signer;
  /** Key id of the identity key. */
  readonly nodeKey: string;
  readonly tls: BrokerTls;
  readonly broker: string;
}

/** What all that join with one line have in common. */
export interface Door {
  readonly line: JoinLine;
  readonly root: TrustedRoot;
  readonly authorities: readonly string[];
}

/** Throws `JoinError`. */
export async function openDoor(text: string): Promise<Door> {
  const line = believed(parseJoinLine(text), 'the join line');
  const root = await newestRoot(line);
  return { line, root, authorities: await authoritiesOf(line.hubUrl, root) };
}

/** Throws `JoinError`. Each call is another device: a second one of the same name is refused by the hub. */
export async function joinAs(node: string, { line, root, authorities }: Door): Promise<Member> {
  const { hubUrl } = line;
  const signer = signerOf(generateKeyPairSync('ed25519').privateKey);
  const tlsKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const nodeNonce = randomBytes(16).toString('hex');
  const document = {
    ...{ fleet: root.document.fleet, node, token: formatToken(line.token) },
    ...{ nonce: await nonceOf(hubUrl, authorities), nodeNonce },
    ...{ identityKey: signer.publicKey, tlsKey: spkiOf(tlsKey) },
    sealingKey: rawPublicKey(generateKeyPairSync('x25519').privateKey),
  };
  const body = seal('join', document, [signer]);
  const trust = authorities;
  const asked = {
    hubUrl,
    path: '/flotilla/v1/join',
    trust,
    answerBytesMax: ANSWER_BYTES_MAX,
    body,
  };
  const { status, body: answer } = await ask(asked);
  if (status !== 200) throw refusalOf(hubUrl, status, answer);
  const nodeKey = keyId(signer.publicKey);
  const joined = openAnswer(answer, { hubUrl, root, node, nodeKey, nonce: nodeNonce });
  const cert = certificateIn(joined, tlsKey, hubUrl) ?? '';
  const key = tlsKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const tls = { key, cert, ca: authorities.join('') };
  return { node, signer, nodeKey, tls, broker: joined.brokers[0] ?? '' };
}
