/**
 * The way in: messages of the hub become accepted roots, assignments, bundles and blobs in the journal, and those become files. Every
 * message is checked by `protocol/verify-…`; what is refused changes nothing but the last refusal in the status. Only the newest
 * assignment is worked on. Works on after a restart without the hub (security.md 1.5–1.8).
 */
import { keyId } from '../../protocol/keys.js';
import { refuse, type Refusal } from '../../protocol/refusal.js';
import { topicsOf, type Address, type Topics } from '../../protocol/topics.js';
import type { PacketOnItsWay } from '../../protocol/packet-guard.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openAssignment } from '../../protocol/verify-assignment.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { Alarm } from './alarm.js';
import { rootConditions, rootRefuses, withdrawnRefusal } from './decide.js';
import type { IntakeOptions, IntakeState } from './intake-options.js';
import { Refusals } from './refusals.js';
import { Requests } from './requests.js';
import { RootWalk } from './roots.js';
import { Stage } from './stage.js';
import { diskCondition, SlowRetrievals } from './troubles.js';
import { Withheld, type AssignmentNumber } from './withheld.js';
import { Supply } from './supply.js';
import { isDiskError } from '../journal/database.js';
import type { Message } from '../report/messages.js';

const RETRY_MS = 15_000;

/** @throws JournalError `OtherFleet` */
export function startIntake(options: IntakeOptions): Intake {
  const { journal, pinnedRoot } = options;
  const known = journal.root();
  const isOfFleet = known?.document.fleet === pinnedRoot.document.fleet;
  if (!isOfFleet || known.document.version < pinnedRoot.document.version) {
    journal.acceptRoot(pinnedRoot);
  }
  return new Intake(options);
}

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
  #diskFault: string | null = null;
  readonly #withheld: Withheld;
  readonly #slow: SlowRetrievals;
  /** Refused for the time alone: looked at again when the hub told it. */
  #expired: { readonly payload: Buffer; readonly topic: string } | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#topics = topicsOf(options.identity.fleet);
    const { clock, log } = options;
    this.#slow = new SlowRetrievals(this.#topics);
    this.#requests = new Requests({
      ...options,
      onAsked: () => options.onChange(),
      onVain: held => this.refused(held.refusal, held.payload, held.topic),
    });
    const root = () => this.#root();
    this.#withheld = new Withheld({ ...options, root, requests: this.#requests });
    const { prefix } = this.#topics;
    this.#refusals = new Refusals({ clock, log, prefix, time: options.time });
    this.#roots = new RootWalk(this.#topics, options.identity.node);
    this.#supply = new Supply({
      ...options,
      topics: this.#topics,
      requests: this.#requests,
      root,
      onRefusal: (refusal, payload, topic) => this.refused(refusal, payload, topic),
      onRootMissing: () => this.#rootDidNotCome(),
      onArrival: () => this.#work(),
    });
    const whereabouts = (digest: string) => this.#supply.whereabouts(digest);
    this.#stage = new Stage({ ...options, whereabouts });
    this.#retryAlarm = new Alarm(clock, () => this.#work());
    this.#work();
  }

  /** True for bytes that an accepted bundle put under this name: the only ones under the prefix that may run. */
  explains(file: string, bytes: Uint8Array): boolean | 'altered' {
    return this.#stage.explains(file, bytes);
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
      conditions: [
        ...journal.conditions(),
        ...this.#stage.conditions(root.document),
        ...(this.#options.secrets?.conditions() ?? []),
        ...rootConditions(root.document, this.#options.time.now().now, this.#options.agentVersion),
        ...(this.#diskFault === null ? [] : [diskCondition(this.#diskFault)]),
        ...this.#withheld.conditions(),
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

  /** The disk refused what the journal had gathered: it is fetched and judged again. */
  lost(): void {
    this.#diskFailed('what had come could not be written');
  }

  close(): void {
    this.#supply.close();
    this.#retryAlarm.close();
    this.#requests.close();
  }

  /** A message on a topic of the hub. Never throws on what it holds; duplicates change nothing. */
  receive(address: Address, topic: string, payload: Buffer): void {
    // An empty payload is how a retained message is cleared.
    if (payload.byteLength > 0) this.#attempt(() => this.#dispatch(address, topic, payload));
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
        return this.#assignment(payload, topic);
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

  #assignment(payload: Buffer, topic: string): void {
    const { identity, journal, log } = this.#options;
    const accepted = journal.accepted();
    const nonce = journal.freshNonce();
    const opened = openAssignment(payload, {
      root: this.#root(),
      node: identity.node,
      nodeKey: keyId(identity.signer.publicKey),
      accepted,
      nonce,
      freshOnly: nonce !== null,
      now: this.#options.time.now().now,
    });
    if (opened.ok) {
      this.#roots.dropAssignment();
      this.#expired = null;
      if (!opened.value.changed) return;
      const root = this.#root().document;
      const unfit =
        rootRefuses(root, this.#options.time.now().now, this.#options.agentVersion) ??
        withdrawnRefusal(opened.value.document, { accepted: accepted?.document ?? null, root });
      if (unfit) return this.#notAccepted(unfit, payload, topic);
      journal.acceptAssignment(opened.value);
      this.#options.secrets?.assigned().forEach(one => this.refused(one, payload, topic));
      const { epoch, generation, bundles } = opened.value.document;
      log.info('assignment accepted', { epoch, generation, bundles: bundles.length });
      this.#withheld.came();
      this.#options.time.assigned();
      this.#supply.hubChanged();
      this.#stage.distrustDirectory();
      this.#work();
      this.#options.onChange();
      return;
    }
    const held = this.#roots.hold(opened.refusal, payload, this.#root());
    if (held) return this.#work();
    this.#notAccepted(opened.refusal, payload, topic);
    this.#requests.assignmentRefused();
  }

  /** A journal that is new asks at once. What the time alone speaks against may be right once the hub told it. */
  #notAccepted(refusal: Refusal, payload: Buffer, topic: string): void {
    const isNew = refusal.code === 'NotFresh' && !this.#options.journal.conditions().length;
    if (isNew && this.#requests.hold({ refusal, payload, topic })) return;
    this.refused(refusal, payload, topic);
    if (refusal.code !== 'Expired') return;
    this.#expired = { payload, topic };
    this.#options.time.doubt();
  }

  /** The hub told the time: a window may be open. */
  timeLearned(): void {
    const expired = this.#expired;
    this.#expired = null;
    if (expired) this.#attempt(() => this.#assignment(expired.payload, expired.topic));
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
    if (this.#refusals.note(refusal, payload, topic)) this.#options.onChange();
  }

  /** Brings everything as far as it can go now; does nothing when nothing is to be done. */
  #work(): void {
    const { journal, clock } = this.#options;
    const before = journal.history().head;
    const troubledBefore = this.#isTroubled();
    this.#attempt(() => {
      for (let again = true; again;) {
        const assignment = journal.accepted()?.document ?? null;
        const lacking = this.#stage.pass(assignment, this.#root().document);
        // What is asked for is missing from now on: the bundles that wait for it say so.
        again = this.#supply.want(lacking, this.#roots.next());
      }
      this.#diskFault = null;
    });
    const troubled = this.#isTroubled();
    const againMs = this.#options.windows?.againInMs() ?? Infinity;
    const soon = Math.min(troubled ? RETRY_MS : Infinity, againMs);
    if (soon < Infinity) this.#retryAlarm.setBefore(clock.monotonic() + soon);
    if (journal.history().head !== before || troubled !== troubledBefore) this.#options.onChange();
  }

  /** A disk that refuses the journal is a condition, not an end: what was to be written is tried again. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.#diskFailed(error.message);
    }
  }

  #diskFailed(message: string): void {
    this.#diskFault = message;
    this.#retryAlarm.setBefore(this.#options.clock.monotonic() + RETRY_MS);
    this.#options.onChange();
  }

  #isTroubled(): boolean {
    return this.#stage.needsRetry() || this.#diskFault !== null;
  }

  #root(): TrustedRoot {
    return this.#options.journal.root() ?? this.#options.pinnedRoot;
  }
}
