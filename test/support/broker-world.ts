/**
 * The hub's embedded broker in this process over real TLS sockets, an authority, two nodes that it knows, and clients: MQTT.js, and bare
 * sockets where a well-behaved client cannot misbehave. Call `brokerWorld` once in a file of tests.
 */
import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import { createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { startBroker, type Broker } from '../../hub/broker/broker.js';
import {
  createAuthority,
  HUB_NAME,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
  type Authority,
  type Organisation,
} from '../../hub/setup/pki.js';
import { topicsOf } from '../../protocol/topics.js';

export const FLEET = 'ab'.repeat(16);
export const topics = topicsOf(FLEET);
export const newKey = (): KeyObject =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

interface Pair {
  readonly key: string;
  readonly cert: string;
}

/** Of the file that is run. */
export let authority: Authority;
export let broker: Broker;
export let server: Pair;
export let hub: Pair;
export let edge1: Pair;
export let edge2: Pair;
/** TLS keys by the node that may come with them. */
export const allowed = new Map<string, string>();
/** What the broker logged. */
export const lines: string[] = [];
const open: MqttClient[] = [];

export function brokerWorld(): void {
  before(start);
  after(async () => {
    for (const mqtt of open) mqtt.end(true);
    await broker.close();
  });
}

async function start(): Promise<void> {
  authority = await createAuthority(newKey(), { fleet: FLEET, random: randomBytes });
  const key = newKey();
  const cert = await issueCertificate(
    authority,
    {
      commonName: HUB_NAME,
      organisation: ORGANISATION.hub,
      publicKey: spkiOf(key),
      use: { serverNames: [HUB_NAME, '127.0.0.1'] },
      notAfter: NO_EXPIRY,
    },
    randomBytes,
  );
  server = { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
  hub = await pair(HUB_NAME, ORGANISATION.hub);
  edge1 = await join('edge-1');
  edge2 = await join('edge-2');
  const say = (message: string, fields?: object) =>
    void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  broker = await startBroker({
    listen: { host: '127.0.0.1', port: 0 },
    tls: { ...server, ca: authority.certificate },
    fleet: FLEET,
    hubTlsKey: tlsKeyOf(hub),
    isAllowed: async (node, tlsKey) => allowed.get(node) === tlsKey,
    log: { info: say, warn: say, error: say },
  });
}

export async function pair(
  commonName: string,
  organisation: Organisation,
  { notAfter = NO_EXPIRY, from = authority }: { notAfter?: Date; from?: Authority } = {},
): Promise<Pair> {
  const privateKey = newKey();
  const cert = await issueCertificate(
    from,
    { commonName, organisation, publicKey: spkiOf(privateKey), use: 'client', notAfter },
    randomBytes,
  );
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
}

export function tlsKeyOf({ key }: Pair): string {
  return spkiOf(createPrivateKey(key)).toString('base64');
}

export async function join(node: string): Promise<Pair> {
  const made = await pair(node, ORGANISATION.nodes);
  allowed.set(node, tlsKeyOf(made));
  return made;
}

/** Who hangs up on what was not read yet resets the connection: which of both is seen is a matter of time. */
function isHangUp(error: Error): boolean {
  return ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Rejects when the broker says no, or hangs up before it says anything. */
export async function client(
  who: Partial<Pair>,
  clientId: string,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const made = connect({
    protocol: 'mqtts',
    host: '127.0.0.1',
    port: broker.port,
    servername: HUB_NAME,
    ca: authority.certificate,
    ...who,
    clientId,
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 60_000,
    ...options,
  });
  open.push(made);
  return new Promise((resolve, reject) => {
    made.on('connect', () => resolve(made));
    made.on('error', error => reject(isHangUp(error) ? new Error('hung up') : error));
    made.on('close', () => reject(new Error('hung up')));
  });
}

/** The next message that a client gets. */
export function nextMessage(mqtt: MqttClient): Promise<unknown[]> {
  return once(mqtt as unknown as EventEmitter, 'message');
}

/** By whatever way it ends: one that is reset is closed too. */
export function isClosed(of: Pick<EventEmitter, 'once'>): Promise<void> {
  return new Promise(resolve => of.once('close', () => resolve()));
}

export function socketOf(who: Partial<Pair>, options: object = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect(
      {
        host: '127.0.0.1',
        port: broker.port,
        servername: HUB_NAME,
        ca: authority.certificate,
        ...who,
        ...options,
      },
      () => resolve(socket),
    );
    socket.on('error', reject);
  });
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (condition()) return;
    await sleep(20);
  }
  assert.fail(`waited in vain until ${what}`);
}

/** All that a client receives, as `topic payload`. */
export function inbox(mqtt: MqttClient): string[] {
  const received: string[] = [];
  mqtt.on('message', (topic, payload) => received.push(`${topic} ${payload.toString()}`));
  return received;
}
