/**
 * An MQTT 3.1.1 broker in memory: retained messages, QoS 1, wills, one session per client id. Everything takes its time
 * on the way; lines are cut, messages are lost behind an acknowledgement, come twice or in another order, and the broker
 * forgets all it kept, as far as the history says so.
 */
import type { Line, SimulatedClient, Will } from './mqtt-client.js';
import { Actor, type Scheduler } from './scheduler.js';

interface Session {
  readonly client: SimulatedClient;
  readonly actor: Actor;
  readonly exact: Set<string>;
  readonly wild: Set<string>;
  isOpen: boolean;
  /** When the newest message arrives at either end: the next comes no sooner. */
  upAt: number;
  downAt: number;
}

/** What goes wrong with messages, each by itself, from 0 to 1. */
export interface Trouble {
  /** Acknowledged and not passed on. */
  readonly lost: number;
  /** Passed on again, within ten seconds. */
  readonly twice: number;
  /** Overtaken by others, by up to ten seconds. */
  readonly late: number;
}

export const NO_TROUBLE: Trouble = { lost: 0, twice: 0, late: 0 };

/** What a broker takes at the most to see that a client is gone: one and a half keep-alives. */
const NOTICE_MS = 90_000;
const LATE_MS = 10_000;

export interface BrokerParts {
  readonly scheduler: Scheduler;
  readonly random: () => number;
  readonly trace: (line: string) => void;
  /** Everything that reaches the broker. */
  readonly onPublish: (clientId: string, topic: string, payload: Buffer) => void;
}

export class SimulatedBroker implements Line {
  readonly retained = new Map<string, Buffer>();
  trouble = NO_TROUBLE;
  readonly #parts: BrokerParts;
  readonly #actor = new Actor('broker');
  readonly #sessions = new Map<SimulatedClient, Session>();
  readonly #unreachable = new Set<string>();
  #isUp = true;
  #saved: ReadonlyMap<string, Buffer> = new Map();

  constructor(parts: BrokerParts) {
    this.#parts = parts;
  }

  // ---------------------------------------------------------------------------------------------- faults

  /** No way between this client and the broker; whoever is connected hears of it at once, or after a while. */
  cut(clientId: string, isSilent: boolean): void {
    this.#unreachable.add(clientId);
    this.drop(clientId, isSilent);
  }

  mend(clientId: string): void {
    this.#unreachable.delete(clientId);
  }

  /** The connection ends without a word. */
  drop(clientId: string, isSilent: boolean): void {
    const { random } = this.#parts;
    for (const session of [...this.#sessions.values()]) {
      if (session.client.clientId !== clientId) continue;
      this.#lose(session, isSilent ? random() * NOTICE_MS : 0);
      this.#tellOver(session, isSilent ? random() * NOTICE_MS : 0, 'read ECONNRESET');
    }
  }

  /** On its disk: what it may begin with again. */
  save(): void {
    this.#saved = new Map(this.retained);
  }

  /** It loses what it kept: all, or what came since it was saved. */
  stop({ forgets }: { readonly forgets: 'nothing' | 'everything' | 'unsaved' }): void {
    this.#isUp = false;
    for (const session of this.#sessions.values()) this.#tellOver(session, 0, 'read ECONNRESET');
    this.#sessions.clear();
    if (forgets === 'nothing') return;
    this.retained.clear();
    if (forgets === 'everything') return;
    for (const [topic, payload] of this.#saved) this.retained.set(topic, payload);
  }

  start(): void {
    this.#isUp = true;
  }

  // ------------------------------------------------------------------------------------------ connections

  connect(client: SimulatedClient): void {
    const { scheduler } = this.#parts;
    const { actor } = scheduler;
    if (!actor) throw new Error('nobody connects');
    const session: Session = {
      ...{ client, actor, exact: new Set<string>(), wild: new Set<string>() },
      ...{ isOpen: false, upAt: 0, downAt: 0 },
    };
    this.#up(session, () => {
      if (!this.#isUp || this.#unreachable.has(client.clientId)) {
        return this.#tellOver(session, 0, 'connect ECONNREFUSED');
      }
      for (const other of [...this.#sessions.values()]) {
        if (other.client.clientId !== client.clientId) continue;
        this.#lose(other, 0);
        this.#tellOver(other, 0, 'taken over');
      }
      session.isOpen = true;
      this.#sessions.set(client, session);
      this.#down(session, () => {
        client.connected = true;
        client.emit('connect');
      });
    });
  }

  leave(client: SimulatedClient, politely: boolean): void {
    const session = this.#sessions.get(client);
    const { scheduler } = this.#parts;
    if (session) {
      this.#up(session, () => {
        if (politely) this.#sessions.delete(client);
        else this.#lose(session, 0);
      });
    }
    if (scheduler.actor) scheduler.after(0, scheduler.actor, () => client.emit('close'));
  }

  publish(client: SimulatedClient, { topic, payload, retain }: Will, done: () => void): void {
    const session = this.#sessions.get(client);
    if (!session) return;
    this.#up(session, () => {
      this.#parts.onPublish(client.clientId, topic, payload);
      this.#pass({ topic, payload, retain });
      this.#down(session, done);
    });
  }

  subscribe(client: SimulatedClient, filters: readonly string[], done: () => void): void {
    const session = this.#sessions.get(client);
    if (!session) return;
    this.#up(session, () => {
      this.#down(session, done);
      for (const filter of filters) {
        (filter.includes('+') ? session.wild : session.exact).add(filter);
        const found = filter.includes('+')
          ? [...this.retained].filter(([topic]) => matches(filter, topic))
          : [[filter, this.retained.get(filter)] as const];
        for (const [topic, payload] of found) {
          if (payload) this.#hand(session, { topic, payload, retain: true });
        }
      }
    });
  }

  unsubscribe(client: SimulatedClient, filters: readonly string[], done: () => void): void {
    const session = this.#sessions.get(client);
    if (!session) return;
    this.#up(session, () => {
      for (const filter of filters) {
        session.exact.delete(filter);
        session.wild.delete(filter);
      }
      this.#down(session, done);
    });
  }

  // --------------------------------------------------------------------------------------------- messages

  #pass({ topic, payload, retain }: Will): void {
    this.#parts.trace(`${shortTopic(topic)}${payload.length === 0 ? ' cleared' : ''}`);
    if (retain && payload.length === 0) this.retained.delete(topic);
    else if (retain) this.retained.set(topic, payload);
    const { random } = this.#parts;
    for (const session of this.#sessions.values()) {
      const isMeant =
        session.exact.has(topic) || [...session.wild].some(filter => matches(filter, topic));
      if (!isMeant || random() < this.trouble.lost) continue;
      this.#hand(session, { topic, payload, retain: false });
      if (random() < this.trouble.twice) {
        this.#hand(session, { topic, payload, retain: false }, random() * LATE_MS);
      }
    }
  }

  #hand(session: Session, { topic, payload, retain }: Will, moreMs = 0): void {
    const { random, scheduler } = this.#parts;
    const { client, actor } = session;
    const deliver = () => {
      if (client.connected) client.emit('message', topic, payload, { retain });
    };
    const lateMs = random() < this.trouble.late ? random() * LATE_MS : moreMs;
    if (lateMs > 0) scheduler.after(lateMs, actor, deliver);
    else this.#down(session, deliver);
  }

  /** On the way to the broker, one behind the other. */
  #up(session: Session, arrive: () => void): void {
    const { scheduler } = this.#parts;
    const isNew = !session.isOpen;
    session.upAt = Math.max(session.upAt, scheduler.now + this.#latencyMs());
    scheduler.after(session.upAt - scheduler.now, this.#actor, () => {
      if (isNew || this.#sessions.has(session.client)) arrive();
    });
  }

  #down(session: Session, arrive: () => void): void {
    const { scheduler } = this.#parts;
    session.downAt = Math.max(session.downAt, scheduler.now + this.#latencyMs());
    scheduler.after(session.downAt - scheduler.now, session.actor, () => {
      if (session.client.isOver || !this.#sessions.has(session.client)) return;
      session.client.heard();
      arrive();
    });
  }

  #latencyMs(): number {
    return 1 + Math.floor(this.#parts.random() * 30);
  }

  /** The broker sees that the client is gone: its will is published. */
  #lose(session: Session, noticeMs: number): void {
    if (!this.#sessions.delete(session.client)) return;
    session.isOpen = false;
    const { will } = session.client;
    if (!will) return;
    this.#parts.scheduler.after(noticeMs, this.#actor, () => this.#pass(will));
  }

  #tellOver({ client, actor }: Session, afterMs: number, reason: string): void {
    this.#parts.scheduler.after(afterMs, actor, () => {
      if (client.isOver) return;
      client.connected = false;
      client.isOver = true;
      client.emit('error', new Error(reason));
      client.emit('close');
    });
  }
}

function matches(filter: string, topic: string): boolean {
  const [wanted, found] = [filter.split('/'), topic.split('/')];
  return wanted.length === found.length && wanted.every((w, i) => w === '+' || w === found[i]);
}

/** Without prefix and fleet; digests cut. */
export function shortTopic(topic: string): string {
  return topic
    .split('/')
    .slice(3)
    .join('/')
    .replace(/[0-9a-f]{56}$/, '');
}
