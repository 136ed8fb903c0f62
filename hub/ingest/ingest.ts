/**
 * The hub's other loop: messages of nodes → verified → folded into what is known → one transaction per node and turn → ack.
 * The ack goes out after the commit, never before. Decides nothing by itself.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { AnswerDocument, RequestDocument } from '../../protocol/documents.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { Verified, TrustedRoot } from '../../protocol/verified.js';
import { openNodeDocument, type NodeDocuments } from '../../protocol/verify-messages.js';
import type { NodeMessage, NodeMessenger } from '../link/messages.js';
import {
  eventDraft,
  hubEventDraft,
  manifestOf,
  mirrorDraft,
  nameBeside,
  nodeDraft,
} from './mirror.js';
import {
  outdatedPods,
  podKeyOf,
  stateOf,
  underJournal,
  withEvents,
  withPod,
  withPresence,
  withStatus,
  type NodeState,
} from './node-state.js';
import type { NodeObject, PodObject } from '../objects.js';
import {
  StoreError,
  type Actor,
  type Mutation,
  type ReporterRecord,
  type Store,
} from '../store/store.js';

export interface IngestParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly messenger: NodeMessenger;
  readonly clock: Clock;
  readonly log: Log;
  readonly freshAssignment: (node: string, nonce: string) => Promise<void>;
  readonly republish: (
    digests: readonly string[],
  ) => Promise<Pick<AnswerDocument, 'published' | 'absent'>>;
  readonly manifestsOf: (bundle: {
    readonly namespace: string;
    readonly name: string;
    readonly revision: number;
  }) => Promise<readonly Pod[] | null>;
}

export interface Ingest {
  receive(message: NodeMessage): void;
  close(): Promise<void>;
}

/** Per node; what is above is dropped unacknowledged, so that the node says it again. */
const QUEUE_MAX = 1_000;
const BATCH = 200;
const COMMIT_TRIES = 5;
const LOG_EVERY_MS = 60_000;
const FRESH_EVERY_MS = 10_000;
const ASK_AFTER_MS = 30_000;
const LOOK_MS = 10_000;
const EVENTS_KEPT = 100_000;
const PRUNE_EVERY_MS = 600_000;
/** Says in an ack: the hub has no document of this pod. */
const NO_DOCUMENT = '0'.repeat(64);

export function startIngest(parts: IngestParts): Ingest {
  return new NodeIngest(parts);
}

class NodeIngest implements Ingest {
  readonly #parts: IngestParts;
  readonly #queues = new Map<string, NodeMessage[]>();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #loggedAt = new Map<string, number>();
  readonly #freshAt = new Map<string, number>();
  /** Newest request by node: a replayed one is not answered again. */
  readonly #requests = new Map<string, string>();
  readonly #identities = new Map<string, string | null>();
  /** Nodes with pods to ask for, since when. */
  readonly #outdated = new Map<
    string,
    { since: number; pods: Record<string, string>; ack: AckBase }
  >();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  readonly #forget: () => void;
  #scheduled = false;

  constructor(parts: IngestParts) {
    this.#parts = parts;
    this.#forget = parts.store.onCommit(touched => {
      if (touched.has('identity') || touched.has('dropIdentity')) this.#identities.clear();
    });
    this.#loop = this.#lookNowAndThen();
  }

  receive(message: NodeMessage): void {
    if (this.#stop.signal.aborted) return;
    const queue = this.#queues.get(message.node) ?? [];
    if (queue.length >= QUEUE_MAX) queue.shift();
    queue.push(message);
    this.#queues.set(message.node, queue);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const node of this.#queues.keys()) this.#begin(node);
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#forget();
    await Promise.all([...this.#busy.values(), this.#loop]);
  }

  #begin(node: string): void {
    if (this.#busy.has(node) || !this.#queues.has(node)) return;
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
    try {
      const identityKey = await this.#identityOf(node);
      if (identityKey === null) return this.#complain(node, 'unknown or not active');
      const opened = batch.flatMap(message => this.#open(message, identityKey));
      if (opened.length === 0) return;
      await this.#record(node, opened);
      for (const document of opened) {
        if (document.kind === 'request') await this.#answer(document.document);
      }
    } catch (error) {
      // Nothing was acknowledged: the node says it again.
      this.#parts.log.error('recording the reports of a node failed', { node, error });
    }
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

  #open({ kind, node, payload }: NodeMessage, identityKey: string): Opened[] {
    const { fleet } = this.#parts.root().document;
    const opened = openNodeDocument(kind, payload, { fleet, node, identityKey });
    if (opened.ok)
      return [{ kind, document: (opened.value as Verified<unknown>).document } as Opened];
    this.#complain(node, `${opened.refusal.code}: ${opened.refusal.detail}`);
    return [];
  }

  /** At most one line per node and minute. */
  #complain(node: string, reason: string): void {
    const now = this.#parts.clock.monotonic();
    if (now - (this.#loggedAt.get(node) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
    if (this.#loggedAt.size > 10_000) this.#loggedAt.clear();
    this.#loggedAt.set(node, now);
    this.#parts.log.warn('a message of a node is refused', { node, reason });
  }

  async #record(node: string, documents: readonly Opened[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#recordOnce(node, documents);
      } catch (error) {
        const raced =
          error instanceof StoreError &&
          ['Conflict', 'AlreadyExists', 'NotFound'].includes(error.code);
        if (!raced || tries >= COMMIT_TRIES) throw error;
      }
    }
  }

  async #recordOnce(node: string, documents: readonly Opened[]): Promise<void> {
    const { store, messenger, clock } = this.#parts;
    const [object, reporters] = await Promise.all([
      store.get('Node', '', node),
      store.reporters(node),
    ]);
    if (!object) return;
    const before = object as NodeObject;
    let state = stateOf(node, reporters, before.status.flotilla);
    for (const one of documents) state = await this.#fold(state, one);
    const now = new Date(clock.now()).toISOString();
    const mutations = await this.#mutations({ before, reporters, state, now });
    if (mutations.length > 0) await store.commit(actorOf(node), mutations);
    const { fleet } = this.#parts.root().document;
    const { journal, through, boot, counter } = state.reporter;
    const ack = { fleet, node, journal, through, boot, counter };
    if (state.acknowledge) {
      const pods = [...state.named].flatMap(key => {
        const digest = state.recorded[key]?.digest;
        return digest === undefined ? [] : [[key, digest]];
      });
      messenger.ack(node, { ...ack, pods: Object.fromEntries(pods) as Record<string, string> });
    }
    this.#noteOutdated(ack, {
      pods: state.status?.pods ?? before.status.flotilla.pods,
      recorded: state.recorded,
    });
  }

  async #fold(state: NodeState, one: Opened): Promise<NodeState> {
    const current = underJournal(state, one.document);
    if (!current) return state;
    switch (one.kind) {
      case 'presence':
        return withPresence(current, one.document);
      case 'status':
        return withStatus(current, one.document);
      case 'event':
        return withEvents(current, one.document);
      case 'pod':
        return withPod(current, one.document, await this.#nameFor(current, one.document));
      case 'request':
        return current;
    }
  }

  /** The pod's own name, unless another node's pod bears it in the same namespace. */
  async #nameFor(
    state: NodeState,
    document: Extract<Opened, { kind: 'pod' }>['document'],
  ): Promise<string> {
    const key = podKeyOf(document);
    const known = key === null ? undefined : state.recorded[key]?.name;
    if (key === null || known !== undefined) return known ?? '';
    const [namespace = '', name = ''] = key.split('/');
    const holder = (await this.#parts.store.get('Pod', namespace, name)) as PodObject | null;
    return holder && holder.spec.nodeName !== document.node
      ? nameBeside(name, document.node)
      : name;
  }

  async #mutations(input: {
    readonly before: NodeObject;
    readonly reporters: readonly ReporterRecord[];
    readonly state: NodeState;
    readonly now: string;
  }): Promise<Mutation[]> {
    const { before, state, now } = input;
    const { reporter } = state;
    const node = before.metadata.name;
    const mutations: Mutation[] = [];
    if (reporter.journal === '') return mutations;
    for (const former of input.reporters) {
      if (former.current && former.journal !== reporter.journal) {
        mutations.push({ type: 'reporter', record: { ...former, current: false } });
      }
    }
    mutations.push({ type: 'reporter', record: reporter });
    mutations.push({
      type: 'put',
      object: nodeDraft({
        node: before,
        reporter,
        status: state.status,
        recorded: state.recorded,
        now,
      }),
      expect: { resourceVersion: before.metadata.resourceVersion },
    });
    mutations.push(...(await this.#podMutations(before, state)));
    mutations.push(...(await this.#eventMutations(state)));
    mutations.push(...this.#hubEvents(before, { state, now, node }));
    return mutations;
  }

  async #podMutations(before: NodeObject, state: NodeState): Promise<Mutation[]> {
    const { store, manifestsOf } = this.#parts;
    const node = before.metadata.name;
    const mutations: Mutation[] = [];
    for (const key of state.gone) {
      const [namespace = ''] = key.split('/');
      const name = before.status.flotilla.recorded[key]?.name ?? '';
      const object = (await store.get('Pod', namespace, name)) as PodObject | null;
      if (object?.spec.nodeName === node)
        mutations.push({ type: 'delete', kind: 'Pod', namespace, name });
    }
    for (const [key, document] of state.pods) {
      const recorded = state.recorded[key];
      if (!recorded) continue;
      const manifests = document.bundle ? await manifestsOf(document.bundle) : null;
      const manifest = manifests ? manifestOf(document, manifests) : null;
      const { digest, name } = recorded;
      mutations.push({
        type: 'put',
        object: mirrorDraft({ document, digest, name, manifest }),
        expect: 'any',
      });
    }
    return mutations;
  }

  async #eventMutations(state: NodeState): Promise<Mutation[]> {
    const { node, journal } = state.reporter;
    const mutations: Mutation[] = [];
    for (const record of state.events) {
      const uid = await this.#uidFor(state, record.involved);
      mutations.push({
        type: 'put',
        object: eventDraft(record, { node, journal, uid }),
        expect: 'any',
      });
    }
    return mutations;
  }

  /** kubectl asks for a mirror pod's events by its configuration hash, for a node's by its name. */
  async #uidFor(
    state: NodeState,
    { kind, namespace, name, uid }: { kind: string; namespace: string; name: string; uid: string },
  ): Promise<string> {
    if (kind === 'Node') return name;
    if (kind !== 'Pod') return uid;
    const key = `${namespace}/${name}`;
    const said = state.pods.get(key)?.pod['metadata'] as
      { annotations?: Record<string, string> } | undefined;
    const fromDocument = said?.annotations?.['kubernetes.io/config.hash'];
    if (fromDocument !== undefined) return fromDocument;
    const recorded = state.recorded[key]?.name ?? name;
    const object = await this.#parts.store.get('Pod', namespace, recorded);
    return object?.metadata.annotations['kubernetes.io/config.hash'] ?? uid;
  }

  #hubEvents(
    before: NodeObject,
    { state, now, node }: { state: NodeState; now: string; node: string },
  ): Mutation[] {
    const events: Mutation[] = [];
    const add = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      events.push({
        type: 'put',
        object: hubEventDraft({ node, type, reason, message, now }),
        expect: 'any',
      });
    const wasReady = before.status.conditions?.find(c => c.type === 'Ready')?.status !== 'Unknown';
    const spoken = state.status !== null || before.status.flotilla.reportedAt !== null;
    const isReady = state.reporter.online && spoken;
    if (isReady && !wasReady) add('Normal', 'NodeReady', `Node ${node} is connected`);
    if (!isReady && wasReady) add('Warning', 'NodeNotReady', `Node ${node} is not connected`);
    if (state.lostEvents > 0) {
      add(
        'Warning',
        'EventsLost',
        `${state.lostEvents} events of this node were dropped there before they arrived`,
      );
    }
    return events;
  }

  #noteOutdated(ack: AckBase, extra: Parameters<typeof outdatedPods>[0]): void {
    const keys = outdatedPods(extra);
    if (keys.length === 0) return void this.#outdated.delete(ack.node);
    const pods = Object.fromEntries(
      keys.map(key => [key, extra.recorded[key]?.digest ?? NO_DOCUMENT]),
    );
    const since = this.#outdated.get(ack.node)?.since ?? this.#parts.clock.monotonic();
    this.#outdated.set(ack.node, { since, pods, ack });
  }

  /** What differs for half a minute is asked for: an ack that says what the hub has. */
  async #lookNowAndThen(): Promise<void> {
    const { clock, messenger, store, log } = this.#parts;
    let prunedAt = clock.monotonic();
    while (!this.#stop.signal.aborted) {
      await clock.sleep(LOOK_MS, this.#stop.signal);
      const now = clock.monotonic();
      for (const [node, entry] of this.#outdated) {
        if (now - entry.since < ASK_AFTER_MS) continue;
        messenger.ack(node, { ...entry.ack, pods: entry.pods });
        entry.since = now;
      }
      if (now - prunedAt < PRUNE_EVERY_MS) continue;
      prunedAt = now;
      await store.pruneEvents(EVENTS_KEPT).catch((error: unknown) => {
        log.warn('pruning events failed', { error });
      });
    }
  }

  async #answer(request: RequestDocument): Promise<void> {
    const { node, nonce, want, journal, boot, counter } = request;
    const { clock, freshAssignment, republish, messenger, root } = this.#parts;
    const stamp = `${journal}/${boot}/${counter}`;
    if (this.#requests.get(node) === stamp) return;
    this.#requests.set(node, stamp);
    if (want === 'blobs') {
      const { published, absent } = await republish(request.digests);
      messenger.answer(node, { fleet: root().document.fleet, node, nonce, published, absent });
    } else if (want === 'assignment') {
      const now = clock.monotonic();
      if (now - (this.#freshAt.get(node) ?? Number.NEGATIVE_INFINITY) < FRESH_EVERY_MS) return;
      this.#freshAt.set(node, now);
      await freshAssignment(node, nonce);
    }
  }
}

interface AckBase {
  readonly fleet: string;
  readonly node: string;
  readonly journal: string;
  readonly through: number;
  readonly boot: number;
  readonly counter: number;
}

type Opened = {
  [K in NodeMessage['kind']]: { readonly kind: K; readonly document: NodeDocuments[K] };
}[NodeMessage['kind']];

function actorOf(node: string): Actor {
  return { kind: 'node', name: node };
}
