/**
 * The hub's one connection to the broker (MQTT 3.1.1, clean session). Each connection is a session of its own, announced on
 * the topic `hub` with a will signed beforehand; on each the publisher makes good what the broker lacks. Messages of nodes
 * are handed on as they came, nothing of them checked but their size.
 */
import { MqttClient, type IClientOptions } from 'mqtt';
import { connect as connectPlain, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate } from 'node:tls';
import { seal, type DocumentKind } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { PacketGuard } from '../../protocol/packet-guard.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import type { NodeMessage, NodeMessenger } from './messages.js';
import { keepPublished } from './publisher.js';
import { whatIsLacking } from './publisher-decide.js';
import type { Store } from '../store/store.js';

const CLIENT_ID = 'flotilla-hub';
const KEEPALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 15_000;
const BACK_OFF_MIN_MS = 500;
const BACK_OFF_MAX_MS = 30_000;
/** A broker that keeps a mark gives it at once. */
const MARK_WAIT_MS = 5_000;
/** Acks and answers on their way; what is above is dropped, for the node asks again. */
const MESSAGES_MAX = 10_000;
const ANNOUNCE_AGAIN_MS = 5_000;
const CLOSE_MS = 2_000;
/** Topic and packet id beside the payload. */
const PACKET_BYTES_MAX = 2 * MESSAGE_BYTES_MAX;
const NODE_KINDS = ['presence', 'request', 'status', 'pod', 'event'] as const;

export interface HubLinkTls {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  /** The broker's certificate must bear one of these. */
  readonly names: readonly string[];
}

export interface HubLinkOptions {
  /** `mqtts://host:port`, or `mqtt://host:port` without `tls`. */
  readonly url: string;
  readonly tls: HubLinkTls | null;
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
  /** X25519, hex: container output is sealed to it. */
  readonly sealingKey: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  /** An embedded broker that just started: there is no mark to wait for on the first connection. */
  readonly brokerIsFresh: boolean;
  readonly onMessage: (message: NodeMessage) => void;
  /** Subscribed: called before the first message of the connection is handed on. */
  readonly onUp?: () => void;
  readonly onDown?: () => void;
}

export interface HubLink {
  connected(): boolean;
  readonly messenger: NodeMessenger;
  /** Says that the hub is offline and disconnects; ends within seconds. Safe to call twice. */
  close(): Promise<void>;
}

export function startHubLink(options: HubLinkOptions): HubLink {
  return new MqttHubLink(options);
}

class MqttHubLink implements HubLink {
  readonly messenger: NodeMessenger;
  readonly #options: HubLinkOptions;
  readonly #topics: Topics;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #client: MqttClient | null = null;
  #isFresh: boolean;
  #session = '';
  /** Of this connection, once it is said. */
  #birth: Buffer | null = null;
  #announcedAt = 0;
  #onTheWay = 0;
  #takeMark: (payload: Buffer) => void = () => undefined;

  constructor(options: HubLinkOptions) {
    this.#options = options;
    this.#topics = topicsOf(options.root().document.fleet);
    this.#isFresh = options.brokerIsFresh;
    this.messenger = {
      ack: (node, document) => this.#send(node, 'ack', document),
      answer: (node, document) => this.#send(node, 'answer', document),
    };
    this.#done = this.#run();
  }

  connected(): boolean {
    return this.#client?.connected ?? false;
  }

  async close(): Promise<void> {
    const { clock } = this.#options;
    const client = this.#client;
    if (client?.connected && !this.#stop.signal.aborted) {
      this.#birth = null;
      const goodbye = publish(client, this.#topics.hub(), this.#presence(false), true).catch(
        () => undefined,
      );
      await Promise.race([goodbye, clock.sleep(CLOSE_MS)]);
    }
    this.#stop.abort();
    client?.end(true);
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, log, random, url } = this.#options;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; failures++) {
      const startedAt = clock.monotonic();
      const reason = await this.#connection().catch((error: unknown) => messageOf(error));
      if (signal.aborted) return;
      if (clock.monotonic() - startedAt > BACK_OFF_MAX_MS) failures = 0;
      const whole = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(failures, 16));
      const waitMs = Math.round(whole / 2 + (whole / 2) * ((random(1)[0] ?? 0) / 255));
      log.warn('no connection to the broker', { broker: url, reason, retryInMs: waitMs });
      await clock.sleep(waitMs, signal);
    }
  }

  /** One connection, from CONNECT to its end; resolves with why it ended. */
  async #connection(): Promise<string> {
    this.#session = Buffer.from(this.#options.random(16)).toString('hex');
    const over = new AbortController();
    const client = new MqttClient(() => this.#openSocket(), this.#clientOptions());
    // Each publication in flight listens for the end of the connection.
    client.setMaxListeners(0);
    this.#client = client;
    return new Promise<string>(resolve => {
      let why = 'closed';
      const end = (reason: string) => {
        over.abort();
        client.end(true);
        if (this.#client === client) this.#client = null;
        this.#birth = null;
        this.#options.onDown?.();
        resolve(reason);
      };
      client.on('error', error => {
        why = messageOf(error);
        end(why);
      });
      client.on('close', () => end(why));
      client.on('message', (topic, payload, { retain }) => this.#receive(topic, payload, retain));
      client.on('connect', () => {
        this.#options.onUp?.();
        this.#serve(client, over.signal).catch((error: unknown) => end(messageOf(error)));
      });
    });
  }

  #clientOptions(): IClientOptions {
    return {
      clientId: CLIENT_ID,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      will: { topic: this.#topics.hub(), payload: this.#presence(false), qos: 1, retain: true },
    };
  }

  #openSocket(): Socket {
    const { tls } = this.#options;
    const url = new URL(this.#options.url);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const socket = tls
      ? connectTls({
          host,
          port: Number(url.port || 8883),
          key: tls.key,
          cert: tls.cert,
          ca: tls.ca,
          minVersion: 'TLSv1.2',
          servername: tls.names[0],
          checkServerIdentity: (_host, certificate) => nameFault(tls.names, certificate),
        })
      : connectPlain({ host, port: Number(url.port || 1883) });
    const guard = new PacketGuard(PACKET_BYTES_MAX);
    socket.on('data', (chunk: Buffer) => {
      if (!guard.admits(chunk))
        socket.destroy(new Error('the broker announced a packet above the limit'));
    });
    return socket;
  }

  /** Subscribe, announce, make good what the broker lacks; then keep it so until the connection ends. */
  async #serve(client: MqttClient, signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#options;
    const mark = this.#awaitMark(signal);
    const hub = this.#topics.hub();
    const filters = [
      this.#topics.mark(),
      hub,
      ...NODE_KINDS.map(kind => this.#topics.everyNode(kind)),
    ];
    await subscribe(client, filters);
    log.info('connected to the broker', { session: this.#session });
    const birth = this.#presence(true);
    this.#birth = birth;
    this.#announcedAt = clock.monotonic();
    await publish(client, hub, birth, true);
    const payload = this.#isFresh ? null : await mark;
    if (signal.aborted) return;
    const lacking = whatIsLacking({
      mark: payload && this.#readMark(payload),
      storeId: await store.id(),
      lastNumber: await store.lastPublication(),
    });
    log.info('publishing what the broker lacks', { after: lacking.after, reason: lacking.reason });
    this.#isFresh = false;
    const storeId = await store.id();
    await keepPublished(
      {
        store,
        clock,
        log,
        publish: (topic, content) => publish(client, topic, content, true),
        writeMark: number =>
          publish(client, this.#topics.mark(), this.#mark(storeId, number), true),
        signal,
      },
      lacking.after,
    );
  }

  /** The retained mark, or null when none comes. */
  #awaitMark(signal: AbortSignal): Promise<Buffer | null> {
    return new Promise(done => {
      const waiting = new AbortController();
      const end = () => waiting.abort();
      signal.addEventListener('abort', end, { once: true });
      this.#takeMark = payload => {
        done(payload);
        waiting.abort();
      };
      this.#options.clock.sleep(MARK_WAIT_MS, waiting.signal).then(
        () => done(null),
        () => done(null),
      );
    });
  }

  #readMark(payload: Buffer) {
    const opened = openHubDocument('mark', payload, { root: this.#options.root() });
    return opened.ok ? opened.value.document : null;
  }

  #receive(topic: string, payload: Buffer, retained: boolean): void {
    const address = this.#topics.parse(topic);
    if (address?.kind === 'mark') return this.#takeMark(payload);
    if (address?.kind === 'hub') return this.#seeHub(payload);
    if (payload.byteLength > MESSAGE_BYTES_MAX || !address || !('node' in address)) return;
    const kind = NODE_KINDS.find(known => known === address.kind);
    if (kind) this.#options.onMessage({ kind, node: address.node, payload, retained });
  }

  /** The will of a former connection came late, or somebody replays one: said again, at most every five seconds. */
  #seeHub(payload: Buffer): void {
    const birth = this.#birth;
    const now = this.#options.clock.monotonic();
    if (!birth || payload.equals(birth) || this.#announcedAt > now) return;
    const waitMs = Math.max(0, this.#announcedAt + ANNOUNCE_AGAIN_MS - now);
    this.#announcedAt = now + waitMs;
    void this.#options.clock.sleep(waitMs, this.#stop.signal).then(async () => {
      const client = this.#client;
      if (this.#birth !== birth || !client) return;
      // Lost: the next connection has a birth of its own.
      await publish(client, this.#topics.hub(), birth, true).catch(() => undefined);
    });
  }

  #presence(online: boolean): Buffer {
    const { fleet, epoch } = this.#options.root().document;
    const { sealingKey } = this.#options;
    return this.#seal('hub', { fleet, epoch, session: this.#session, online, sealingKey });
  }

  #mark(store: string, number: number): Buffer {
    return this.#seal('mark', { fleet: this.#options.root().document.fleet, store, number });
  }

  #seal(kind: DocumentKind, document: object): Buffer {
    return seal(kind, document, [this.#options.hubSigner]);
  }

  #send(node: string, kind: 'ack' | 'answer', document: object): void {
    const client = this.#client;
    if (!client?.connected || this.#onTheWay >= MESSAGES_MAX) return;
    this.#onTheWay++;
    publish(client, this.#topics.node(node, kind), this.#seal(kind, document), false)
      // Lost: the node sends again what is not acknowledged.
      .catch(() => undefined)
      .finally(() => this.#onTheWay--);
  }
}

function publish(
  client: MqttClient,
  topic: string,
  payload: Uint8Array,
  retain: boolean,
): Promise<void> {
  return new Promise((done, fail) => {
    if (!client.connected) return fail(new Error('not connected'));
    client.once('close', lost);
    function lost() {
      fail(new Error('the connection was lost'));
    }
    client.publish(topic, Buffer.from(payload), { qos: 1, retain }, error => {
      client.removeListener('close', lost);
      if (error) fail(error);
      else done();
    });
  });
}

function subscribe(client: MqttClient, filters: readonly string[]): Promise<void> {
  return new Promise((done, fail) => {
    client.subscribe([...filters], { qos: 1 }, (error, granted) => {
      const refused = granted?.find(grant => grant.qos === 128);
      if (error) fail(error);
      else if (refused) fail(new Error(`the broker refuses the subscription to ${refused.topic}`));
      else done();
    });
  });
}

function nameFault(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const faults = names.map(name => checkServerIdentity(name, certificate));
  return faults.some(fault => fault === undefined) ? undefined : faults[0];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
