/**
 * One simulated device: the node's side of the protocol with true keys, checks and signatures, and no engine, disk or journal behind it. It
 * accepts assignments, fetches what they name (eight at a time, asked for when it does not come), runs it as its fate says, and reports
 * status, pod and event until the hub has confirmed them. Not spoken: roots after the first, time, sealed Secrets, patches, streams.
 */
import { openBrokerSocket } from '../../../agent/membership/hub-tls.js';
import { unpackBlob } from '../../../agent/intake/blobs.js';
import { FetchQueue } from '../../../agent/intake/fetch.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { AssignedBundle } from '../../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../../protocol/documents/bundle.js';
import type { BundleStatus, EventRecord, PodSummary } from '../../../protocol/documents/node.js';
import { sealPacked, type DocumentKind } from '../../../protocol/envelope.js';
import { podTopicKey } from '../../../protocol/names.js';
import { namedBlobs, unwrapped } from '../../../protocol/patches.js';
import { topicsOf, type Topics } from '../../../protocol/topics.js';
import type { TrustedRoot } from '../../../protocol/verified.js';
import { openAssignment, type AssignmentContext } from '../../../protocol/verify-assignment.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import { openHubDocument } from '../../../protocol/verify-messages.js';
import { plainStatus } from '../../support/plain-status.js';
import { fateOf, type Behaviour } from './behaviour.js';
import { nowNs, type Counts } from './counts.js';
import type { Member } from './member.js';
import { RawClient } from './raw-client.js';

const KEEP_ALIVE_S = 600;
/** design.md, section 4: what is not acknowledged is said again, from 30 s on, doubling to an hour. */
const AGAIN_MS = { first: 30_000, most: 3_600_000 } as const;
const ARCH = 'amd64';
const AGENT_VERSION = '0.1.0';

export interface Simulated {
  readonly root: TrustedRoot;
  readonly behaviour: Behaviour;
  /** Numbers from 0 up to 1. */
  readonly random: () => number;
  readonly counts: Counts;
}

interface Running {
  readonly assigned: AssignedBundle;
  status: BundleStatus;
  document: BundleDocument | null;
  /** Digests of its manifests that are not here yet. */
  readonly lacking: Map<string, number>;
}

export class LightNode {
  readonly member: Member;
  readonly #with: Simulated;
  readonly #topics: Topics;
  readonly #journal: string;
  readonly #bundles = new Map<string, Running>();
  readonly #queue = new FetchQueue();
  readonly #outbox: EventRecord[] = [];
  #client: RawClient | null = null;
  #accepted: AssignmentContext['accepted'] = null;
  #counter = 0;
  #connections = 0;
  #events = 0;
  #session: string | null = null;
  /** The number of the newest status, and whether the hub confirmed it. */
  #said = { counter: 0, isConfirmed: true, againAt: 0, waitMs: AGAIN_MS.first as number };
  /** Told with its bundles, so that no status is like the one before. */
  #word = '';
  #onConfirmed: () => void = () => undefined;
  /** The newest assignment that came while it looks at none. Null: it looks at each. */
  #held: { payload: Buffer | null } | null = null;

  constructor(member: Member, simulated: Simulated) {
    this.member = member;
    this.#with = simulated;
    this.#topics = topicsOf(simulated.root.document.fleet);
    this.#journal = sha256Hex(member.nodeKey).slice(0, 32);
  }

  /** The hub confirmed the newest status, and nothing is on its way here. */
  get isHeard(): boolean {
    const states = [...this.#bundles.values()].map(({ status }) => status.state);
    return this.#said.isConfirmed && !states.includes('staged');
  }

  get isConnected(): boolean {
    return this.#client !== null;
  }

  /** With a will, then the subscriptions, then the birth: as an agent. Rejects when the broker does not take it. */
  async connect(onEnd: (reason: string) => void = () => undefined): Promise<void> {
    const { counts } = this.#with;
    const { node, tls, broker } = this.member;
    const n = ++this.#counter;
    const session = sha256Hex(`${this.#journal} ${++this.#connections}`).slice(0, 32);
    const topic = this.#own('presence');
    const presence = (online: boolean) =>
      this.#seal('presence', { ...this.#stamp(), n, session, online });
    const client = await RawClient.connect({
      ...{ socket: openBrokerSocket(tls)(new URL(broker)), clientId: node },
      ...{ keepAliveS: KEEP_ALIVE_S, will: { topic, payload: presence(false) } },
      onMessage: (from, payload) => this.#receive(from, payload),
      onEnd: reason => {
        this.#lost();
        onEnd(reason);
      },
    });
    this.#client = client;
    counts.connected++;
    this.#session = null;
    this.#queue.reconnected();
    const own = (['assignment', 'answer', 'ack', 'command'] as const).map(kind => this.#own(kind));
    await client.subscribe([this.#topics.root(), this.#topics.hub(), ...own]);
    await this.#publish(topic, presence(true), true);
    this.#say();
    this.step();
  }

  /** As if its power were cut. Without a connection nothing happens. */
  cut(): void {
    this.#client?.destroy();
    if (this.#client) this.#lost();
  }

  /** Looks at no assignment that comes. */
  hold(): void {
    this.#held ??= { payload: null };
  }

  /** Looks at what came since `hold`. */
  release(): void {
    const payload = this.#held?.payload;
    this.#held = null;
    if (payload) this.#assignment(payload);
  }

  /** To be called every few seconds: what did not come is asked for, what was not confirmed is said again. */
  step(): void {
    if (this.#client === null) return;
    const now = Date.now();
    const blobs = (digests: readonly string[]) => digests.map(digest => this.#topics.blob(digest));
    const { subscribe, unsubscribe, ask } = this.#queue.step(now, this.#with.random);
    if (subscribe.length > 0) void this.#client.subscribe(blobs(subscribe));
    if (unsubscribe.length > 0) this.#client.unsubscribe(blobs(unsubscribe));
    if (ask.length > 0) {
      const nonce = sha256Hex(`${this.#journal} asks ${this.#counter}`).slice(0, 32);
      const asked = { nonce, want: 'blobs', digests: ask, rootVersion: 0 };
      this.#tell('request', { ...this.#stamp(), counter: ++this.#counter, ...asked });
    }
    if (!this.#said.isConfirmed && now >= this.#said.againAt) this.#say(true);
  }

  /** Says so many statuses, none like another, each when the one before was confirmed. Resolves when the last was. */
  async speak(times: number): Promise<void> {
    for (let n = 0; n < times; n++) {
      this.#word = ` (${n})`;
      const confirmed = new Promise<void>(done => (this.#onConfirmed = done));
      this.#say();
      await confirmed;
    }
  }

  #lost(): void {
    this.#client = null;
    this.#with.counts.connected--;
  }

  #receive(topic: string, payload: Buffer): void {
    const { counts } = this.#with;
    counts.received++;
    counts.receivedBytes += payload.byteLength;
    const address = this.#topics.parse(topic);
    if (address === null || payload.byteLength === 0) return;
    if (address.kind === 'assignment') {
      counts.arrived++;
      counts.lastArrivalNs = nowNs();
      if (this.#held) this.#held = { payload };
      else this.#assignment(payload);
    } else if (address.kind === 'blob') this.#blob(address.digest, payload);
    else if (address.kind === 'ack') this.#ack(payload);
    else if (address.kind === 'hub') this.#hub(payload);
    else if (address.kind === 'answer') this.#answer(payload);
  }

  #assignment(payload: Buffer): void {
    const { root, counts } = this.#with;
    const { node, nodeKey } = this.member;
    const context = { root, node, nodeKey, accepted: this.#accepted, nonce: null };
    counts.verified++;
    const opened = openAssignment(unwrapped(payload).envelope, {
      ...{ ...context, freshOnly: false, now: Date.now() },
    });
    if (!opened.ok || !opened.value.changed) return;
    const { document, digest } = opened.value;
    this.#accepted = { epoch: document.epoch, generation: document.generation, digest };
    counts.assignments++;
    counts.assignmentBytes += payload.byteLength;
    const listed = new Set(document.bundles.map(keyOf));
    for (const key of this.#bundles.keys()) if (!listed.has(key)) this.#bundles.delete(key);
    let isNew = false;
    for (const assigned of document.bundles) isNew = this.#assigned(assigned) || isNew;
    this.#want();
    // Who has something new to run says so when it knows how that went.
    if (!isNew) this.#say();
  }

  /** True when there is something to be done. */
  #assigned(assigned: AssignedBundle): boolean {
    const key = keyOf(assigned);
    const before = this.#bundles.get(key);
    const { digest, attempt } = assigned;
    if (before?.assigned.digest === digest && before.assigned.attempt === attempt) return false;
    const { namespace, name, revision } = assigned;
    const since = new Date().toISOString();
    const status: BundleStatus = {
      ...{ namespace, name, revision, digest, attempt, since, failed: null },
      ...{ active: before?.status.active ?? null, state: 'staged' },
      ...{ reason: 'Fetching', message: '' },
    };
    const same = before?.assigned.digest === digest ? before : null;
    const document = same?.document ?? null;
    const lacking = new Map(same?.lacking ?? []);
    this.#bundles.set(key, { assigned, status, document, lacking });
    if (document !== null && lacking.size === 0) this.#begin(key);
    return true;
  }

  #want(): void {
    const lacking = [...this.#bundles.values()].flatMap(one =>
      one.document === null ? [one.assigned.digest] : [...one.lacking.keys()],
    );
    this.#queue.want(lacking);
    this.step();
  }

  #blob(digest: string, payload: Buffer): void {
    for (const [key, one] of this.#bundles) {
      if (one.document === null && one.assigned.digest === digest) {
        if (!this.#bundle(one, payload)) return;
      } else if (one.lacking.has(digest)) {
        const size = one.lacking.get(digest) ?? 0;
        if (!unpackBlob(payload, { digest, size }).ok) return;
        one.lacking.delete(digest);
      } else continue;
      this.#queue.arrived(digest);
      if (one.document !== null && one.lacking.size === 0) this.#begin(key);
    }
    this.#want();
  }

  #bundle(one: Running, payload: Buffer): boolean {
    const { root, counts } = this.#with;
    counts.verified++;
    const context = { root, assigned: one.assigned, arch: ARCH, agentVersion: AGENT_VERSION };
    const opened = openBundle(payload, context);
    if (!opened.ok) return false;
    one.document = opened.value.document;
    for (const { digest, size } of namedBlobs(one.document)) one.lacking.set(digest, size);
    return true;
  }

  /** All of it is here. */
  #begin(key: string): void {
    const { behaviour, random } = this.#with;
    const one = this.#bundles.get(key);
    const { applyMs, isHealthy } = fateOf(behaviour, random);
    const end = () => {
      if (one && this.#bundles.get(key) === one) this.#becomes(one, isHealthy);
    };
    if (applyMs < 1) end();
    else setTimeout(end, applyMs);
  }

  #becomes(one: Running, isHealthy: boolean): void {
    const { counts } = this.#with;
    const { digest, name, namespace } = one.assigned;
    const since = new Date().toISOString();
    const before = one.status.active;
    const back = before === null ? digest : before;
    one.status = {
      ...{ ...one.status, since, active: isHealthy ? digest : back },
      ...(isHealthy
        ? ({ state: 'healthy', reason: 'ContainersSettled', failed: null } as const)
        : ({
            ...{ reason: 'ProgressDeadlineExceeded', failed: digest },
            state: before === null ? 'failed' : 'rolledBack',
          } as const)),
      message: isHealthy
        ? 'every container is ready or completed'
        : 'no progress for 600 s: simulated',
    };
    if (isHealthy) counts.healthy++;
    else counts.failed++;
    this.#outbox.push({
      ...{ n: ++this.#events, at: since, type: isHealthy ? 'Normal' : 'Warning' },
      reason: isHealthy ? 'BundleHealthy' : 'BundleFailed',
      message: `revision ${one.assigned.revision} of ${namespace}/${name}: ${one.status.reason}`,
      involved: { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' },
    });
    for (const pod of this.#podsOf(one)) this.#tellPod(pod, one);
    this.#say();
    this.#tellEvents();
  }

  // --- what it says

  #say(isAgain = false): void {
    if (this.#client === null) return;
    const counter = ++this.#counter;
    const waitMs = isAgain ? Math.min(AGAIN_MS.most, 2 * this.#said.waitMs) : AGAIN_MS.first;
    const againAt = Date.now() + waitMs * (0.75 + this.#with.random() / 2);
    this.#said = { counter, isConfirmed: false, againAt, waitMs };
    const { epoch = 0, generation = 0 } = this.#accepted ?? {};
    const running = [...this.#bundles.values()];
    const status = plainStatus(this.#stamp(), counter, {
      ...{ epoch, generation, rootVersion: this.#with.root.document.version },
      bundles: running.map(({ status: one }) => ({ ...one, message: one.message + this.#word })),
      pods: Object.fromEntries(
        running.flatMap(one => this.#podsOf(one)).map(pod => [pod.key, pod.summary]),
      ),
    });
    this.#tell('status', status, true);
  }

  #podsOf({ document, status }: Running): { key: string; pod: object; summary: PodSummary }[] {
    if (document === null || status.active === null) return [];
    const pods = document.manifests.filter(({ kind }) => kind === 'Pod');
    return pods.map(({ name, digest }) => {
      const { namespace } = document;
      const full = `${name}-${this.member.node}`;
      const annotations = { 'kubernetes.io/config.hash': digest.slice(0, 32) };
      const metadata = { namespace, name: full, annotations };
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata, status: { phase: 'Running' } };
      const summary = {
        digest: sha256Hex(canonicalJson(pod)),
        phase: 'Running' as const,
        ready: status.state === 'healthy',
      };
      return { key: `${namespace}/${full}`, pod, summary };
    });
  }

  #tellPod({ key, pod }: { key: string; pod: object }, { assigned }: Running): void {
    const [namespace = '', name = ''] = key.split('/');
    const { name: bundleName, revision } = assigned;
    const bundle = { namespace: assigned.namespace, name: bundleName, revision };
    const document = { ...this.#stamp(), counter: ++this.#counter, source: 'bundle', bundle, pod };
    this.#tell('pod', document, false, podTopicKey(namespace, name));
  }

  #tellEvents(): void {
    const [first] = this.#outbox;
    if (first === undefined || this.#client === null) return;
    const events = this.#outbox.slice(0, 128);
    this.#tell('event', {
      ...{ ...this.#stamp(), counter: ++this.#counter, oldest: first.n, events },
    });
  }

  #tell(
    kind: 'status' | 'pod' | 'event' | 'request',
    document: object,
    retain = false,
    rest?: string,
  ): void {
    const topic = this.#topics.node(this.member.node, kind, rest);
    void this.#publish(topic, this.#seal(kind, document), retain);
  }

  // --- what the hub says

  #ack(payload: Buffer): void {
    const { root, counts } = this.#with;
    counts.verified++;
    const opened = openHubDocument('ack', payload, { root, node: this.member.node });
    if (!opened.ok || opened.value.document.journal !== this.#journal) return;
    const { through, counter, pods } = opened.value.document;
    while ((this.#outbox[0]?.n ?? Infinity) <= through) this.#outbox.shift();
    if (counter < this.#said.counter || this.#said.isConfirmed) return;
    this.#said.isConfirmed = true;
    counts.confirmed++;
    counts.lastConfirmedNs = nowNs();
    this.#onConfirmed();
    for (const one of this.#bundles.values())
      for (const pod of this.#podsOf(one))
        if (pods[pod.key] !== undefined && pods[pod.key] !== pod.summary.digest)
          this.#tellPod(pod, one);
  }

  #hub(payload: Buffer): void {
    const { root, counts } = this.#with;
    counts.verified++;
    const opened = openHubDocument('hub', payload, { root });
    if (!opened.ok || !opened.value.document.online) return;
    const { session } = opened.value.document;
    const isNew = this.#session !== null && this.#session !== session;
    this.#session = session;
    if (!isNew) return;
    this.#queue.hubChanged();
    // With jitter: a hub that comes back does not hear all of them at once.
    setTimeout(() => {
      if (!this.#said.isConfirmed) this.#say();
      this.#tellEvents();
    }, 5_000 * this.#with.random());
  }

  #answer(payload: Buffer): void {
    const { root, counts } = this.#with;
    counts.verified++;
    const opened = openHubDocument('answer', payload, { root, node: this.member.node });
    if (!opened.ok) return;
    const { published, absent } = opened.value.document;
    for (const digest of published) this.#queue.answered(digest, 'published');
    for (const digest of absent) this.#queue.answered(digest, 'absent');
    this.step();
  }

  // --- plumbing

  #own(kind: 'presence' | 'assignment' | 'answer' | 'ack' | 'command'): string {
    return this.#topics.node(this.member.node, kind);
  }

  #stamp() {
    const { fleet } = this.#with.root.document;
    return { fleet, node: this.member.node, journal: this.#journal, boot: 1 };
  }

  #seal(kind: DocumentKind, document: object): Buffer {
    this.#with.counts.signed++;
    return sealPacked(kind, document, [this.member.signer]);
  }

  async #publish(topic: string, payload: Buffer, retain: boolean): Promise<void> {
    const { counts } = this.#with;
    counts.sent++;
    counts.sentBytes += payload.byteLength;
    await this.#client?.publish(topic, payload, retain);
  }
}

function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}
