/**
 * What stands in for MQTT.js in agent and hub: the same calls and events, straight to the simulated broker. One client
 * is one connection, as the links use it (`reconnectPeriod: 0`, clean session, QoS 1). Decides nothing.
 */
import { EventEmitter } from 'node:events';

export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

export interface Granted {
  readonly topic: string;
  readonly qos: number;
}

/** The broker's end of a connection, as a client sees it. */
export interface Line {
  connect(client: SimulatedClient): void;
  publish(client: SimulatedClient, message: Will, done: () => void): void;
  subscribe(client: SimulatedClient, filters: readonly string[], done: () => void): void;
  unsubscribe(client: SimulatedClient, filters: readonly string[], done: () => void): void;
  /** `politely`: with DISCONNECT, so that there is no will. */
  leave(client: SimulatedClient, politely: boolean): void;
}

let line: Line | null = null;

/** Where clients that are made from now on connect to. */
export function useLine(broker: Line | null): void {
  line = broker;
}

interface Options {
  readonly clientId: string;
  readonly will?: Will;
  readonly keepalive?: number;
}

const PINGRESP = Buffer.from([0xd0, 0]);

type Done = (error?: Error | null, granted?: readonly Granted[]) => void;

export class SimulatedClient extends EventEmitter {
  readonly clientId: string;
  readonly will: Will | null;
  readonly stream: EventEmitter & { destroy: () => void };
  readonly options: { keepalive?: number };
  connected = false;
  isOver = false;

  constructor(openSocket: () => EventEmitter & { destroy: () => void }, options: Options) {
    super();
    this.clientId = options.clientId;
    this.will = options.will ?? null;
    this.options = { keepalive: options.keepalive ?? 0 };
    this.stream = openSocket();
    this.stream.on('destroyed', () => this.end(true));
    this.on('error', () => undefined);
    line?.connect(this);
  }

  publish(topic: string, payload: Buffer, how: { readonly retain: boolean }, done: Done): this {
    this.emit('packetsend', { cmd: 'publish', topic, payload, length: payload.length });
    line?.publish(this, { topic, payload, retain: how.retain }, () => done(null));
    return this;
  }

  /** Answered like everything else: bytes come. */
  sendPing(): void {
    this.emit('packetsend', { cmd: 'pingreq', length: 2 });
    line?.unsubscribe(this, [], () => undefined);
  }

  subscribe(filters: readonly string[], _how: object, done: Done): this {
    const granted = filters.map(topic => ({ topic, qos: 1 }));
    line?.subscribe(this, filters, () => done(null, granted));
    return this;
  }

  unsubscribe(filters: string | readonly string[], done: Done): this {
    line?.unsubscribe(this, [filters].flat(), () => done(null));
    return this;
  }

  /** Something came. */
  heard(): void {
    this.stream.emit('data', PINGRESP);
  }

  end(force = false): this {
    if (this.isOver) return this;
    this.isOver = true;
    this.connected = false;
    line?.leave(this, !force);
    return this;
  }
}
