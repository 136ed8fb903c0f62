/**
 * One MQTT connection of the hub, from CONNECT to its end: 3.1.1, clean session. It is never
 * reused: the will is signed for one CONNECT alone. Decides nothing and queues nothing; whoever
 * waits for an acknowledgement is told false when the connection ends. A silent broker is asked
 * whether it is there, and waited for as long as an upload before the question may take.
 */
import { MqttClient } from 'mqtt';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate } from 'node:tls';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { PacketGuard } from '../../protocol/packet-guard.js';
import { Pinger } from '../../protocol/pinger.js';
import type { Clock } from '../../protocol/ports.js';

/** Announced, and from the last packet that was sent to the next question. */
const KEEPALIVE_S = 30;
/** NATS clusters take more than ten seconds to answer. */
const CONNECT_TIMEOUT_MS = 30_000;
/**
 * Packets above this end the connection before they are gathered. Well above a message, so that
 * what is a little too large is acknowledged and dropped instead of coming back at each connect.
 */
const PACKET_BYTES_MAX = 8 * MESSAGE_BYTES_MAX;

export interface BrokerTls {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  /** The broker's certificate must bear one of these, whatever its address. */
  readonly names: readonly string[];
}

export interface BrokerConnectionOptions {
  /** `mqtts://host:port`, or `mqtt://host:port` without TLS. */
  readonly url: string;
  /** Null for `mqtt:` only. */
  readonly tls: BrokerTls | null;
  readonly clientId: string;
  /** Null: none. */
  readonly will: { readonly topic: string; readonly payload: Buffer } | null;
  /** Payloads above the message limit do not get here. */
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
  readonly onOversized: (topic: string, bytes: number) => void;
  readonly clock: Clock;
}

export class BrokerConnection {
  /** True at the CONNACK, false when it did not come to that. */
  readonly accepted: Promise<boolean>;
  /** Resolves with the reason when it is over. */
  readonly over: Promise<string>;
  readonly #ended = new AbortController();
  readonly #client: MqttClient;
  readonly #pinger: Pinger;
  /** Of payloads that the broker has not acknowledged. */
  #unacknowledged = 0;
  readonly #pending = new Set<(done: boolean) => void>();
  #reason = 'closed by the broker';
  #finish: (reason: string) => void = () => undefined;

  /** Throws for a URL that is none, or `mqtts:` without TLS material. */
  constructor(options: BrokerConnectionOptions) {
    const { clientId, will, onMessage, onOversized, clock } = options;
    const openSocket = socketOpener(options);
    this.over = new Promise(resolve => (this.#finish = resolve));
    this.#pinger = new Pinger({
      clock,
      intervalMs: () => KEEPALIVE_S * 1000,
      onAnswer: () => undefined,
      onItsWay: () => ({
        queued: this.#client.stream.writableLength,
        unacknowledged: this.#unacknowledged,
      }),
      onSilence: () => this.cut('the broker does not answer any more'),
    });
    this.#client = new MqttClient(() => this.#guarded(openSocket()), {
      clientId,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      ...(will ? { will: { ...will, qos: 1, retain: true } as const } : {}),
    });
    this.#pinger.drive(this.#client, this.#ended.signal);
    this.#client.on('error', error => this.cut(error.message));
    this.#client.on('close', () => this.cut(this.#reason));
    this.#client.on('message', (topic, payload, { retain }) => {
      if (payload.byteLength > MESSAGE_BYTES_MAX) onOversized(topic, payload.byteLength);
      else onMessage(topic, payload, retain);
    });
    this.accepted = new Promise(resolve => {
      this.#client.on('connect', () => resolve(true));
      void this.over.then(() => resolve(false));
    });
  }

  /** Aborted when it is over. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  connected(): boolean {
    return this.#client.connected && !this.#ended.signal.aborted;
  }

  /** QoS 1. True at the PUBACK, false when there is no connection or it broke before. */
  publish(topic: string, payload: Uint8Array, { retain }: { retain: boolean }): Promise<boolean> {
    return this.#answered(payload.byteLength, settle => {
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      this.#client.publish(topic, bytes, { qos: 1, retain }, error => settle(!error));
    });
  }

  /** True when the broker grants all filters. At most eight (AWS IoT Core). */
  subscribe(filters: readonly string[]): Promise<boolean> {
    return this.#answered(0, settle => {
      this.#client.subscribe([...filters], { qos: 1 }, (error, granted) => {
        settle(!error && (granted ?? []).every(({ qos }) => qos < 128));
      });
    });
  }

  unsubscribe(filter: string): Promise<boolean> {
    return this.#answered(0, settle => this.#client.unsubscribe(filter, error => settle(!error)));
  }

  /** Ends it at once, without DISCONNECT: the broker publishes the will. Later calls do nothing. */
  cut(reason: string): void {
    this.#end(reason, true);
  }

  /** Ends it with DISCONNECT: no will. */
  disconnect(): void {
    this.#end('closed', false);
  }

  #end(reason: string, force: boolean): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    if (force) this.#client.stream?.destroy();
    this.#client.end(force);
    for (const settle of [...this.#pending]) settle(false);
    this.#finish(reason);
  }

  /** `bytes`: of the payload that is said. */
  #answered(bytes: number, ask: (settle: (done: boolean) => void) => void): Promise<boolean> {
    if (!this.connected()) return Promise.resolve(false);
    return new Promise(resolve => {
      const settle = (done: boolean) => {
        if (this.#pending.delete(settle)) this.#unacknowledged -= bytes;
        resolve(done);
      };
      this.#pending.add(settle);
      this.#unacknowledged += bytes;
      ask(settle);
    });
  }

  /** MQTT.js gathers a packet whole before it looks at its length: this looks at each header. */
  #guarded(socket: Socket): Socket {
    const packets = new PacketGuard(PACKET_BYTES_MAX);
    this.#pinger.listen(socket);
    socket.on('error', error => (this.#reason = error.message));
    socket.on('data', (chunk: Buffer) => {
      if (packets.admits(chunk)) return;
      this.#reason = `the broker announced a packet of more than ${PACKET_BYTES_MAX} bytes`;
      socket.destroy();
    });
    return socket;
  }
}

function socketOpener({ url, tls }: BrokerConnectionOptions): () => Socket {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol === 'mqtt:') {
    return () => connectPlain({ host, port: Number(port || 1883), noDelay: true });
  }
  if (protocol !== 'mqtts:') throw new Error(`broker ${url}: must begin with mqtts:// or mqtt://`);
  if (!tls) throw new Error(`broker ${url}: needs a client certificate`);
  const { names, ...material } = tls;
  return () =>
    connectTls({
      host,
      port: Number(port || 8883),
      ...material,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      servername: names.find(name => isIP(name) === 0) ?? '',
      checkServerIdentity: (_host, certificate) => nameFault(names, certificate),
    });
}

function nameFault(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const faults = names.map(name => checkServerIdentity(name, certificate));
  return faults.some(fault => fault === undefined) ? undefined : faults[0];
}
