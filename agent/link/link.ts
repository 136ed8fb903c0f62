/**
 * The node's one MQTT connection (3.1.1, clean session, adaptive keep-alive): connects, subscribes,
 * announces itself, and comes back with jittered back-off from 1 s to 60 s. A new MQTT.js client is
 * built for each CONNECT, because the will is signed for that CONNECT alone. Decides nothing about
 * what messages mean; nothing is queued while it is down.
 */
import { announcedNext, announcedNow } from './announce-again.js';
import { MqttClient, type IClientOptions } from 'mqtt';
import { connect as connectPlain, type Socket } from 'node:net';
import { Pinger } from '../../protocol/pinger.js';
import { backOffMs, isForAll } from './back-off.js';
import { FailureLog } from './failure-log.js';
import type { Link, LinkOptions, Presence } from './link-options.js';
import { meterClient, meterSocket } from './metered.js';
import { limitPackets } from './packet-limit.js';
import { Paths } from './paths.js';
import { Unacknowledged } from './unacknowledged.js';
import { isWebSocket, overWebSocket } from './websocket.js';

/** Without one acknowledgement of what waits for it. Longer than a largest message in front of it may take (packet-limit.ts). */
const STALL_MS = 120_000;
/** NATS clusters take more than ten seconds to answer. */
const CONNECT_TIMEOUT_MS = 30_000;
/** A connection that held this long starts the back-off anew. */
const SETTLED_MS = 30_000;
/** AWS IoT Core takes eight filters in one SUBSCRIBE. */
const FILTERS_MAX = 8;
/** What a broker says to 3.1.1, which has no word for it, when the keep-alive is too long: `identifier rejected` (table 3.1), or Aedes' own. */
const KEEP_ALIVE_REFUSED: readonly unknown[] = [2, 6];

/** Mosquitto's dynamic security lets a certificate in whose client it does not know any more, and grants it nothing. */
const NOTHING_GRANTED = 'not authorized: the broker grants this node none of its topics';

/** Without TLS: for tests, and for a broker on the same machine. */
export function openPlainSocket(broker: URL): Socket {
  return connectPlain({ host: broker.hostname, port: Number(broker.port || 1883) });
}

export function startLink(options: LinkOptions): Link {
  return new MqttLink(options);
}

interface Connecting {
  readonly pinger: Pinger;
  /** To be announced. */
  readonly keepAliveS: number;
  readonly over: AbortSignal;
  readonly onError: (error: Error) => void;
}

class MqttLink implements Link {
  readonly #options: LinkOptions;
  readonly #stop = new AbortController();
  readonly #waiting = new Unacknowledged();
  readonly #done: Promise<void>;
  #client: MqttClient | null = null;
  #presence: Presence | null = null;
  readonly #failures: FailureLog;
  readonly #paths: Paths;
  #keepAliveS = 0;
  #up = false;
  #fault: string | null = null;
  #leaving = false;
  #announced = announcedNow(0);
  /** Said of a connection that does not take the usual way. */
  #way: { readonly over?: string } = {};

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options.log, options.clock);
    const { keepAliveMemory: memory, keepAliveMostS: mostS } = options;
    this.#paths = new Paths({ ...(memory && { memory }), ...(mostS && { mostS }) });
    this.#done = this.#run();
  }

  connected(): boolean {
    return this.#up;
  }

  fault(): string | null {
    return this.#fault;
  }

  keepAliveS(): number {
    return this.#keepAliveS;
  }

  publish(topic: string, payload: Buffer, { retain }: { retain: boolean }): Promise<boolean> {
    const client = this.#client;
    if (!client?.connected) return Promise.resolve(false);
    return this.#waiting.wait(payload.byteLength, settle => {
      client.publish(topic, payload, { qos: 1, retain }, error => settle(!error));
    });
  }

  subscribe(topics: readonly string[]): void {
    const client = this.#client;
    if (!client?.connected || topics.length === 0) return;
    void this.#subscribe(client, topics);
  }

  unsubscribe(topics: readonly string[]): void {
    const client = this.#client;
    if (!client?.connected || topics.length === 0) return;
    // A refused or lost UNSUBSCRIBE costs a message that is not asked for, which is ignored.
    client.unsubscribe([...topics], () => undefined);
  }

  async close(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      if (this.#up && this.#presence) {
        const { topic, will } = this.#presence;
        this.#leaving = true;
        const goodbye = this.publish(topic, will, { retain: true });
        await Promise.race([goodbye, this.#options.clock.sleep(2_000)]);
      }
      this.#stop.abort();
      this.#client?.end(!this.#client.connected);
    }
    await Promise.race([this.#done, this.#options.clock.sleep(2_000)]);
    this.#client?.stream.destroy();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { brokers, clock, random } = this.#options;
    let [attempt, forAll] = [0, false];
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const broker = brokers[turn % brokers.length] ?? '';
      const { upMs, reason, ...ended } = await this.#session(new URL(broker));
      if (this.#stop.signal.aborted) return;
      this.#fault = `${broker}: ${reason}`;
      if (upMs === 0) this.#options.onFailure?.(reason);
      attempt = upMs >= SETTLED_MS ? 0 : attempt;
      // What follows until it is up again belongs to that end.
      if (upMs > 0) forAll = ended.forAll;
      // The next broker is tried at once; a full round without success is a failure.
      const lastOfRound = (turn + 1) % brokers.length === 0;
      const delayMs = lastOfRound || upMs > 0 ? backOffMs(attempt++, random(), forAll) : 0;
      this.#failures.failed({ broker, reason, retryInMs: delayMs });
      await clock.sleep(delayMs, this.#stop.signal);
      // The way that is preferred may be open again.
      if (upMs >= SETTLED_MS) turn = -1;
    }
  }

  /** One connection, from CONNECT to its end. */
  async #session(broker: URL): Promise<{ upMs: number; reason: string; forAll: boolean }> {
    const { clock, log } = this.#options;
    const over = new AbortController();
    let upAt: number | null = null;
    const ending: { isCut: boolean; code: string | null } = { isCut: false, code: null };
    const path = this.#paths.to(broker.href);
    let cut: (because: string) => void = () => undefined;
    const pinger = new Pinger({
      clock,
      intervalMs: () => path.intervalMs(),
      onAnswer: silentMs => path.answered(silentMs),
      onItsWay: () => ({
        queued: this.#client?.stream.writableLength ?? 0,
        unacknowledged: this.#waiting.bytes,
      }),
      onSilence: () => cut('the broker does not answer any more'),
    });
    const reason = await new Promise<string>(resolve => {
      let why = 'closed';
      let client: MqttClient;
      try {
        client = this.#connect(broker, {
          ...{ pinger, keepAliveS: path.mostS, over: over.signal },
          onError: error => {
            why = messageOf(error);
            ending.code = (error as NodeJS.ErrnoException).code ?? 'UNKNOWN';
          },
        });
      } catch (error) {
        resolve(messageOf(error));
        return;
      }
      cut = because => {
        why = because;
        // MQTT.js says what the socket said, too.
        ending.isCut ||= ending.code === null;
        client.end(true);
        resolve(why);
      };
      void this.#loseWhenDeaf(over.signal, because => cut(because));
      client.on('error', error => {
        if (KEEP_ALIVE_REFUSED.includes((error as { code?: unknown }).code)) path.refused();
        cut(messageOf(error));
      });
      client.on('close', () => {
        client.end(true);
        resolve(why);
      });
      client.on('message', (topic, payload) => this.#receive(topic, payload));
      client.on('connect', () => {
        upAt = clock.monotonic();
        this.#announce(client).then(
          isGranted => {
            if (isGranted) return;
            upAt = null;
            cut(NOTHING_GRANTED);
          },
          (error: unknown) => {
            log.error('announcing the node failed', { reason: messageOf(error) });
            cut(messageOf(error));
          },
        );
      });
    });
    over.abort();
    const [diedAfterMs, silentMs] = [pinger.diedAfterMs(), pinger.silentMs()];
    const forAll = isForAll({ ...ending, isForgotten: diedAfterMs !== null });
    const upMs = upAt === null ? 0 : Math.max(1, clock.monotonic() - upAt);
    if (!this.#stop.signal.aborted) {
      if (diedAfterMs !== null) path.died(diedAfterMs);
      else if (upMs > 0 && forAll && silentMs !== null) path.closedInSilence(silentMs);
    }
    this.#lost();
    return { upMs, reason, forAll };
  }

  /** A broker that still answers keep-alives, and nothing else, is as good as gone. */
  async #loseWhenDeaf(over: AbortSignal, cut: (reason: string) => void): Promise<void> {
    const isWaiting = () => !this.#up || this.#waiting.count > 0;
    for (;;) {
      const before = this.#waiting.answers;
      const hadToWait = isWaiting();
      await this.#options.clock.sleep(STALL_MS, over);
      if (over.aborted) return;
      if (hadToWait && isWaiting() && this.#waiting.answers === before) {
        return cut(`the broker acknowledged nothing for ${STALL_MS / 1000} s`);
      }
    }
  }

  /** MQTT.js is silent about socket errors without a code: `onError` hears them all. */
  #connect(broker: URL, { pinger, keepAliveS, over, onError }: Connecting): MqttClient {
    const { clientId, openSocket, presence, clock, onSlow, meter } = this.#options;
    const made = presence();
    const options: IClientOptions = {
      clientId,
      protocolVersion: 4,
      clean: true,
      keepalive: keepAliveS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      will: { topic: made.topic, payload: made.will, qos: 1, retain: true },
    };
    const client = new MqttClient(() => {
      const socket = openSocket(broker);
      socket.on('error', onError);
      if (meter) meterSocket(socket, meter);
      const stream = isWebSocket(broker) ? overWebSocket(socket, broker) : socket;
      if (stream !== socket) stream.on('error', onError);
      pinger.listen(stream);
      limitPackets(stream, { clock, ...(onSlow ? { onSlow } : {}) });
      return stream;
    }, options);
    pinger.drive(client, over);
    if (meter) meterClient(client, meter);
    this.#way = isWebSocket(broker) ? { over: `WebSocket, ${broker.href}` } : {};
    this.#keepAliveS = keepAliveS;
    this.#client = client;
    this.#presence = made;
    return client;
  }

  /**
   * The birth comes after the subscriptions: whoever sees the node online may speak to it. False: the broker was there, and refused
   * them all.
   */
  async #announce(client: MqttClient): Promise<boolean> {
    const { topics } = this.#options;
    const refused = await this.#subscribe(client, topics);
    if (client.connected && topics.length > 0 && refused === topics.length) return false;
    const presence = this.#presence;
    if (client !== this.#client || !presence) return true;
    this.#announced = announcedNow(this.#options.clock.monotonic());
    if (!(await this.publish(presence.topic, presence.birth, { retain: true }))) return true;
    if (client !== this.#client || !client.connected) return true;
    this.#up = true;
    this.#fault = null;
    this.#failures.mended();
    this.#options.log.info('connected to the broker', this.#way);
    this.#options.onUp();
    return true;
  }

  /** How many the broker refused. */
  async #subscribe(client: MqttClient, topics: readonly string[]): Promise<number> {
    let refused = 0;
    for (let i = 0; i < topics.length; i += FILTERS_MAX) {
      const filters = topics.slice(i, i + FILTERS_MAX);
      await this.#waiting.wait(0, settle => {
        client.subscribe(filters, { qos: 1 }, error => {
          if (error && client.connected) {
            const { message: reason } = error;
            refused += refusedIn(error);
            this.#options.log.warn('the broker refuses a subscription', { reason });
          }
          settle(!error);
        });
      });
    }
    return refused;
  }

  #receive(topic: string, payload: Buffer): void {
    const presence = this.#presence;
    if (presence && topic === presence.topic) {
      const foreign = !payload.equals(presence.birth);
      if (this.#up && foreign && !this.#leaving) void this.#announceAgain(presence);
      return;
    }
    try {
      this.#options.onMessage(topic, payload);
    } catch (error) {
      this.#options.log.error('a message could not be handled', {
        topic,
        reason: messageOf(error),
      });
    }
  }

  /** The broker holds something else than what this connection announced. */
  async #announceAgain(presence: Presence): Promise<void> {
    const { clock } = this.#options;
    const next = announcedNext(this.#announced, clock.monotonic());
    if (next === null) return;
    this.#announced = next;
    await clock.sleep(next.at - clock.monotonic(), this.#stop.signal);
    if (this.#presence !== presence || !this.#up || this.#leaving) return;
    await this.publish(presence.topic, presence.birth, { retain: true });
  }

  #lost(): void {
    const wasUp = this.#up;
    this.#up = false;
    this.#client = null;
    this.#waiting.lose();
    if (wasUp) this.#options.onDown();
  }
}

/** Of the filters of one SUBSCRIBE (MQTT 3.1.1, 3.9.3: 0x80). */
function refusedIn(error: Error): number {
  const { packet } = error as { packet?: { granted?: readonly number[] } };
  return packet?.granted?.filter(code => code >= 0x80).length ?? 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
