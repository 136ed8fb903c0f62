/**
 * The hub's other loop: messages of nodes → verified → folded into what is known → one transaction per node and turn → ack.
 * The ack goes out after the commit, never before. Decides nothing by itself.
 */
import { keyId } from '../../protocol/keys.js';
import { isNodeName } from '../../protocol/names.js';
import type { Verified } from '../../protocol/verified.js';
import { openNodeDocument, type NodeDocuments } from '../../protocol/verify-messages.js';
import type { NodeMessage } from '../link/messages.js';
import type { NodeObject, PodObject } from '../objects.js';
import { retried } from '../store/retry.js';
import type { ReporterRecord } from '../store/store.js';
import { nameBeside } from './mirror.js';
import {
  outdatedPods,
  podKeyOf,
  stateOf,
  underJournal,
  wordOf,
  withEvents,
  withPod,
  withPresence,
  withStatus,
  type NodeState,
} from './node-state.js';
import { AbsentPods } from './absent-pods.js';
import { ackOf } from './ack.js';
import { ArrivalTimes, type Recorded } from './ingest-meter.js';
import type { Ingest, IngestParts, Opened } from './ingest-parts.js';
import { KnownStatuses } from './known-statuses.js';
import { nodeWrites } from './node-writes.js';
import { PodRepair } from './pod-repair.js';
import { CloneGuard } from './quarantine.js';
import { Requests } from './requests.js';

/** Per node; what is above is dropped unacknowledged, so that the node says it again. */
const QUEUE_MAX = 1_000;
const BATCH = 200;
const LOG_EVERY_MS = 60_000;
const LOOK_MS = 5_000;
/** After the link came up; an agent's back-off ends at a minute. */
const PRESENCE_WAIT_MS = 90_000;
/** A status comes hourly: whoever is silent this long is gone, whatever an old presence says. */
const SILENT_MS = 130 * 60_000;
/** One that spares its link says so, and speaks once a day at least (agent/report/pace.ts). */
const SPARING_MS = 26 * 3_600_000;
const PRESENCE_EVERY_MS = 600_000;
const EVENTS_KEPT = 100_000;
const PRUNE_EVERY_MS = 600_000;
/** Says in an ack: the hub has no document of this pod. */
const NO_DOCUMENT = '0'.repeat(64);

export function startIngest(parts: IngestParts): Ingest {
  return new NodeIngest(parts);
}

class NodeIngest implements Ingest {
  readonly #parts: IngestParts;
  readonly #requests: Requests;
  readonly #repair = new PodRepair();
  readonly #absent: AbsentPods;
  readonly #clones: CloneGuard;
  readonly #statuses = new KnownStatuses();
  readonly #arrivals: ArrivalTimes;
  readonly #queues = new Map<string, NodeMessage[]>();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #loggedAt = new Map<string, number>();
  readonly #identities = new Map<string, string | null>();
  /** Nodes that spoke, or said that they are online, since the link came up. */
  readonly #connected = new Set<string>();
  readonly #stop = new AbortController();
  readonly #loop: Promise<unknown>;
  readonly #forget: () => void;
  #scheduled = false;
  /** When those that were not heard are called offline; null without a link. */
  #presenceDueAt: number | null = null;

  constructor(parts: IngestParts) {
    this.#parts = parts;
    this.#requests = new Requests(parts);
    this.#arrivals = new ArrivalTimes(parts);
    this.#absent = new AbsentPods(parts);
    this.#clones = new CloneGuard(parts);
    this.#forget = parts.store.onCommit(touched => {
      if (touched.has('identity') || touched.has('dropIdentity')) this.#identities.clear();
    });
    this.#loop = Promise.all([
      this.#every(LOOK_MS, () => this.#look()),
      this.#every(LOOK_MS, () => this.#absent.look()),
      this.#every(PRUNE_EVERY_MS, () => parts.store.pruneEvents(EVENTS_KEPT)),
    ]);
  }

  receive(message: NodeMessage): void {
    // An empty payload is how a retained message is cleared.
    if (this.#stop.signal.aborted || message.payload.byteLength === 0) return;
    const queue = this.#queues.get(message.node) ?? [];
    if (queue.length >= QUEUE_MAX && queue.shift()) this.#arrivals.dropped();
    this.#arrivals.note(message);
    queue.push(message);
    this.#queues.set(message.node, queue);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const node of this.#queues.keys()) this.#begin(node);
    });
  }

  async recorded(node: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const busy = this.#busy.get(node);
      if (!busy && !this.#queues.has(node)) return;
      await (busy ?? new Promise(setImmediate));
    }
  }

  linkUp(): void {
    this.#connected.clear();
    this.#presenceDueAt = this.#parts.clock.monotonic() + PRESENCE_WAIT_MS;
  }

  linkDown(): void {
    this.#presenceDueAt = null;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#forget();
    await Promise.all([...this.#busy.values(), this.#loop]);
  }

  #begin(node: string): void {
    // What is left at the end was not acknowledged: it is said again.
    if (this.#stop.signal.aborted || this.#busy.has(node) || !this.#queues.has(node)) return;
    const work = this.#drain(node).finally(() => {
      this.#busy.delete(node);
      this.#begin(node);
    });
    this.#busy.set(node, work);
  }

  async #drain(node: string): Promise<void> {
    const queue = this.#queues.get(node) ?? [];
    const batch = queue.splice(0, BATCH);
    if (queue.length === 0) this.#queues.delete(node);
    let recorded: Recorded = null;
    try {
      const identityKey = await this.#identityOf(node);
      if (identityKey === null) return this.#complainOfStranger(node, batch.length);
      const opened = batch.flatMap(message => this.#open(message, identityKey));
      if (opened.length === 0) return;
      await this.#clones.look(node, opened);
      const state = await this.#record(node, async before => {
        let after = before;
        for (const one of opened) after = await this.#fold(after, one);
        return after;
      });
      recorded = state && { opened, through: state.reporter.through };
      for (const { kind, document } of opened) {
        const isCurrent = document.journal === state?.reporter.journal;
        if (kind === 'request' && isCurrent) await this.#requests.answer(document);
        if (isCurrent) this.#tell(kind, document, state.reporter);
      }
    } catch (error) {
      // Nothing was acknowledged: the node says it again.
      this.#parts.log.error('recording the reports of a node failed', { node, error });
    } finally {
      this.#arrivals.ended(node, batch, recorded);
    }
  }

  #tell(kind: Opened['kind'], document: Opened['document'], reporter: ReporterRecord): void {
    const { listener } = this.#parts;
    if (kind === 'reply') listener?.reply(document as NodeDocuments['reply']);
    if (kind !== 'presence') return;
    const presence = document as NodeDocuments['presence'];
    const { presenceBoot, presenceN, online } = reporter;
    const isNewest = presence.boot === presenceBoot && presence.n === presenceN;
    if (isNewest && presence.online === online) listener?.presence(presence);
  }

  async #identityOf(node: string): Promise<string | null> {
    const known = this.#identities.get(node);
    if (known !== undefined) return known;
    const identity = await this.#parts.store.identity(node);
    const key = identity?.state === 'active' ? identity.identityKey : null;
    // Names that are not members are not remembered: a stranger could invent any number of them.
    if (key !== null) this.#identities.set(node, key);
    return key;
  }

  #open({ kind, node, payload, retained }: NodeMessage, identityKey: string): Opened[] {
    const { fleet } = this.#parts.root().document;
    const whole = kind === 'status' ? this.#statuses.whole(node, payload) : payload;
    // Not acknowledged it comes again, whole.
    if (whole === null) {
      if (!retained) this.#parts.meter?.missed('status_base');
      return [];
    }
    const opened = openNodeDocument(kind, whole, { fleet, node, identityKey });
    if (opened.ok) {
      if (kind === 'status') this.#statuses.remember(node, opened.value.envelope);
      const { document, digest } = opened.value as Verified<unknown>;
      return [{ kind, document, digest, signedBy: keyId(identityKey), retained } as Opened];
    }
    this.#parts.meter?.refused();
    this.#complain(node, `${opened.refusal.code}: ${opened.refusal.detail}`);
    return [];
  }

  /** A node that joined after the backup, or was deleted, is to be found by its name. */
  #complainOfStranger(node: string, messages: number): void {
    this.#parts.meter?.refused(messages);
    const named = isNodeName(node)
      ? `"${node}" is not`
      : 'a name that none can have is not that of';
    this.#complain('', `${named} an active node: it has to join, or be approved`);
  }

  /** At most one line per node and minute, and one for all that are no nodes (empty). */
  #complain(node: string, reason: string): void {
    const now = this.#parts.clock.monotonic();
    if (now - (this.#loggedAt.get(node) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
    this.#loggedAt.set(node, now);
    const about = node === '' ? {} : { node };
    this.#parts.log.warn('a message of a node is refused', { ...about, reason });
  }

  /** Null: there is no such node. */
  #record(node: string, change: Change): Promise<NodeState | null> {
    return retried(() => this.#recordOnce(node, change));
  }

  async #recordOnce(node: string, change: Change): Promise<NodeState | null> {
    const { store, clock } = this.#parts;
    const [object, reporters] = await Promise.all([
      store.get('Node', '', node),
      store.reporters(node),
    ]);
    if (!object) return null;
    const before = object as NodeObject;
    const connected = this.#connected.has(node);
    const state = await change(stateOf(node, reporters, { ...before.status.flotilla, connected }));
    const now = new Date(clock.now()).toISOString();
    const mutations = await nodeWrites(this.#parts, { before, reporters, state, now });
    if (mutations.length > 0) await store.commit({ kind: 'node', name: node }, mutations);
    if (state.connected) this.#connected.add(node);
    else this.#connected.delete(node);
    this.#absent.note(node, state.reporter.online);
    this.#repair.note(node, outdatedPods(state), clock.monotonic());
    if (state.acknowledge) await this.#acknowledge(state, [...state.named]);
    return state;
  }

  async #acknowledge(
    state: NodeState,
    keys: readonly string[],
    missing: string | null = null,
  ): Promise<void> {
    const { root, messenger, store } = this.#parts;
    const { fleet } = root().document;
    const { reporter } = state;
    const pods = keys.flatMap((key): [string, string][] => {
      const digest = state.recorded[key]?.digest ?? missing;
      return digest === null ? [] : [[key, digest]];
    });
    const assignment = await store.assignment(reporter.node);
    const { row } = state.anchor;
    messenger.ack(reporter.node, ackOf({ fleet, reporter, assignment, row, pods }));
  }

  async #fold(state: NodeState, one: Opened): Promise<NodeState> {
    const { retained } = one;
    const presence = one.kind === 'presence' ? wordOf(one.document) : null;
    const current = underJournal(state, one.document, { presence, retained });
    if (!current) return state;
    switch (one.kind) {
      case 'presence':
        return withPresence(current, one.document);
      case 'status':
        return withStatus(current, one.document, one);
      case 'event':
        return withEvents(current, one.document);
      case 'pod':
        return withPod(current, one.document, await this.#nameFor(current, one.document));
      case 'request':
      case 'reply':
        return current;
    }
  }

  /** The pod's own name, unless another node's pod bears it in the same namespace. */
  async #nameFor(state: NodeState, document: NodeDocuments['pod']): Promise<string> {
    const key = podKeyOf(document);
    if (key === null) return '';
    const [namespace = '', own = ''] = key.split('/');
    const name = state.recorded[key]?.name ?? own;
    const holder = (await this.#parts.store.get('Pod', namespace, name)) as PodObject | null;
    return holder && holder.spec.nodeName !== document.node ? nameBeside(own, document.node) : name;
  }

  // ------------------------------------------------------------------------------------ now and then

  async #every(ms: number, work: () => Promise<unknown>): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#stop;
    await clock.sleep(ms, signal);
    while (!signal.aborted) {
      await work().catch((error: unknown) => log.warn('looking after the nodes failed', { error }));
      await clock.sleep(ms, signal);
    }
  }

  async #look(): Promise<void> {
    const { clock, store } = this.#parts;
    for (const [node, keys] of this.#repair.take(clock.monotonic())) {
      if (!this.#connected.has(node)) continue;
      this.#parts.meter?.missed('pod_digest', keys.length);
      const object = (await store.get('Node', '', node)) as NodeObject | null;
      if (!object) {
        this.#repair.note(node, new Map(), 0);
        continue;
      }
      const known = { ...object.status.flotilla, connected: true };
      const state = stateOf(node, await store.reporters(node), known);
      // An ack that says what the hub has: the node sends what is newer.
      if (state.reporter.journal !== '') await this.#acknowledge(state, keys, NO_DOCUMENT);
    }
    if (this.#presenceDueAt !== null && clock.monotonic() >= this.#presenceDueAt) {
      this.#presenceDueAt = clock.monotonic() + PRESENCE_EVERY_MS;
      await this.#findSilent();
    }
  }

  /** A broker that lost everything holds no will of anybody: whoever was not heard is offline. */
  async #findSilent(): Promise<void> {
    const { clock, store } = this.#parts;
    const { items } = await store.list('Node');
    for (const { metadata, status } of items as readonly NodeObject[]) {
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      const { reportedAt } = status.flotilla;
      if (this.#presenceDueAt === null) return;
      if (reportedAt === null || ready?.status === 'Unknown') continue;
      const isSparing = status.conditions?.some(
        one => one.type === 'LinkBudgetLow' && one.status === 'True',
      );
      const patienceMs = isSparing ? SPARING_MS : SILENT_MS;
      const isSilent = clock.now() - Date.parse(reportedAt) > patienceMs;
      if (this.#connected.has(metadata.name) && !isSilent) continue;
      await this.#record(metadata.name, async state => {
        const offline = { ...state.reporter, online: false };
        return { ...state, reporter: offline, connected: false };
      });
    }
  }
}

type Change = (before: NodeState) => Promise<NodeState>;
