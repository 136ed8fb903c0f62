/**
 * The hub's side of one node, for histories that begin by the thousand: signs as `flotilla hub` does, publishes
 * retained over TLS from a broker in this process, keeps what the node says and confirms it after it is kept.
 * Judges what it hears: an event that is lost, doubled or another than before, a generation that falls and a
 * journal that began anew are broken promises.
 */
import { Aedes, type PublishPacket } from 'aedes';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type {
  EventRecord,
  RequestDocument,
  StatusDocument,
} from '../../protocol/documents/node.js';
import { seal, type DocumentKind } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import { openNodeDocument } from '../../protocol/verify-messages.js';
import { KnownStatuses } from '../../hub/ingest/known-statuses.js';
import { assignmentDocument, FLEET, RELEASE } from '../support/fleet.js';
import { sealedSecret } from '../support/sealed.js';
import type { RevisionOf } from './chapters.js';
import type { Pki } from './pki.js';
import { keysOf, rootChain, type FleetKeys } from './roots.js';

/** What lies at the hub; as text in a copy of the node's past. */
interface Kept {
  assignment: AssignmentDocument | null;
  journal: string | null;
  generation: number;
  /** Version of the root. */
  root: number;
  /** Of that journal, by number. */
  events: EventRecord[];
}

export type HubState = string;

const NOTHING: Kept = { assignment: null, journal: null, generation: 0, root: 1, events: [] };
const topics = topicsOf(FLEET);

export class KillHub {
  readonly #pki: Pki;
  #kept: Kept = structuredClone(NOTHING);
  #broker: Aedes | null = null;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();
  readonly #statuses = new KnownStatuses();
  readonly #pods = new Map<string, string>();
  /** Published in this run, by topic: what a broker retains. */
  readonly #retained = new Map<string, Buffer>();
  status: StatusDocument | null = null;
  /** Promises that were broken, in words. */
  readonly broken: string[] = [];
  port = 0;

  constructor(pki: Pki) {
    this.#pki = pki;
  }

  /** Everything is published before the node can come. `port` 0: any. */
  async open(port = 0): Promise<void> {
    const broker = await Aedes.createBroker();
    const { key, cert, ca } = this.#pki;
    const tls = { key, cert, ca, requestCert: true, rejectUnauthorized: true } as const;
    const server = createServer(tls, socket => {
      broker.handle(socket);
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', () => undefined);
    broker.on('clientError', () => undefined);
    broker.on('connectionError', () => undefined);
    broker.on('publish', (packet, client) => {
      if (client !== null) this.#receive(packet);
    });
    this.#broker = broker;
    this.#server = server;
    for (const [topic, payload] of this.#retained) this.#publish(topic, payload);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    this.port = typeof address === 'object' && address ? address.port : 0;
  }

  async close(): Promise<void> {
    const [broker, server] = [this.#broker, this.#server];
    this.#broker = this.#server = null;
    if (!broker || !server) return;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(done => server.close(() => done()));
    await new Promise<void>(done => broker.close(() => done()));
  }

  save(): HubState {
    return JSON.stringify(this.#kept);
  }

  /** Of a hub that is not open; nothing is published. */
  restore(state: HubState | null): void {
    this.#kept = state === null ? structuredClone(NOTHING) : (JSON.parse(state) as Kept);
    this.#retained.clear();
    this.#pods.clear();
    this.status = null;
    this.broken.length = 0;
    const session = sha256Hex(String(Math.random())).slice(0, 32);
    const hub = { fleet: FLEET, epoch: 1, session, online: true, sealingKey: '11'.repeat(32) };
    this.#retain(topics.hub(), seal('hub', hub, [this.#keys().hub]));
    this.#publishRoots();
    if (this.#kept.assignment) this.#assign(this.#kept.assignment);
  }

  /** `signers`: others than the hub's key make it one that nobody may take. */
  publishRevision(
    { document, manifests }: RevisionOf,
    signers: readonly Signer[] = [this.#keys().release],
  ) {
    for (const one of manifests) {
      const text = canonicalJson(one);
      this.#retain(topics.blob(sha256Hex(text)), Buffer.from(text));
    }
    const digest = sha256Hex(canonicalJson(document));
    this.#retain(topics.blob(digest), seal('bundle', document, signers));
  }

  #own(kind: 'assignment' | 'ack' | 'answer' | 'time'): string {
    return topics.node(this.#pki.node, kind);
  }

  /** The next root is in force from now on: other keys of every kind. */
  rotate(): void {
    this.#kept.root++;
    this.#publishRoots();
    if (this.#kept.assignment) this.#assign(this.#kept.assignment);
  }

  /** A Secret of the bundle `shop`, sealed for the node; what an assignment lists. */
  async sealSecret(version: number, data: Readonly<Record<string, string>>) {
    const { sealing: to } = this.#pki;
    const { node } = this.#pki;
    const context = { context: { node, version }, data, to, signer: this.#keys().hub };
    const { envelope, assigned } = await sealedSecret(context);
    this.#retain(topics.blob(assigned.digest), envelope);
    return assigned;
  }

  /** The next generation; kept, as a hub keeps it before it is published. */
  assign(
    change: Pick<AssignmentDocument, 'bundles'> & Partial<AssignmentDocument>,
  ): AssignmentDocument {
    const generation = (this.#kept.assignment?.generation ?? 0) + 1;
    const issued = new Date().toISOString();
    const notAfter = '2036-01-01T00:00:00.000Z';
    const { node, nodeKey } = this.#pki;
    this.#kept.assignment = assignmentDocument({
      ...{ ...change, node, generation, issued, notAfter, nodeKey, nonce: null },
      rootVersion: this.#kept.root,
    });
    this.#assign(this.#kept.assignment);
    return this.#kept.assignment;
  }

  /** An assignment that another key signed: refused, and nothing changes. */
  assignForged(bundles: AssignmentDocument['bundles']): void {
    const from = this.#kept.assignment;
    if (!from) throw new Error('nothing was assigned yet');
    const forged = { ...from, generation: from.generation + 100, bundles };
    this.#retain(this.#own('assignment'), seal('assignment', forged, [RELEASE]));
  }

  assignment(): AssignmentDocument | null {
    return this.#kept.assignment;
  }

  /** What a person would carry to a node without a network, in reading order. */
  carried(): { topic: string; payload: Buffer }[] {
    const envelopes = this.#kept.assignment?.bundles.map(({ digest }) => topics.blob(digest)) ?? [];
    const order = [topics.root(), this.#own('assignment'), ...envelopes];
    const placeOf = (topic: string) =>
      order.includes(topic) ? order.indexOf(topic) : order.length;
    return [...this.#retained]
      .map(([topic, payload]) => ({ topic, payload }))
      .filter(({ topic }) => topic !== topics.hub())
      .sort((a, b) => placeOf(a.topic) - placeOf(b.topic));
  }

  events(): readonly EventRecord[] {
    return this.#kept.events;
  }

  #assign(document: AssignmentDocument): void {
    this.#retain(this.#own('assignment'), seal('assignment', document, [this.#keys().hub]));
  }

  #keys(): FleetKeys {
    return keysOf(this.#kept.root);
  }

  /** Version of the root in force. */
  root(): number {
    return this.#kept.root;
  }

  #publishRoots(): void {
    const roots = rootChain(this.#pki.root, this.#kept.root);
    roots.forEach((envelope, before) => this.#retain(topics.root(before + 1), envelope));
    this.#retain(topics.root(), roots.at(-1) ?? Buffer.alloc(0));
  }

  #retain(topic: string, payload: Buffer): void {
    this.#retained.set(topic, payload);
    if (this.#broker) this.#publish(topic, payload);
  }

  #publish(topic: string, payload: Buffer, retain = true): void {
    const packet = { cmd: 'publish', topic, payload, qos: 1, retain, dup: false } as const;
    this.#broker?.publish(packet, () => undefined);
  }

  #receive({ topic, payload }: PublishPacket): void {
    const kind = topics.parse(topic)?.kind as DocumentKind | undefined;
    const bytes = Buffer.from(payload);
    if (bytes.byteLength === 0) return;
    const context = {
      fleet: FLEET,
      node: this.#pki.node,
      identityKey: this.#pki.identity.publicKey,
    };
    if (kind !== 'event' && kind !== 'status' && kind !== 'pod' && kind !== 'request') return;
    const whole = kind === 'status' ? this.#statuses.whole(this.#pki.node, bytes) : bytes;
    // As the real one: not acknowledged it comes again, whole.
    if (whole === null) return;
    const opened = openNodeDocument(kind, whole, context);
    if (opened.ok && kind === 'status')
      this.#statuses.remember(this.#pki.node, opened.value.envelope);
    if (!opened.ok) {
      this.broken.push(`the node said what is not its own: ${kind} ${opened.refusal.detail}`);
      return;
    }
    const { document } = opened.value;
    this.#sameJournal(document.journal);
    if ('want' in document) return this.#answer(document);
    if ('events' in document)
      for (const event of document.events) this.#keep(event, document.oldest);
    if ('pod' in document) {
      const { namespace, name } = document.pod['metadata'] as { namespace: string; name: string };
      this.#pods.set(`${namespace}/${name}`, sha256Hex(canonicalJson(document.pod)));
    }
    if ('bundles' in document) this.#heard(document);
    this.#acknowledge();
  }

  #sameJournal(journal: string): void {
    this.#kept.journal ??= journal;
    if (this.#kept.journal !== journal) this.broken.push('the journal began anew');
  }

  #heard(status: StatusDocument): void {
    const before = this.status;
    if (before && (status.boot < before.boot || isOlder(status, before))) return;
    this.status = status;
    if (status.generation < this.#kept.generation) {
      this.broken.push(`generation ${status.generation} after ${this.#kept.generation}`);
    }
    this.#kept.generation = Math.max(this.#kept.generation, status.generation);
  }

  #keep(event: EventRecord, oldest: number): void {
    const { events } = this.#kept;
    const known = events[event.n - 1];
    if (known) {
      const same = known.reason === event.reason && known.message === event.message;
      if (!same) this.broken.push(`event ${event.n} is another than before: ${event.reason}`);
    } else if (event.n === events.length + 1) {
      events.push(event);
    } else if (oldest > events.length + 1) {
      this.broken.push(`events before ${oldest} are lost: the hub has ${events.length}`);
    }
  }

  #acknowledge(): void {
    const { status } = this;
    if (!status) return;
    const { assignment, events } = this.#kept;
    const { journal, boot, counter } = status;
    const document = {
      ...{ fleet: FLEET, node: this.#pki.node, journal, boot, counter },
      ...{ through: events.length, row: status.history.row },
      pods: Object.fromEntries(this.#pods),
      ...{ epoch: assignment?.epoch ?? 0, generation: assignment?.generation ?? 0 },
    };
    this.#publish(this.#own('ack'), seal('ack', document, [this.#keys().hub]), false);
  }

  #answer({ want, nonce, digests }: RequestDocument): void {
    const { assignment } = this.#kept;
    if (want === 'assignment' && assignment) this.#assign({ ...assignment, nonce });
    if (want !== 'blobs') return;
    const isHere = (digest: string) => this.#retained.has(topics.blob(digest));
    for (const digest of digests.filter(isHere)) {
      this.#publish(
        topics.blob(digest),
        this.#retained.get(topics.blob(digest)) ?? Buffer.alloc(0),
      );
    }
    const document = {
      ...{ fleet: FLEET, node: this.#pki.node, nonce },
      published: digests.filter(isHere),
      absent: digests.filter(digest => !isHere(digest)),
    };
    this.#publish(this.#own('answer'), seal('answer', document, [this.#keys().hub]), false);
  }
}

function isOlder(one: StatusDocument, other: StatusDocument): boolean {
  return one.boot === other.boot && one.counter < other.counter;
}
