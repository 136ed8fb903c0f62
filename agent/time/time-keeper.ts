/**
 * Keeps the node's time: asks the hub for it on each connection with a nonce, keeps what the answer
 * proves, and notices a hub that stays silent. An answer is good for a minute of uptime, once. Never
 * sets the machine's clock; nothing here touches a running pod (security.md 1.6, S22, S27–S31).
 */
import type { RequestDocument } from '../../protocol/documents/node.js';
import { sealPacked } from '../../protocol/envelope.js';
import type { Clock } from '../../protocol/ports.js';
import { refuse, type Refusal } from '../../protocol/refusal.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { Alarm } from '../intake/alarm.js';
import { diskTakes } from '../journal/database.js';
import type { Journal } from '../journal/journal.js';
import type { Moment } from '../journal/outbox.js';
import type { Link } from '../link/link-options.js';
import type { SourceCondition } from '../ports.js';
import { stampOf, type NodeIdentity } from '../report/node.js';
import { clockConditions, silenceCondition } from './conditions.js';
import type { Machine } from './machine.js';
import {
  correctedAt,
  stampedAt,
  isTimeKnown,
  nodeTime,
  rootFloor,
  type LearnedTime,
  type NodeTime,
} from './node-time.js';
import { Silence } from './silence.js';
import { Timeline } from './timeline.js';

/** From asking to the answer. */
export const ANSWER_MS = 60_000;
/** Clocks drift; and a hub that answers is not silent. */
const ASK_EVERY_MS = 86_400_000;
const ASK_AGAIN_MS = 60_000;
const ASK_AGAIN_MAX_MS = 3_600_000;
/** After another session of the hub: the whole fleet sees it at once. */
const HUB_JITTER_MS = 3_000;
const OPEN_MAX = 8;
const DAY_MS = 86_400_000;
/** At the agent's end a shorter silence is worth a write too. */
const SAVE_AT_END_MS = 3_600_000;

export interface TimeKeeperOptions {
  readonly identity: NodeIdentity;
  readonly journal: Journal;
  readonly link: Pick<Link, 'connected' | 'publish'>;
  readonly root: () => TrustedRoot;
  readonly releasedAt: number;
  readonly machine: Machine;
  /** Whether something disciplines the kernel's clock. */
  readonly kernelSynced: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomId: () => string;
  /** Something changed that the status says. */
  readonly onChange: () => void;
  /** The hub said something that it cannot have said before then, in uptime. */
  readonly onHeard?: (asOf: number) => void;
  /** The hub told the time: what was refused for it may be right. */
  readonly onLearned: () => void;
}

export class TimeKeeper {
  readonly #options: TimeKeeperOptions;
  readonly #askAlarm: Alarm;
  readonly #silenceAlarm: Alarm;
  readonly #silence: Silence;
  readonly #timeline = new Timeline();
  /** Uptime of asking, by nonce. */
  readonly #open = new Map<string, number>();
  #learned: LearnedTime | null = null;
  /** The answer that was accepted last. */
  #taken: { nonce: string; text: string; askedAt: number } | null = null;
  #answered = false;
  #asked = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Since when the floor has been what it is: it is that much later now. */
  #floor = { value: 0, since: 0 };

  constructor(options: TimeKeeperOptions) {
    this.#options = options;
    const { clock, machine, journal } = options;
    this.#silence = new Silence(journal.time().silentMs(), machine.uptimeMs());
    this.#askAlarm = new Alarm(clock, () => this.#ask());
    this.#silenceAlarm = new Alarm(clock, () => this.#look());
    this.#look();
  }

  // ------------------------------------------------------------------------------------ the time

  now(): NodeTime {
    const { clock, machine, journal, root, releasedAt, kernelSynced } = this.#options;
    const uptime = machine.uptimeMs();
    const facts = {
      clock: clock.now(),
      uptime,
      releasedAt,
      root: root().document,
      hubFloor: journal.time().hubFloor(),
      learned: this.#learned,
      kernelSynced: kernelSynced(),
      floorKnownMs: 0,
    };
    const { floor } = nodeTime(facts);
    if (floor !== this.#floor.value) this.#floor = { value: floor, since: uptime };
    return nodeTime({ ...facts, floorKnownMs: uptime - this.#floor.since });
  }

  /** For what is to happen at certain times. */
  known(): { readonly now: number; readonly isKnown: boolean } {
    const { clock, machine } = this.#options;
    const { hasRealTimeClock = false } = machine;
    const time = this.now();
    const isKnown = isTimeKnown(time, { clock: clock.now(), hasRealTimeClock });
    return { now: time.now, isKnown };
  }

  /** The same, steady: what was told at one moment does not move with each look at the clocks. */
  timeline(): Timeline {
    const { clock, machine } = this.#options;
    this.#timeline.look({ time: this.now().now, clock: clock.now(), uptime: machine.uptimeMs() });
    return this.#timeline;
  }

  /** Milliseconds since 1970, now, as it is told. */
  told(): number {
    return this.timeline().at(this.#options.machine.uptimeMs());
  }

  uptime(): number {
    return this.#options.machine.uptimeMs();
  }

  /** When an event happened, as it is told. */
  readonly timeOf = ({ at, machine, uptime }: Moment): number => {
    const timeline = this.timeline();
    const isOfThisRun = machine !== null && machine === this.#options.machine.bootId;
    if (isOfThisRun && uptime !== null) return timeline.near(at, uptime);
    return this.correct(at);
  };

  /** A time that the system clock gave, as it is told. */
  correct(at: number): number {
    const floor = this.floor();
    return correctedAt(at, { by: this.timeline().by(), now: this.told(), floor });
  }

  /** What the root proves to be past, milliseconds since 1970. */
  readonly floor = (): number => {
    const { releasedAt, root } = this.#options;
    return rootFloor({ releasedAt, root: root().document });
  };

  /** Milliseconds since 1970, now, for rows that are kept. */
  readonly stamp = (): number => {
    const isProven = this.now().clock === 'synced';
    const told = this.told();
    const by = this.timeline().by();
    return stampedAt({ clock: this.#options.clock.now(), told, by, isProven });
  };

  conditions(): SourceCondition[] {
    const { clock, machine, root } = this.#options;
    const silentMs = this.#silence.ms(machine.uptimeMs());
    return [
      ...clockConditions(this.now(), { clock: clock.now(), root: root().document }),
      ...(this.#silence.isTooLong(machine.uptimeMs()) ? [silenceCondition(silentMs)] : []),
    ];
  }

  // ------------------------------------------------------------------------------------ asking

  linkUp(): void {
    this.#answered = false;
    this.#asked = 0;
    this.#ask();
  }

  /** Another session of the hub: one that was down when it was asked answers now. */
  hubChanged(): void {
    if (this.#answered) return;
    const { clock, random } = this.#options;
    this.#asked = 0;
    this.#askAlarm.setBefore(clock.monotonic() + HUB_JITTER_MS * (0.5 + random() / 2));
  }

  /** Something was refused for the time, or the epoch rose: the hub is asked, at most once a minute. */
  doubt(): void {
    const { clock } = this.#options;
    const nextAt = this.#askedAt + ASK_AGAIN_MS;
    if (clock.monotonic() >= nextAt) this.#ask();
    else this.#askAlarm.setBefore(nextAt);
  }

  /** An assignment was accepted: if it proves another time than the hub told, one of the two is wrong, and the hub is asked again. */
  assigned(): void {
    if (this.#learned !== null && this.now().clock === 'floor') this.doubt();
  }

  /**
   * The hub's time; null when it was accepted, else why it is refused. The one accepted last, said again within its minute, is what a
   * broker may do (MQTT 3.1.1, QoS 1): it changes nothing and is no refusal.
   */
  answer(payload: Buffer): Refusal | null {
    const { identity, machine, releasedAt, clock } = this.#options;
    const root = this.#options.root();
    const opened = openHubDocument('time', payload, { root, node: identity.node });
    if (!opened.ok) return opened.refusal;
    const { nonce, time: text } = opened.value.document;
    const uptime = machine.uptimeMs();
    const { nonce: taken, text: said, askedAt: since } = this.#taken ?? {};
    if (nonce === taken && text === said && uptime - (since ?? 0) <= ANSWER_MS) return null;
    const askedAt = this.#open.get(nonce);
    if (askedAt === undefined || uptime - askedAt > ANSWER_MS) {
      return refuse('NotFresh', 'time: answers no open request of this node').refusal;
    }
    const time = Date.parse(text);
    if (Number.isNaN(time)) return refuse('Malformed', 'time: no such day or hour').refusal;
    if (time < rootFloor({ releasedAt, root: root.document })) {
      const detail = 'time: before the root in force was issued; set the clock of the hub';
      return refuse('Rollback', detail).refusal;
    }
    this.#open.delete(nonce);
    this.#taken = { nonce, text, askedAt };
    const { epoch } = root.document;
    // Said somewhere between asking and now.
    this.#learned = { epoch, time: time + (uptime - askedAt) / 2, at: uptime };
    this.#answered = true;
    this.#asked = 0;
    this.#askAlarm.set(clock.monotonic() + ASK_EVERY_MS);
    this.#saveFloor(epoch, time);
    this.heard(askedAt);
    this.#options.onChange();
    this.#options.onLearned();
    return null;
  }

  /** The hub said something that it cannot have said before `asOf`, in uptime. */
  heard(asOf: number): void {
    this.#silence.heard(asOf);
    this.#options.onHeard?.(asOf);
    this.#look();
  }

  close(): void {
    this.#askAlarm.close();
    this.#silenceAlarm.close();
    this.#saveSilence(SAVE_AT_END_MS);
  }

  #ask(): void {
    const { identity, journal, link, machine, clock, random, randomId } = this.#options;
    if (!link.connected()) return;
    const nonce = randomId();
    if (this.#open.size >= OPEN_MAX) this.#open.delete([...this.#open.keys()][0] ?? '');
    this.#open.set(nonce, machine.uptimeMs());
    this.#askedAt = clock.monotonic();
    const document: RequestDocument = {
      ...stampOf(identity, journal),
      counter: journal.nextCounter(),
      nonce,
      want: 'time',
      digests: [],
      rootVersion: 0,
    };
    const topic = topicsOf(identity.fleet).node(identity.node, 'request');
    void link.publish(topic, sealPacked('request', document, [identity.signer]), { retain: false });
    const waitMs = Math.min(ASK_AGAIN_MAX_MS, ASK_AGAIN_MS * 2 ** Math.min(this.#asked++, 6));
    this.#askAlarm.set(clock.monotonic() + waitMs * (0.75 + random() / 2));
  }

  // ----------------------------------------------------------------------------------- keeping

  /** An answer may lower what the hub said before; a higher one is worth a write once a day. */
  #saveFloor(epoch: number, time: number): void {
    const memory = this.#options.journal.time();
    const known = memory.hubFloor();
    const isSame = known?.epoch === epoch;
    if (isSame && time >= known.time && time - known.time < DAY_MS) return;
    diskTakes(() => memory.save({ hubFloor: { epoch, time } }));
  }

  #look(): void {
    const { machine, clock, journal, identity, onChange } = this.#options;
    const uptime = machine.uptimeMs();
    this.#saveSilence();
    this.#silenceAlarm.set(clock.monotonic() + this.#silence.nextIn(uptime));
    if (!this.#silence.turned(uptime)) return;
    const isSilent = this.#silence.isTooLong(uptime);
    journal.record({
      type: isSilent ? 'Warning' : 'Normal',
      reason: isSilent ? 'HubSilent' : 'HubHeard',
      message: isSilent
        ? silenceCondition(this.#silence.ms(uptime)).message
        : 'the hub answers again',
      involved: { kind: 'Node', namespace: '', name: identity.node, uid: '', fieldPath: '' },
    });
    onChange();
  }

  /** What a full disk refuses is said by the journal, and costs at most a day of counting. */
  #saveSilence(leastMs?: number): void {
    const ms = this.#silence.toSave(this.#options.machine.uptimeMs(), leastMs);
    if (ms !== null) diskTakes(() => this.#options.journal.time().save({ silentMs: ms }));
  }
}
