/**
 * The way in: messages of the hub become accepted roots, assignments, bundles and blobs in the journal, and those become files. Every
 * message is checked by `protocol/verify-…`; what is refused changes nothing but the last refusal in the status. Only the newest
 * assignment is worked on. Works on after a restart without the hub (security.md 1.5–1.8).
 */
import { refuse, type Refusal } from '../../protocol/refusal.js';
import { topicsOf, type Address, type Topics } from '../../protocol/topics.js';
import type { PacketOnItsWay } from '../../protocol/packet-guard.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { Alarm } from './alarm.js';
import { AssignmentsIn } from './assignments-in.js';
import { rootConditions } from './decide.js';
import type { IntakeOptions, IntakeState } from './intake-options.js';
import { Refusals } from './refusals.js';
import { Requests } from './requests.js';
import { RootWalk } from './roots.js';
import type { WayBack } from './roll-back.js';
import { Stage } from './stage.js';
import { roomCondition, SlowRetrievals } from './troubles.js';
import { Withheld, type AssignmentNumber } from './withheld.js';
import { Supply } from './supply.js';
import { diskTakes } from '../journal/database.js';
import type { BundleRecord } from '../journal/journal.js';
import type { Message } from '../report/messages.js';

const RETRY_MS = { first: 1_000, most: 15_000 } as const;
/** Root, hub, assignment, answer, and roots in between. */
const UNWRITTEN_MAX = 8;

/** @throws JournalError `OtherFleet` */
export function startIntake(options: IntakeOptions): Intake {
  return new Intake(options);
}

/** Signed by the key that the root names for the hub. */
const OF_THE_HUB: ReadonlySet<Address['kind']> = new Set([
  ...(['hub', 'assignment', 'answer', 'ack', 'time', 'command'] as const),
]);

export class Intake {
  readonly #options: IntakeOptions;
  readonly #topics: Topics;
  readonly #stage: Stage;
  readonly #supply: Supply;
  readonly #roots: RootWalk;
  readonly #retryAlarm: Alarm;
  readonly #requests: Requests;
  readonly #refusals: Refusals;
  #hubSession: string | null = null;
  /** What came and could not be written, by topic: the newest of each. */
  readonly #unwritten = new Map<string, { address: Address; payload: Buffer }>();
  /** Tries in a row after which the directory was not what it should be. */
  #troubles = 0;
  readonly #withheld: Withheld;
  readonly #slow: SlowRetrievals;
  readonly #assignments: AssignmentsIn;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#topics = topicsOf(options.identity.fleet);
    const { clock } = options;
    this.#slow = new SlowRetrievals(this.#topics);
    this.#requests = new Requests({
      ...options,
      onAsked: () => options.onChange(),
      onVain: held => this.refused(held.refusal, held.payload, held.topic),
    });
    const root = () => this.#root();
    this.#withheld = new Withheld({ ...options, root, requests: this.#requests });
    this.#refusals = new Refusals({ ...options, prefix: this.#topics.prefix });
    this.#roots = new RootWalk(this.#topics, options.identity.node);
    this.#assignments = new AssignmentsIn({
      ...options,
      root,
      requests: this.#requests,
      roots: this.#roots,
      onAccepted: () => this.#assigned(),
      onConfirmed: () => this.#refusals.accepted(),
      onPatches: (patches, document) => this.#supply.patches.hold(patches, document),
      onLook: () => this.#work(),
      onRefusal: (refusal, payload, topic) => this.refused(refusal, payload, topic),
    });
    this.#supply = new Supply({
      ...options,
      topics: this.#topics,
      requests: this.#requests,
      root,
      onRefusal: (refusal, payload, topic) => this.refused(refusal, payload, topic),
      onTaken: topic => this.#refusals.taken(topic),
      onRootMissing: () => this.#rootDidNotCome(),
      onArrival: () => this.#work(),
    });
    const whereabouts = (digest: string) => this.#supply.whereabouts(digest);
    this.#stage = new Stage({ ...options, whereabouts });
    this.#retryAlarm = new Alarm(clock, () => this.#work());
    this.#work();
  }

  /** True for bytes that an accepted bundle put under this name: the only ones under the prefix that may run. */
  explains(file: string, bytes: Uint8Array): ReturnType<Stage['explains']> {
    const how = this.#stage.explains(file, bytes);
    if (this.#stage.needsRetry()) this.#retryAlarm.setBefore(this.#options.clock.monotonic());
    return how;
  }

  /** True where the journal knows that no file of this name is to be in the static pod directory. */
  isWithdrawn(file: string): boolean {
    return this.#stage.isWithdrawn(file);
  }

  /** Compares the directory with the journal and mends it: for when somebody's hand was in it. */
  repair(): void {
    this.#stage.distrustDirectory();
    this.#work();
  }

  /** An image that is awaited is there or cannot be had; a revision was given up. */
  look(): void {
    this.#work();
  }

  /** Where a person at the device gets to who undoes what runs, or why there is no way. */
  wayBack(record: BundleRecord): WayBack | string {
    return this.#stage.wayBack(record, this.#root().document);
  }

  /** What was given up there stays, and no waiting would change that. */
  cannotReturn(record: BundleRecord): boolean {
    return this.#stage.cannotReturn(record, this.#root().document);
  }

  /** What lies in the static pod directory or the node's keys changed: what waited for a Secret may go on. */
  secretsChanged(): void {
    this.#work();
  }

  state(): IntakeState {
    const { journal } = this.#options;
    const root = this.#root();
    return {
      root,
      lastRefusal: this.#refusals.last(),
      newestRefusal: this.#refusals.newest(),
      conditions: [
        ...journal.conditions(),
        ...this.#stage.conditions(root.document),
        ...(this.#options.secrets?.conditions() ?? []),
        ...rootConditions(root.document, this.#options.time.now().now, this.#options.agentVersion),
        ...(this.#unwritten.size > 0
          ? roomCondition(this.#unwritten.values())
          : this.#withheld.conditions()),
        ...this.#slow.conditions(this.#options.clock.monotonic()),
      ],
    };
  }

  /** Topics that the link subscribes to on each connect. */
  topics(): string[] {
    const { node } = this.#options.identity;
    const topics = this.#topics;
    const own = (['assignment', 'answer'] as const).map(kind => topics.node(node, kind));
    return [topics.root(), topics.hub(), ...own];
  }

  /** For a file: what it would ask the hub. */
  letters(): Message[] {
    return [this.#requests.forFreshAssignment() ?? []].flat();
  }

  linkUp(): void {
    this.#supply.reconnected();
    this.#roots.reconnected();
    this.#requests.beginAnew();
    this.#work();
  }

  /** What the hub says of this node's assignment. */
  told(assigned: AssignmentNumber): void {
    this.#withheld.told(assigned);
  }

  /** A message came so slowly that the connection ends. */
  slow(packet: PacketOnItsWay): void {
    const key = this.#slow.note(packet, this.#options.clock.monotonic());
    if (key !== null) this.#supply.slow(key);
    this.#options.onChange();
  }

  /** The disk may be well again: what it refused is read, fetched and judged again. */
  tryAgain(): void {
    const unwritten = [...this.#unwritten];
    this.#unwritten.clear();
    for (const [topic, { address, payload }] of unwritten) this.receive(address, topic, payload);
    if (this.#unwritten.size > 0) return;
    this.#supply.reconnected();
    this.#work();
  }

  close(): void {
    this.#supply.close();
    this.#retryAlarm.close();
    this.#requests.close();
  }

  /** A message on a topic of the hub. Never throws on what it holds; duplicates change nothing. */
  receive(address: Address, topic: string, payload: Buffer): void {
    // An empty payload is how a retained message is cleared.
    if (payload.byteLength === 0) return;
    this.#unwritten.delete(topic);
    const isWritten = diskTakes(() => this.#dispatch(address, topic, payload));
    // Content is fetched again; what the hub says once may not come again.
    if (isWritten || address.kind === 'blob') return;
    this.#unwritten.set(topic, { address, payload });
    if (this.#unwritten.size > UNWRITTEN_MAX)
      this.#unwritten.delete([...this.#unwritten.keys()][0] ?? '');
  }

  #dispatch(address: Address, topic: string, payload: Buffer): void {
    switch (address.kind) {
      case 'hub':
        return this.#hub(payload, topic);
      case 'root':
        return this.#newRoot(payload, topic);
      case 'blob':
        this.#slow.came(`blob/${address.digest}`);
        return this.#supply.receive(address.digest, payload, topic);
      case 'assignment':
        return this.#assignments.receive(payload, topic);
      case 'answer':
        return this.#answer(payload, topic);
      default:
        return this.refused(refuse('WrongTopic', 'not read by this agent').refusal, payload, topic);
    }
  }

  #hub(payload: Buffer, topic: string): void {
    const opened = openHubDocument('hub', payload, { root: this.#root() });
    if (!opened.ok) {
      const awaitsRoot = opened.refusal.code === 'BadSignature' && this.#roots.holdHub(payload);
      return awaitsRoot ? undefined : this.refused(opened.refusal, payload, topic);
    }
    const { document } = opened.value;
    if (document.epoch < this.#root().document.epoch) {
      return this.refused(refuse('Rollback', 'hub: of a former epoch').refusal, payload, topic);
    }
    const isNew = document.online && document.session !== this.#hubSession;
    if (isNew) {
      this.#hubSession = document.session;
      this.#supply.hubChanged();
      this.#requests.beginAnew();
    }
    this.#options.onHub(document, isNew);
    if (isNew) this.#work();
  }

  #newRoot(payload: Buffer, topic: string): void {
    const outcome = this.#roots.offer(payload, this.#root());
    if (outcome.is === 'refused') return this.refused(outcome.refusal, payload, topic);
    if (outcome.is === 'accepted') {
      this.#options.journal.acceptRoot(outcome.root);
      this.#refusals.accepted();
      this.#options.log.info('root accepted', { version: outcome.root.document.version });
      // What a former root's keys did not cover may be right under this one.
      this.#supply.hubChanged();
      // A risen epoch drops what the former one said of the time.
      this.#options.time.doubt();
      for (const held of this.#roots.release())
        this.receive(held.address, held.topic, held.payload);
      this.#options.onRoot?.();
      this.#options.onChange();
    }
    this.#work();
  }

  #assigned(): void {
    this.#refusals.accepted();
    this.#withheld.came();
    this.#supply.hubChanged();
    this.#stage.distrustDirectory();
    this.#work();
    this.#options.onChange();
  }

  /** The hub told the time: a window may be open. */
  timeLearned(): void {
    diskTakes(() => this.#assignments.timeLearned());
    this.#work();
  }

  /** An ordinary rotation is no refusal; what still waits for its root after ten seconds is one. */
  #rootDidNotCome(): void {
    for (const one of this.#roots.overdue()) this.refused(one.refusal, one.payload, one.topic);
  }

  #answer(payload: Buffer, topic: string): void {
    const { node } = this.#options.identity;
    const opened = openHubDocument('answer', payload, { root: this.#root(), node });
    if (!opened.ok) return this.refused(opened.refusal, payload, topic);
    const { nonce, published, absent } = opened.value.document;
    if (!this.#requests.isAnswered(nonce)) {
      const { refusal } = refuse('NotFresh', 'answer: to no open request of this node');
      return this.refused(refusal, payload, topic);
    }
    this.#supply.answered({ published, absent });
    this.#work();
  }

  /** Refused messages since the agent was started, by code. */
  refusals(): ReadonlyMap<string, number> {
    return this.#refusals.counts();
  }

  /** A document that is not this one's to read was refused: said all the same. */
  refused(refusal: Refusal, payload: Buffer, topic: string): void {
    const isNew = this.#refusals.note(refusal, payload, topic);
    const kind = this.#topics.parse(topic)?.kind ?? 'blob';
    // A status about an acknowledgement would be acknowledged, and so on: this is told with the next.
    if (isNew && kind !== 'ack') this.#options.onChange();
    if (refusal.code !== 'BadSignature' || !OF_THE_HUB.has(kind)) return;
    if (this.#roots.suspect(this.#root(), this.#options.clock.monotonic())) this.#work();
  }

  /** Brings everything as far as it can go now; does nothing when nothing is to be done. */
  #work(): void {
    const { journal, clock } = this.#options;
    const before = journal.history().head;
    const troubledBefore = this.#stage.needsRetry();
    // A disk that refuses the journal is a condition, which the journal tells, and not an end.
    diskTakes(() => {
      this.#pin();
      for (let again = true; again;) {
        const assignment = journal.accepted()?.document ?? null;
        const lacking = this.#stage.pass(assignment, this.#root().document);
        // What is asked for is missing from now on: the bundles that wait for it say so.
        again = this.#supply.want(lacking, this.#roots.next());
      }
    });
    const troubled = this.#stage.needsRetry();
    this.#troubles = troubled ? this.#troubles + 1 : 0;
    const retryMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (this.#troubles - 1));
    const soon = Math.min(troubled ? retryMs : Infinity, this.#stage.againInMs() ?? Infinity);
    if (soon < Infinity) this.#retryAlarm.setBefore(clock.monotonic() + soon);
    if (journal.history().head !== before || troubled !== troubledBefore) this.#options.onChange();
  }

  /** The root of the join, before there is a newer one. @throws JournalError `OtherFleet` */
  #pin(): void {
    const { journal, pinnedRoot } = this.#options;
    const known = journal.root()?.document;
    const isOfFleet = known?.fleet === pinnedRoot.document.fleet;
    if (isOfFleet && known.version >= pinnedRoot.document.version) return;
    journal.acceptRoot(pinnedRoot);
  }

  #root(): TrustedRoot {
    return this.#options.journal.root() ?? this.#options.pinnedRoot;
  }
}
