/**
 * MQTT 3.1.1 on a TLS socket, as small as it can be: ten thousand of them fit into one process, where MQTT.js takes more than twice the
 * memory. QoS 1 both ways; what comes is acknowledged when it was handed over. Never connects again by itself.
 */
import { generate, parser as packetParser, type Packet } from 'mqtt-packet';
import type { TLSSocket } from 'node:tls';

export interface RawOptions {
  readonly socket: TLSSocket;
  readonly clientId: string;
  readonly keepAliveS: number;
  readonly will: { readonly topic: string; readonly payload: Buffer } | null;
  /** `isOld`: it lay on the broker before anybody asked. */
  readonly onMessage: (topic: string, payload: Buffer, isOld: boolean) => void;
  /** Once, however it ended; not after `destroy`. */
  readonly onEnd: (reason: string) => void;
}

export class RawClient {
  readonly #options: RawOptions;
  readonly #waiting = new Map<number, () => void>();
  readonly #pinging: NodeJS.Timeout;
  #messageId = 0;
  #isOver = false;

  private constructor(options: RawOptions, onAccepted: (code: number) => void) {
    this.#options = options;
    const { socket, clientId, keepAliveS, will } = options;
    const parser = packetParser({ protocolVersion: 4 });
    parser.on('packet', (packet: Packet) => {
      if (packet.cmd === 'connack') onAccepted(packet.returnCode ?? 0);
      else this.#receive(packet);
    });
    parser.on('error', (error: unknown) => this.#end(String(error)));
    socket.on('data', (bytes: Buffer) => void parser.parse(bytes));
    socket.on('error', (error: Error) => this.#end(error.message));
    socket.on('close', () => this.#end('closed'));
    socket.setNoDelay(true);
    this.#send({
      ...({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true } as const),
      ...{ clientId, keepalive: keepAliveS },
      ...(will && { will: { ...will, qos: 1, retain: true } }),
    });
    this.#pinging = setInterval(() => this.#send({ cmd: 'pingreq' }), (keepAliveS * 1000) / 2);
  }

  /** Rejects when the connection ends before the broker accepts it. */
  static connect(options: RawOptions): Promise<RawClient> {
    return new Promise((done, fail) => {
      let isAccepted = false;
      const onEnd = (reason: string) => {
        if (isAccepted) options.onEnd(reason);
        else fail(new Error(reason));
      };
      const client = new RawClient({ ...options, onEnd }, code => {
        isAccepted = code === 0;
        if (isAccepted) done(client);
        else client.#end(`refused with code ${code}`);
      });
    });
  }

  /** Resolves when the broker has acknowledged it; never after the connection ended. */
  subscribe(topics: readonly string[]): Promise<void> {
    const subscriptions = topics.map(topic => ({ topic, qos: 1 as const }));
    return this.#asked(messageId => this.#send({ cmd: 'subscribe', messageId, subscriptions }));
  }

  unsubscribe(topics: readonly string[]): void {
    const unsubscriptions = [...topics];
    void this.#asked(messageId => this.#send({ cmd: 'unsubscribe', messageId, unsubscriptions }));
  }

  /** Resolves with the PUBACK; never after the connection ended. */
  publish(topic: string, payload: Buffer, retain: boolean): Promise<void> {
    return this.#asked(messageId =>
      this.#send({ cmd: 'publish', topic, payload, qos: 1, retain, dup: false, messageId }),
    );
  }

  /** As if its power were cut: the broker publishes the will. */
  destroy(): void {
    this.#isOver = true;
    clearInterval(this.#pinging);
    this.#waiting.clear();
    this.#options.socket.destroy();
  }

  #asked(send: (messageId: number) => void): Promise<void> {
    return new Promise(done => {
      if (this.#isOver) return;
      this.#messageId = (this.#messageId % 0xffff) + 1;
      this.#waiting.set(this.#messageId, done);
      send(this.#messageId);
    });
  }

  #receive(packet: Packet): void {
    if (packet.cmd === 'publish') {
      this.#options.onMessage(packet.topic, Buffer.from(packet.payload), packet.retain);
      if (packet.qos === 1) this.#send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
      return;
    }
    const { messageId = 0 } = packet;
    this.#waiting.get(messageId)?.();
    this.#waiting.delete(messageId);
  }

  #send(packet: Packet): void {
    if (!this.#isOver) this.#options.socket.write(generate(packet));
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.destroy();
    this.#options.onEnd(reason);
  }
}
