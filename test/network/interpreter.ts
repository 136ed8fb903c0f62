/**
 * Stands between nodes and broker and speaks MQTT 3.1.1: says PUBLISHes of QoS 1 twice and out of turn, as a sender
 * may that had no answer in time (section 4.4). TLS ends here and begins again: to the node it is the broker, to the
 * broker the node.
 */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { join } from 'node:path';
import type { NetworkWorld } from './world.js';

const PUBLISH = 3;
const DUP = 0x08;
const QOS_MASK = 0x06;
const QOS_1 = 0x02;
/** For so long a message waits for others to overtake it. */
const HELD_MS = 150;
/** What is said again comes up to so much later: newer ones of its kind came in between. */
const AGAIN_MS = 2_000;
/** One in so many. */
const REPEATED = 3;
const OVERTAKEN = 3;

interface Tally {
  up: number;
  down: number;
}

export class Interpreter {
  readonly repeated: Tally = { up: 0, down: 0 };
  readonly overtaken: Tally = { up: 0, down: 0 };
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen({ play, wire, mqtt }: NetworkWorld): Promise<Interpreter> {
    const ca = readFileSync(play.path('hub/pki/ca.crt'));
    const own = pairIn(play.path('mosquitto'), 'server');
    const server = createServer({ ...own, ca, requestCert: true, rejectUnauthorized: true });
    const interpreter = new Interpreter(server);
    server.on('secureConnection', near => {
      const node = String(near.getPeerCertificate().subject.CN);
      const its = pairIn(play.path(node, 'identity'), 'tls');
      const far = connect({ ...its, ca, host: wire.here, port: mqtt });
      interpreter.#join(near, far);
    });
    server.listen(0, wire.here);
    await once(server, 'listening');
    return interpreter;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: TLSSocket, far: TLSSocket): void {
    this.#pass(near, far, 'up');
    this.#pass(far, near, 'down');
  }

  #pass(from: TLSSocket, to: TLSSocket, way: 'up' | 'down'): void {
    this.#sockets.add(from);
    let rest = Buffer.alloc(0);
    let publishes = 0;
    let held = 0;
    const send = (packet: Buffer) => {
      if (to.writable) to.write(packet);
    };
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let packet = firstPacket(rest); packet; packet = firstPacket(rest)) {
        rest = rest.subarray(packet.byteLength);
        if (!isQos1(packet)) {
          send(packet);
          continue;
        }
        publishes++;
        if (publishes % OVERTAKEN === 0) {
          held++;
          setTimeout(() => {
            held--;
            send(packet);
          }, HELD_MS);
          continue;
        }
        send(packet);
        if (held > 0) this.overtaken[way]++;
        if (publishes % REPEATED !== 1) continue;
        this.repeated[way]++;
        const again = Buffer.from(packet);
        again[0] = (again[0] ?? 0) | DUP;
        setTimeout(() => send(again), Math.random() * AGAIN_MS);
      }
    });
  }
}

function pairIn(folder: string, name: string): { key: Buffer; cert: Buffer } {
  return {
    key: readFileSync(join(folder, `${name}.key`)),
    cert: readFileSync(join(folder, `${name}.crt`)),
  };
}

const isQos1 = (packet: Buffer) =>
  (packet[0] ?? 0) >> 4 === PUBLISH && ((packet[0] ?? 0) & QOS_MASK) === QOS_1;

/** The first whole packet; null: more has to come (MQTT 3.1.1, 2.2.3). */
function firstPacket(bytes: Buffer): Buffer | null {
  let length = 0;
  for (let digit = 0; digit < 4; digit++) {
    const byte = bytes[1 + digit];
    if (byte === undefined) return null;
    length += (byte & 0x7f) * 128 ** digit;
    if ((byte & 0x80) !== 0) continue;
    const end = 2 + digit + length;
    return bytes.byteLength >= end ? bytes.subarray(0, end) : null;
  }
  return null;
}
