/**
 * Whoever holds the hub's key and the broker: commands a node as the hub does, with its real end of a stream, and may change
 * what goes either way.
 */
import { generateKeyPairSync } from 'node:crypto';
import { connect, type MqttClient } from 'mqtt';
import { commandAsk } from '../../../hub/streams/command-ask.js';
import { HubStream } from '../../../hub/streams/hub-stream.js';
import type { StreamAsk, StreamEnd } from '../../../hub/streams/streams.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { CommandDocument } from '../../../protocol/documents/command.js';
import type { OpeningDocument, PresenceDocument } from '../../../protocol/documents/node.js';
import { seal } from '../../../protocol/envelope.js';
import type { Signer } from '../../../protocol/keys.js';
import { FrameSealer, isFrame, streamKeys } from '../../../protocol/stream-seal.js';
import { openNodeDocument } from '../../../protocol/verify-messages.js';
import { randomHex } from '../docker.js';
import { eventually } from '../wait.js';
import { NODE } from './cast.js';
import { payloadOf } from './documents.js';
import type { Victim } from './victim.js';

/** Which frames are really sent in place of one; numbered from 0. */
export type Tamper = (frame: Buffer, n: number, before: readonly Buffer[]) => readonly Buffer[];
const HONEST: Tamper = frame => [frame];

interface Opening {
  readonly to?: Tamper;
  readonly from?: Tamper;
  /** How long the node has for its answer. */
  readonly withinMs?: number;
}

export interface Commanded {
  readonly stream: HubStream;
  readonly request: string;
  /** The command as it was sent. */
  readonly payload: Buffer;
  /** Frames as they were made, in order. */
  readonly frames: readonly Buffer[];
  readonly opening: OpeningDocument;
  readonly stdout: () => string;
  /** Seals what the hub's end would never send, numbered on from its frames. */
  readonly sealer: () => FrameSealer;
  readonly end: Promise<StreamEnd>;
}

export class Commander {
  readonly #victim: Victim;
  readonly #client: MqttClient;
  /** By request. */
  readonly #replies = new Map<string, Buffer[]>();
  readonly #listeners = new Map<string, (frame: Buffer) => void>();
  #n = Date.now();

  private constructor(victim: Victim, client: MqttClient) {
    this.#victim = victim;
    this.#client = client;
    client.on('message', (topic, payload) => {
      const address = victim.topics.parse(topic);
      const request = address && 'rest' in address ? (address.rest ?? '') : '';
      this.#replies.set(request, [...(this.#replies.get(request) ?? []), payload]);
      this.#listeners.get(request)?.(payload);
    });
  }

  static async over(victim: Victim): Promise<Commander> {
    const { url, tls } = victim.broker();
    const client = connect(url, { ...tls, clientId: 'flotilla-hub:commander', protocolVersion: 4 });
    client.on('error', () => undefined);
    await eventually('the commander to connect', () => client.connected);
    await client.subscribeAsync(victim.topics.everyNode('reply'), { qos: 1 });
    return new Commander(victim, client);
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }

  session(): string {
    const presence = this.#victim.recorded.get(this.#victim.topics.node(NODE, 'presence'));
    return payloadOf<PresenceDocument>('presence', presence ?? Buffer.alloc(0)).session;
  }

  /** The next command as the hub would give it, changed. */
  command(ask: CommandDocument['ask'], change: Partial<CommandDocument> = {}): CommandDocument {
    const { fleet, epoch } = this.#victim.root;
    return {
      ...{ fleet, node: NODE, epoch, session: this.session(), n: ++this.#n },
      ...{ request: randomHex(16), ask },
      ...change,
    };
  }

  signed(command: CommandDocument, by: Signer = this.#victim.keys.hub): Buffer {
    return seal('command', command, [by]);
  }

  async send(payload: Buffer): Promise<void> {
    await this.#victim.publish(this.#victim.topics.node(NODE, 'command'), payload, false);
  }

  /** On the stream's topic, as whoever holds the broker. */
  async say(request: string, frame: Buffer): Promise<void> {
    await this.#victim.publish(this.#victim.topics.node(NODE, 'stream', request), frame, false);
  }

  repliesTo(request: string): readonly Buffer[] {
    return this.#replies.get(request) ?? [];
  }

  /** Until the node answered; rejects with its words when it refuses. `from`: what is done to the node's frames. */
  async open(
    ask: StreamAsk,
    { to = HONEST, from = HONEST, withinMs = 60_000 }: Opening = {},
  ): Promise<Commanded> {
    const request = randomHex(16);
    const frames: Buffer[] = [];
    const output: Buffer[] = [];
    let ended: (end: StreamEnd) => void = () => undefined;
    const end = new Promise<StreamEnd>(resolve => (ended = resolve));
    const keys = generateKeyPairSync('x25519');
    const stream: HubStream = new HubStream({
      ...{ keys, request, node: NODE },
      command: ask.kind === 'exec' ? ask.command : null,
      sink: { output: async (_channel, bytes) => void output.push(bytes), ended },
      send: frame => {
        for (const sent of to(frame, frames.length, frames)) void this.say(request, sent);
        frames.push(frame);
      },
      onOver: () => undefined,
    });
    const command = this.command(commandAsk(ask, { user: 'mallory', key: stream.key() }), {
      request,
    });
    const payload = this.signed(command);
    const digest = sha256Hex(canonicalJson(command));
    await this.send(payload);
    const opening = await this.#opening({ request, digest, withinMs });
    if (opening.refusal !== null || opening.key === null) {
      throw new Error(opening.refusal?.message ?? 'no key');
    }
    const received: Buffer[] = [];
    const hear = (frame: Buffer) => {
      for (const one of from(frame, received.length, received)) stream.receive(one);
      received.push(frame);
    };
    this.#listeners.set(request, hear);
    const { fleet } = this.#victim.root;
    const agreed = { fleet, command: digest, nodeKey: opening.key };
    stream.begin(agreed);
    const stdout = () => Buffer.concat(output).toString();
    const sealer = () => {
      const context = { ...agreed, node: NODE, request, hubKey: stream.key() };
      const sealed = new FrameSealer(
        streamKeys('hub', keys.privateKey, context)?.toNode ?? Buffer.alloc(32),
      );
      frames.forEach(() => sealed.seal(0, Buffer.alloc(0)));
      return sealed;
    };
    return { ...{ stream, request, payload, frames, opening, stdout, sealer }, end };
  }

  async #opening(of: {
    readonly request: string;
    readonly digest: string;
    readonly withinMs: number;
  }): Promise<OpeningDocument> {
    const { request, digest, withinMs } = of;
    const bytes = await eventually(
      'an opening',
      () => this.repliesTo(request).find(reply => !isFrame(reply)),
      { withinMs },
    );
    const { fleet } = this.#victim.root;
    const identityKey = this.#victim.nodePublicKey;
    const opened = openNodeDocument('opening', bytes, { fleet, node: NODE, identityKey });
    if (!opened.ok) throw new Error(opened.refusal.detail);
    const { document } = opened.value;
    if (document.command !== digest) throw new Error('an opening of another command');
    return document;
  }
}
