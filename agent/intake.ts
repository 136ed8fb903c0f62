/**
 * The way in: messages of the hub become accepted roots, assignments, bundles and blobs in the journal, and those become
 * files. Every message is checked by `protocol/verify-…`; what is refused changes nothing but the last refusal in the
 * status. Only the newest assignment is worked on. Works on after a restart without the hub (security.md 1.5–1.8).
 */
import { sha256Hex } from '../protocol/canonical.js';
import type { HubDocument, RequestDocument, StatusDocument } from '../protocol/documents.js';
import { openEnvelope, seal } from '../protocol/envelope.js';
import { keyId } from '../protocol/keys.js';
import { MESSAGE_BYTES_MAX } from '../protocol/limits.js';
import type { Clock, Log } from '../protocol/ports.js';
import { refuse, type Refusal } from '../protocol/refusal.js';
import { topicsOf, type Address, type Topics } from '../protocol/topics.js';
import type { TrustedRoot } from '../protocol/verified.js';
import { openAssignment } from '../protocol/verify-assignment.js';
import { openBundle } from '../protocol/verify-bundle.js';
import { openHubDocument } from '../protocol/verify-messages.js';
import { openNextRoot } from '../protocol/verify-root.js';
import { unpackBlob } from './blobs.js';
import { Alarm } from './intake-alarm.js';
import { isFinalRefusal, mayLogRefusal, memoryAllows, nodeTime } from './intake-decide.js';
import { FetchQueue, PATIENCE_MS } from './intake-fetch.js';
import { Stage, type Lacking, type Whereabouts } from './intake-stage.js';
import type { Journal } from './journal/journal.js';
import type { Link } from './link.js';
import type { OwnedDirectory } from './owned-files.js';
import type { SourceCondition } from './ports.js';
import { stampOf, type NodeIdentity } from './report-node.js';

const DIRECTORY_RETRY_MS = 15_000;
const ASK_AGAIN_MAX_MS = 3_600_000;
/** Open requests whose answers are still listened to. */
const NONCES_MAX = 64;
const DIGESTS_MAX = 256;

export interface IntakeOptions {
  readonly identity: NodeIdentity;
  readonly journal: Journal;
  readonly directory: OwnedDirectory;
  readonly link: Pick<Link, 'connected' | 'publish' | 'subscribe' | 'unsubscribe'>;
  /** From the join: where the chain of roots begins. */
  readonly pinnedRoot: TrustedRoot;
  /** From the join: the first assignment and the nonce that makes it fresh. Looked at with a new journal only. */
  readonly first: { readonly nonce: string; readonly assignment: Uint8Array } | null;
  /** Kubernetes' word for this machine: `amd64`, `arm64`, `arm`. */
  readonly arch: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomId: () => string;
  readonly log: Log;
  /** Something changed that the status says. */
  readonly onChange: () => void;
  /** A genuine presence of the hub; `isNew`: another session than before. */
  readonly onHub: (hub: HubDocument, isNew: boolean) => void;
}

/** What the status says of the intake. */
export interface IntakeState {
  readonly root: TrustedRoot;
  readonly clock: StatusDocument['clock'];
  readonly lastRefusal: StatusDocument['lastRefusal'];
  readonly conditions: readonly SourceCondition[];
}

/** @throws Error when the journal belongs to another fleet */
export function startIntake(options: IntakeOptions): Intake {
  const { journal, pinnedRoot } = options;
  const known = journal.root();
  if (known && known.document.fleet !== pinnedRoot.document.fleet) {
    throw new Error(
      'the journal belongs to another fleet: join with an empty data directory, or remove journal.db',
    );
  }
  if (!known || known.document.version < pinnedRoot.document.version) {
    journal.acceptRoot(pinnedRoot);
  }
  return new Intake(options);
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #topics: Topics;
  readonly #stage: Stage;
  readonly #fetch = new FetchQueue();
  readonly #fetchAlarm: Alarm;
  readonly #retryAlarm: Alarm;
  readonly #askAlarm: Alarm;
  readonly #nonces = new Set<string>();
  readonly #logged = new Map<string, number>();
  /** What came for a digest and was refused. */
  readonly #refused = new Map<string, { refusal: Refusal; final: boolean }>();
  #lacking = new Map<string, Lacking>();
  /** Came before the root that it needs. */
  #heldAssignment: Buffer | null = null;
  #heldRoot: Buffer | null = null;
  #nextRoot: number | null = null;
  #hubSession: string | null = null;
  #asked = 0;
  #lastRefusal: StatusDocument['lastRefusal'] = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#topics = topicsOf(options.identity.fleet);
    const { clock, journal, directory, log, first } = options;
    const whereabouts = (digest: string) => this.#whereabouts(digest);
    this.#stage = new Stage({ journal, directory, log, whereabouts });
    this.#fetchAlarm = new Alarm(clock, () => this.#work());
    this.#retryAlarm = new Alarm(clock, () => this.#work());
    this.#askAlarm = new Alarm(clock, () => this.#askForAssignment());
    if (first && journal.freshNonce() !== null && !journal.accepted()) {
      journal.useNonce(first.nonce);
      this.#assignment(Buffer.from(first.assignment), 'join');
    }
    this.#work();
  }

  // --------------------------------------------------------------------------------------- for others

  /** True for bytes that an accepted bundle put under this name: the only ones under the prefix that may run. */
  explains(file: string, bytes: Uint8Array): boolean {
    return this.#stage.explains(file, bytes);
  }

  /** Compares the directory with the journal and mends it: for when somebody's hand was in it. */
  repair(): void {
    this.#stage.distrustDirectory();
    this.#work();
  }

  state(): IntakeState {
    const { journal } = this.#options;
    const root = this.#root();
    return {
      root,
      clock: this.#time().clock,
      lastRefusal: this.#lastRefusal,
      conditions: [...journal.conditions(), ...this.#stage.conditions(root.document)],
    };
  }

  /** Topics that the link subscribes to on each connect. */
  topics(): string[] {
    const { node } = this.#options.identity;
    const topics = this.#topics;
    return [
      topics.root(),
      topics.hub(),
      topics.node(node, 'assignment'),
      topics.node(node, 'answer'),
    ];
  }

  linkUp(): void {
    this.#fetch.reconnected();
    this.#asked = 0;
    if (this.#options.journal.freshNonce() !== null) this.#askForAssignment();
    this.#work();
  }

  close(): void {
    for (const alarm of [this.#fetchAlarm, this.#retryAlarm, this.#askAlarm]) alarm.close();
  }

  // ---------------------------------------------------------------------------------------- messages

  /** A message on a topic of the hub. Never throws on what it holds; duplicates change nothing. */
  receive(address: Address, topic: string, payload: Buffer): void {
    // An empty payload is how a retained message is cleared.
    if (payload.byteLength === 0) return;
    switch (address.kind) {
      case 'hub':
        return this.#hub(payload, topic);
      case 'root':
        return this.#newRoot(payload, topic);
      case 'blob':
        return this.#blob(address.digest, payload, topic);
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
    if (!opened.ok) return this.refused(opened.refusal, payload, topic);
    const { document } = opened.value;
    if (document.epoch < this.#root().document.epoch) {
      return this.refused(refuse('Rollback', 'hub: of a former epoch').refusal, payload, topic);
    }
    const isNew = document.online && document.session !== this.#hubSession;
    if (isNew) {
      this.#hubSession = document.session;
      this.#fetch.hubChanged();
      this.#asked = 0;
      if (this.#options.journal.freshNonce() !== null) this.#askAssignmentSoon();
    }
    this.#options.onHub(document, isNew);
    if (isNew) this.#work();
  }

  #newRoot(payload: Buffer, topic: string): void {
    const current = this.#root();
    const opened = openNextRoot(payload, current);
    if (opened.ok) {
      if (opened.value.digest === current.digest) return;
      this.#options.journal.acceptRoot(opened.value);
      this.#options.log.info('root accepted', { version: opened.value.document.version });
      this.#nextRoot = null;
      return this.#afterRoot(topic);
    }
    if (opened.refusal.code !== 'RootRequired') return this.refused(opened.refusal, payload, topic);
    this.#heldRoot = payload;
    this.#nextRoot = current.document.version + 1;
    this.#work();
  }

  /** One version further: what waited for it is looked at again. */
  #afterRoot(topic: string): void {
    const { 0: root, 1: assignment } = [this.#heldRoot, this.#heldAssignment];
    this.#heldRoot = null;
    this.#heldAssignment = null;
    // What a former root's keys did not cover may be right under this one.
    this.#refused.clear();
    this.#fetch.hubChanged();
    if (root) this.#newRoot(root, this.#topics.root());
    if (assignment) this.#assignment(assignment, topic);
    this.#work();
    this.#options.onChange();
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
      now: this.#time().now,
    });
    if (opened.ok) {
      this.#heldAssignment = null;
      if (!opened.value.changed) return;
      journal.acceptAssignment(opened.value);
      const { epoch, generation, bundles } = opened.value.document;
      log.info('assignment accepted', { epoch, generation, bundles: bundles.length });
      this.#refused.clear();
      this.#asked = 0;
      this.#askAlarm.set(null);
      this.#stage.distrustDirectory();
      this.#work();
      this.#options.onChange();
      return;
    }
    if (opened.refusal.code === 'RootRequired') {
      this.#heldAssignment = payload;
      this.#nextRoot ??= this.#root().document.version + 1;
      return this.#work();
    }
    // Signed by keys of a root that comes later, perhaps: topics are not ordered among each other.
    if (opened.refusal.code === 'BadSignature') this.#heldAssignment ??= payload;
    if (opened.refusal.code === 'BadSignature' && this.#nextRoot !== null) return;
    this.refused(opened.refusal, payload, topic);
    this.#askAssignmentSoon();
  }

  #answer(payload: Buffer, topic: string): void {
    const { node } = this.#options.identity;
    const opened = openHubDocument('answer', payload, { root: this.#root(), node });
    if (!opened.ok) return this.refused(opened.refusal, payload, topic);
    const { nonce, published, absent } = opened.value.document;
    if (!this.#nonces.delete(nonce)) {
      const { refusal } = refuse('NotFresh', 'answer: to no open request of this node');
      return this.refused(refusal, payload, topic);
    }
    for (const digest of published) this.#fetch.answered(`blob/${digest}`, 'published');
    for (const digest of absent) this.#fetch.answered(`blob/${digest}`, 'absent');
    this.#work();
  }

  #blob(digest: string, payload: Buffer, topic: string): void {
    const wanted = this.#lacking.get(digest);
    if (!wanted) return;
    const refusal = wanted.envelopeOf
      ? this.#bundle(payload, wanted)
      : this.#content(payload, wanted);
    if (refusal) {
      this.#refused.set(digest, refusal);
      this.refused(refusal.refusal, payload, topic);
    } else {
      this.#refused.delete(digest);
    }
    // Wrong bytes keep their place until patience ends: then the right ones are asked for.
    if (!refusal || refusal.final) this.#fetch.arrived(`blob/${digest}`);
    this.#work();
  }

  #bundle(payload: Buffer, { envelopeOf: assigned }: Lacking) {
    if (!assigned) return null;
    const { journal, arch, agentVersion } = this.#options;
    const opened = openBundle(payload, { root: this.#root(), assigned, arch, agentVersion });
    if (!opened.ok) {
      const { refusal } = opened;
      return {
        refusal,
        final: isFinalRefusal(refusal.code, isContentOf(payload, assigned.digest)),
      };
    }
    const allowed = memoryAllows(assigned, {
      knownDigest: journal.knownDigest(assigned, assigned.revision),
      rollbackFloor: journal.rollbackFloor(assigned),
    });
    if (!allowed.ok) return { refusal: allowed.refusal, final: true };
    journal.storeBundle(opened.value);
    return null;
  }

  #content(payload: Buffer, wanted: Lacking) {
    const content = unpackBlob(payload, wanted);
    if (!content.ok) return { refusal: content.refusal, final: false };
    this.#options.journal.storeBlob(wanted.digest, content.value);
    return null;
  }

  /** Counted and said once a minute; the refused text is never kept. */
  refused(refusal: Refusal, payload: Buffer, topic: string): void {
    const { clock, log } = this.#options;
    const digest = sha256Hex(payload);
    const now = clock.monotonic();
    if (!mayLogRefusal(this.#logged, digest, now)) return;
    this.#logged.set(digest, now);
    const { prefix } = this.#topics;
    const below = topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
    const at = new Date(clock.now()).toISOString();
    this.#lastRefusal = { code: refusal.code, digest, topic: below.slice(0, 256), at };
    log.warn('refused', { code: refusal.code, detail: refusal.detail, topic: below, digest });
    this.#options.onChange();
  }

  // --------------------------------------------------------------------------------------------- work

  /** Brings everything as far as it can go now; does nothing when nothing is to be done. */
  #work(): void {
    const { journal, clock } = this.#options;
    const before = journal.head();
    const faultBefore = this.#stage.needsRetry();
    const assignment = journal.accepted()?.document ?? null;
    const lacking = this.#stage.pass(assignment, this.#root().document);
    this.#lacking = new Map(lacking.map(item => [item.digest, item]));
    // Envelopes first: only they tell what else is lacking.
    const blobs = [...lacking]
      .sort((a, b) => Number(b.envelopeOf !== null) - Number(a.envelopeOf !== null))
      .map(({ digest }) => digest)
      .filter(digest => !this.#refused.get(digest)?.final);
    const root = this.#nextRoot === null ? [] : [`root/${this.#nextRoot}`];
    this.#fetch.want([...root, ...blobs.map(digest => `blob/${digest}`)]);
    this.#stepFetch();
    const retry = this.#stage.needsRetry();
    if (retry) this.#retryAlarm.setBefore(clock.monotonic() + DIRECTORY_RETRY_MS);
    if (journal.head() !== before || retry !== faultBefore) this.#options.onChange();
  }

  #stepFetch(): void {
    const { link, clock, random } = this.#options;
    if (!link.connected()) return this.#fetchAlarm.set(null);
    const step = this.#fetch.step(clock.monotonic(), random);
    link.unsubscribe(step.unsubscribe.map(key => this.#topics.prefix + key));
    link.subscribe(step.subscribe.map(key => this.#topics.prefix + key));
    this.#fetchAlarm.set(step.nextAt);
    const digests = step.ask.filter(key => key.startsWith('blob/')).map(key => key.slice(5));
    for (let i = 0; i < digests.length; i += DIGESTS_MAX) {
      this.#request({ want: 'blobs', digests: digests.slice(i, i + DIGESTS_MAX) });
    }
    for (const key of step.ask.filter(other => other.startsWith('root/'))) {
      this.#request({ want: 'root', rootVersion: Number(key.slice(5)) });
      this.#rootDidNotCome();
    }
    // What is asked for is missing from now on: the bundles that wait for it say so.
    if (digests.length > 0) this.#work();
  }

  /** An ordinary rotation is no refusal; an assignment that still waits for its root after ten seconds is one. */
  #rootDidNotCome(): void {
    const { node } = this.#options.identity;
    if (!this.#heldAssignment) return;
    const { refusal } = refuse('RootRequired', `assignment: needs root ${this.#nextRoot}`);
    this.refused(refusal, this.#heldAssignment, this.#topics.node(node, 'assignment'));
  }

  #whereabouts(digest: string): Whereabouts {
    const refused = this.#refused.get(digest);
    if (refused) return { is: 'refused', ...refused };
    const key = `blob/${digest}`;
    if (this.#fetch.isAbsent(key)) return { is: 'absent' };
    return { is: this.#fetch.isMissing(key) ? 'missing' : 'coming' };
  }

  // ----------------------------------------------------------------------------------------- requests

  #askAssignmentSoon(): void {
    const { clock, random } = this.#options;
    const waitMs = Math.min(ASK_AGAIN_MAX_MS, PATIENCE_MS * 2 ** Math.min(this.#asked, 9));
    this.#askAlarm.setBefore(clock.monotonic() + waitMs * (0.5 + random()));
  }

  #askForAssignment(): void {
    const { journal, link } = this.#options;
    this.#asked++;
    if (link.connected()) this.#request({ want: 'assignment' });
    if (journal.freshNonce() !== null) this.#askAssignmentSoon();
  }

  #request(
    wanted: Pick<RequestDocument, 'want'> &
      Partial<Pick<RequestDocument, 'digests' | 'rootVersion'>>,
  ): void {
    const { identity, journal, link, randomId } = this.#options;
    const fresh = wanted.want === 'assignment' ? journal.freshNonce() : null;
    const nonce = fresh ?? randomId();
    if (this.#nonces.size >= NONCES_MAX) this.#nonces.delete([...this.#nonces][0] ?? '');
    this.#nonces.add(nonce);
    const document: RequestDocument = {
      ...stampOf(identity, journal),
      counter: journal.nextCounter(),
      nonce,
      digests: [],
      rootVersion: 0,
      ...wanted,
    };
    const topic = this.#topics.node(identity.node, 'request');
    void link.publish(topic, seal('request', document, [identity.signer]), { retain: false });
  }

  // -------------------------------------------------------------------------------------------- state

  #root(): TrustedRoot {
    return this.#options.journal.root() ?? this.#options.pinnedRoot;
  }

  #time() {
    const { clock, journal } = this.#options;
    return nodeTime(clock.now(), this.#root().document, journal.accepted()?.document ?? null);
  }
}

/** Whether an envelope carries the very payload that a digest names, whoever signed it. */
function isContentOf(envelope: Buffer, digest: string): boolean {
  const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax: 2 * MESSAGE_BYTES_MAX });
  return opened.ok && sha256Hex(opened.value.payload) === digest;
}
