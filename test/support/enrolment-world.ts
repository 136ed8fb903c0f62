/** A hub's enrolment over a real store, and devices that ask it for something. Call `enrolmentWorld` once in a file of tests. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { after, before } from 'node:test';
import { nodeStanding } from '../../hub/enrolment/enrolment.js';
import type { EventObject, NodeObject } from '../../hub/objects.js';
import { RequestError, type RequestReason, type TokenRequest } from '../../hub/ports.js';
import { spkiOf } from '../../hub/setup/pki.js';
import type { Actor } from '../../hub/store/store.js';
import type { JoinedDocument } from '../../protocol/documents/enrolment.js';
import { seal } from '../../protocol/envelope.js';
import { formatToken, parseJoinLine } from '../../protocol/join-line.js';
import { rawPublicKey, signerOf } from '../../protocol/keys.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { hubFixture, type HubFixture } from './hub-fixture.js';

export const ADMIN: Actor = { kind: 'user', name: 'admin' };
/** Of the file that is run. */
export let fixture: HubFixture;
let addresses = 0;

export function enrolmentWorld(): void {
  before(async () => {
    fixture = await hubFixture();
  });
  after(() => fixture.close());
}

export interface Device {
  readonly node: string;
  readonly identity: KeyObject;
  readonly tls: KeyObject;
  readonly sealing: KeyObject;
}

export const ed25519 = () => generateKeyPairSync('ed25519').privateKey;
export const x25519 = () => generateKeyPairSync('x25519').privateKey;
export const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
export const device = (node: string): Device => {
  return { node, identity: ed25519(), tls: p256(), sealing: x25519() };
};
const hex = () => randomBytes(16).toString('hex');
export const address = () => `192.0.2.${++addresses % 250}.${addresses}`;

export async function token(request: Partial<TokenRequest> = {}): Promise<string> {
  const whole = { labels: {}, ttlS: 3600, ...request };
  const { joinLine } = await fixture.enrolment.createToken(ADMIN, whole);
  const read = parseJoinLine(joinLine);
  assert.ok(read.ok);
  return formatToken(read.value.token);
}

function open(answer: Uint8Array, node: string): JoinedDocument {
  const opened = openHubDocument('joined', answer, { root: fixture.hub.root, node });
  assert.ok(opened.ok, opened.ok ? '' : opened.refusal.detail);
  return opened.value.document;
}

export async function join(me: Device, used: string): Promise<JoinedDocument> {
  const document = {
    ...{ fleet: fixture.init.fleet, node: me.node, token: used },
    ...{ nonce: fixture.enrolment.nonce(), nodeNonce: hex() },
    identityKey: rawPublicKey(me.identity),
    tlsKey: spkiOf(me.tls).toString('base64'),
    sealingKey: rawPublicKey(me.sealing),
  };
  const envelope = seal('join', document, [signerOf(me.identity)]);
  return open(await fixture.enrolment.join(envelope, address()), me.node);
}

export function renewal(me: Device, tls: KeyObject, signer: KeyObject = me.identity): Uint8Array {
  const document = {
    ...{ fleet: fixture.init.fleet, node: me.node },
    ...{ nonce: fixture.enrolment.nonce(), nodeNonce: hex() },
    tlsKey: spkiOf(tls).toString('base64'),
  };
  return seal('renew', document, [signerOf(signer)]);
}

export async function renew(
  me: Device,
  tls: KeyObject,
  signer?: KeyObject,
): Promise<JoinedDocument> {
  return open(await fixture.enrolment.renew(renewal(me, tls, signer), address()), me.node);
}

export async function rotate(
  me: Device,
  next: { readonly identity: KeyObject; readonly sealing: KeyObject },
  signers: readonly KeyObject[],
): Promise<JoinedDocument> {
  const document = {
    ...{ fleet: fixture.init.fleet, node: me.node },
    ...{ nonce: fixture.enrolment.nonce(), nodeNonce: hex() },
    previousKey: rawPublicKey(me.identity),
    identityKey: rawPublicKey(next.identity),
    sealingKey: rawPublicKey(next.sealing),
  };
  const envelope = seal('rotate', document, signers.map(signerOf));
  return open(await fixture.enrolment.rotate(envelope, address()), me.node);
}

export function refusal(reason: RequestReason, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, message);
    return true;
  };
}

export const nodeOf = async (name: string) =>
  (await fixture.store.get('Node', '', name)) as NodeObject | null;
export const isLetIn = (me: Device, tls = me.tls) =>
  nodeStanding(fixture.store)(me.node, spkiOf(tls).toString('base64'));
export const eventsOf = async (reason: string) =>
  ((await fixture.store.list('Event')).items as EventObject[]).filter(
    ({ spec }) => spec.reason === reason,
  );
