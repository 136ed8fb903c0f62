/**
 * The hub's link to its broker: connects, subscribes to what nodes say, announces a session and
 * keeps the publisher going; comes back with jittered back-off from 1 s to 30 s. What a message
 * means is judged behind `onMessage`. Nothing is kept while it is down: desired state is in the
 * store, and what else is lost the nodes ask for again.
 */
import type { HubDocument } from '../../protocol/documents/hub.js';
import { sealPacked } from '../../protocol/envelope.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import { fractionOf, hubBackOffMs } from './back-off.js';
import { BrokerConnection } from './broker-connection.js';
import type { HubLink, HubLinkOptions, Received } from './link-options.js';
import { nodeMessenger } from './messenger.js';
import { NODE_KINDS, type NodeMessenger } from './messages.js';
import { planPublications, type PublishReason } from './publisher-decide.js';
import { startPublisher, type Publisher } from './publisher.js';

import { SendWindow } from './send-window.js';
import { WaitingAcks } from './waiting-acks.js';

/** Equals the common name of the hub's certificate. */
const CLIENT_ID = 'flotilla-hub';
/** A connection that held this long starts the back-off anew. */
const SETTLED_MS = 30_000;
const MARK_WAIT_MS = 5_000;
const WINDOW = 100;
/** A broker that acknowledges nothing this long is given up. As for a node: longer than a largest message may take at 2 kB/s. */
const STALL_MS = 120_000;
const ANNOUNCE_AGAIN_MS = 5_000;
const GOODBYE_MS = 2_000;

/** Begins to connect at once. Throws for a URL that is none. */
export function startHubLink(options: HubLinkOptions): HubLink {
  return new MqttHubLink(options);
}

/** What belongs to one CONNECT. */
interface Session {
  readonly connection: BrokerConnection;
  readonly window: SendWindow;
  readonly acks: WaitingAcks;
  readonly birth: Buffer;
  readonly will: Buffer;
  readonly readMark: (payload: Buffer) => void;
  readonly mark: Promise<Buffer>;
  publisher: Publisher | null;
  /** Monotonic time of the newest birth; null: not announced yet. */
  announcedAt: number | null;
  up: boolean;
  /** What its guests receive, by topic filter. */
  readonly receivers: ((message: Received) => boolean)[];
}

class MqttHubLink implements HubLink {
  readonly messenger: NodeMessenger;
  readonly #options: HubLinkOptions;
  readonly #topics: Topics;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #session: Session | null = null;
  #fresh: boolean;
  #isRenewing = false;
  #wasUp = false;
  #covered: number | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: HubLinkOptions) {
    this.#options = options;
    this.#topics = topicsOf(options.root().document.fleet);
    this.#fresh = options.brokerIsFresh;
    const { log, hubSigner } = options;
    const session = () => (this.#session?.connection.connected() ? this.#session : null);
    this.messenger = nodeMessenger({ session, topics: this.#topics, hubSigner, log });
    const first = this.#open();
    this.#done = this.#run(first);
  }

  connected(): boolean {
    return this.#session?.up === true && this.#session.connection.connected();
  }

  covered(): number | null {
    return (this.#covered = this.#session?.publisher?.covered() ?? this.#covered);
  }

  renew(): void {
    const session = this.#session;
    if (!session || this.#stop.signal.aborted) return;
    this.#isRenewing = true;
    // A mark by the new key first: one by the former would not be believed, and everything be published again.
    void this.#inTime(Promise.resolve(session.publisher?.stop())).then(() =>
      session.connection.disconnect(),
    );
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    const session = this.#session;
    if (session?.connection.connected() && session.announcedAt !== null) {
      const { connection, publisher, will } = session;
      const goodbye = Promise.all([
        publisher?.stop(),
        connection.publish(this.#topics.hub(), will, { retain: true }),
      ]);
      await this.#inTime(goodbye);
    }
    session?.connection.disconnect();
    await this.#done;
  }

  async #inTime(goodbye: Promise<unknown>): Promise<void> {
    const enough = new AbortController();
    await Promise.race([goodbye, this.#options.clock.sleep(GOODBYE_MS, enough.signal)]);
    enough.abort();
  }

  async #run(first: Session): Promise<void> {
    const { clock, log, random, url } = this.#options;
    let session = first;
    for (let attempt = 0; ;) {
      const { upMs, reason } = await this.#attend(session);
      if (this.#stop.signal.aborted) return;
      if (this.#isRenewing) {
        this.#isRenewing = false;
        session = this.#open();
        continue;
      }
      if (upMs >= SETTLED_MS) attempt = 0;
      const delayMs = hubBackOffMs(attempt++, fractionOf(random(4)));
      log.warn('no connection to the broker', { broker: url, reason, retryInMs: delayMs });
      await clock.sleep(delayMs, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      session = this.#open();
    }
  }

  #open(): Session {
    const { url, tls, random, log, clock } = this.#options;
    const id = Buffer.from(random(16)).toString('hex');
    const will = this.#presence(id, false);
    let readMark: (payload: Buffer) => void = () => undefined;
    const mark = new Promise<Buffer>(resolve => (readMark = resolve));
    const connection = new BrokerConnection({
      ...{ url, tls, clock },
      clientId: CLIENT_ID,
      will: { topic: this.#topics.hub(), payload: will },
      onMessage: (topic, payload, retained) => this.#receive(session, { topic, payload, retained }),
      onOversized: (topic, bytes) => log.warn('message too large: dropped', { topic, bytes }),
    });
    const session: Session = {
      connection,
      window: new SendWindow(WINDOW),
      acks: new WaitingAcks(),
      birth: this.#presence(id, true),
      will,
      readMark,
      mark,
      publisher: null,
      announcedAt: null,
      up: false,
      receivers: [],
    };
    this.#session = session;
    return session;
  }

  #presence(session: string, online: boolean): Buffer {
    const { root, hubSigner, sealingKey } = this.#options;
    const { fleet, epoch } = root().document;
    const document: HubDocument = { fleet, epoch, session, online, sealingKey };
    return sealPacked('hub', document, [hubSigner]);
  }

  /** From CONNECT to the end of the connection. */
  async #attend(session: Session): Promise<{ upMs: number; reason: string }> {
    const { clock, onUp, onDown } = this.#options;
    const { connection, window } = session;
    let upMs = 0;
    if (await connection.accepted) {
      const since = clock.monotonic();
      onUp?.();
      void this.#watch(session);
      void this.#announce(session).catch((error: unknown) => connection.cut(messageOf(error)));
      await connection.over;
      this.covered();
      onDown?.();
      upMs = clock.monotonic() - since;
    }
    window.close();
    return { upMs, reason: await connection.over };
  }

  /** The birth comes last: whoever sees the session may speak to the hub and is heard. */
  async #announce(session: Session): Promise<void> {
    const { store, root, clock, log, hubSigner } = this.#options;
    const { connection, window, birth } = session;
    const fresh = this.#fresh;
    this.#fresh = false;
    // Before the first retained message comes.
    this.#invite(session);
    await this.#subscribe(session);
    const mark = fresh ? null : await this.#markInTime(session);
    const [id, last] = await Promise.all([store.id(), store.lastPublication()]);
    if (connection.ended.aborted || this.#stop.signal.aborted) return;
    const plan = planPublications({ fresh, mark, root: root(), store: id, last });
    const { fleet } = root().document;
    session.publisher = startPublisher({
      epoch: () => root().document.epoch,
      ...{ store, fleet, clock, log, window, signal: connection.ended },
      after: plan.after,
      marked: plan.reason === 'UpToDate' || plan.reason === 'Behind' ? plan.after : null,
      send: (topic, payload) => connection.publish(topic, payload, { retain: true }),
      sendMark: number => {
        const signed = sealPacked('mark', { fleet, store: id, number }, [hubSigner]);
        return connection.publish(this.#topics.mark(), signed, { retain: true });
      },
      onFailure: reason => connection.cut(reason),
    });
    await session.publisher.begun;
    if (this.#stop.signal.aborted) return;
    session.announcedAt = clock.monotonic();
    if (!(await connection.publish(this.#topics.hub(), birth, { retain: true }))) return;
    session.up = true;
    this.#lookForAnother(plan.reason);
    const publications = last - plan.after;
    log.info('connected to the broker', { why: plan.reason, after: plan.after, publications });
  }

  /** Between two connections of this process only who has the hub's key, and another store, can have put a mark there. */
  #lookForAnother(reason: PublishReason): void {
    if (this.#wasUp && reason === 'OtherStore') {
      this.#options.log.error(
        "another hub with this hub's keys is at work: a copy of it, or its backup restored while it lives. Stop one of " +
          'the two; if nodes are then AheadOfHub, take a backup of the one that is left and restore it',
      );
    }
    this.#wasUp = true;
  }

  /** The mark first: a broker may drop retained messages beyond its queue limit (Mosquitto: 1,020). */
  async #subscribe({ connection }: Session): Promise<void> {
    const topics = this.#topics;
    const granted = await Promise.all([
      connection.subscribe([topics.mark(), topics.hub()]),
      connection.subscribe(NODE_KINDS.map(kind => topics.everyNode(kind))),
    ]);
    if (granted.includes(false) && connection.connected()) {
      this.#options.log.error("the broker refuses the hub's subscriptions: check its access rules");
    }
  }

  #invite(session: Session): void {
    const { connection } = session;
    for (const guest of this.#options.guests ?? []) {
      const receive = guest({
        ended: connection.ended,
        publish: (topic, payload, how) => connection.publish(topic, payload, how),
        subscribe: filters => connection.subscribe(filters),
        covered: () => session.publisher?.covered() ?? 0,
      });
      session.receivers.push(receive);
    }
  }

  async #markInTime({ connection, mark }: Session): Promise<Buffer | null> {
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, connection.ended, this.#stop.signal]);
    const late = this.#options.clock.sleep(MARK_WAIT_MS, signal).then(() => null);
    const read = await Promise.race([mark, late]);
    enough.abort();
    void connection.unsubscribe(this.#topics.mark());
    return read;
  }

  async #watch({ connection, window }: Session): Promise<void> {
    while (!connection.ended.aborted) {
      const before = window.released();
      const wasInUse = window.inUse() > 0;
      await this.#options.clock.sleep(STALL_MS, connection.ended);
      if (wasInUse && window.inUse() > 0 && window.released() === before) {
        connection.cut(`the broker acknowledged nothing for ${STALL_MS / 1000} s`);
      }
    }
  }

  #receive(session: Session, message: Received): void {
    const { topic, payload, retained } = message;
    if (session.receivers.some(receive => receive(message))) return;
    const address = this.#topics.parse(topic);
    if (address?.kind === 'mark') return session.readMark(payload);
    if (address?.kind === 'hub') {
      if (session.announcedAt !== null && !payload.equals(session.birth)) {
        void this.#announceAgain(session, session.announcedAt);
      }
      return;
    }
    const kind = NODE_KINDS.find(known => known === address?.kind);
    if (!kind || !address || !('node' in address)) return;
    try {
      this.#options.onMessage({ kind, node: address.node, rest: address.rest, payload, retained });
    } catch (error) {
      const reason = messageOf(error);
      this.#options.log.error('a message could not be handled', { topic, reason });
    }
  }

  /** The will of a former connection came late, or somebody replays one: at most every five seconds. */
  async #announceAgain(session: Session, announcedAt: number): Promise<void> {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (announcedAt > now) return;
    session.announcedAt = Math.max(now, announcedAt + ANNOUNCE_AGAIN_MS);
    await clock.sleep(session.announcedAt - now, session.connection.ended);
    if (this.#stop.signal.aborted) return;
    await session.connection.publish(this.#topics.hub(), session.birth, { retain: true });
  }

  async frame(node: string, request: string, payload: Uint8Array): Promise<boolean> {
    const session = this.#session;
    if (!session?.connection.connected()) return false;
    if (!(await session.window.take('message'))) return false;
    const topic = this.#topics.node(node, 'stream', request);
    const sent = await session.connection.publish(topic, payload, { retain: false });
    session.window.release();
    return sent;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
