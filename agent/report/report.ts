/**
 * The way back: status, pod documents and events to the hub, each said until the hub confirms that
 * it lies safe in its store. Changes are gathered for 300 ms; a status goes at least hourly, unless a
 * budget shrinks. Bundle health is judged and recorded here, hub or no hub. Never throws for a message's content.
 */
import type { HubDocument } from '../../protocol/documents/hub.js';
import type { Condition, StatusDocument } from '../../protocol/documents/node.js';
import type { Refusal } from '../../protocol/refusal.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { Alarm } from '../intake/alarm.js';
import { diskTakes } from '../journal/database.js';
import { UNLIMITED } from '../usage/budgets.js';
import { Unconfirmed } from '../connection/unconfirmed.js';
import {
  conditionsSince,
  eventBatch,
  fittedStatus,
  READS,
  iso,
  shifted,
  statusVersion,
} from './decide.js';
import { Gathering, newsOf } from './gathering.js';
import { eventMessage, podMessage, statusMessage, type Message } from './messages.js';
import { stampOf } from './node.js';
import { ofLink } from './of-link.js';
import type { ReportOptions } from './report-options.js';
import { HUB_JITTER_MS, Resend, STATUS } from './resend.js';
import { SeenPods } from './seen-pods.js';
import { StatusBase } from './status-base.js';
import { toldSince } from './told-since.js';

const DEBOUNCE_MS = 300;
const EVENTS_READ = 128;
const DISK_RETRY_MS = 15_000;

export function startReport(options: ReportOptions): Report {
  return new Report(options);
}

export class Report {
  readonly #options: ReportOptions;
  readonly #resend = new Resend();
  readonly #statusBase = new StatusBase();
  readonly #gathering = new Gathering();
  readonly #changeAlarm: Alarm;
  readonly #resendAlarm: Alarm;
  readonly #hourAlarm: Alarm;
  /** What was told before stood on this. */
  #timeBase = { base: 0, by: 0 };
  /** As they were said last: what is new in them has a new time. */
  #conditions: readonly Condition[] = [];
  /** Of history, as the hub's newest ack names it; null: none came in this run. */
  #knownRow: number | null = null;
  /** Uptimes of statuses: the ack of one proves that the hub lived after that. */
  readonly #unconfirmed = new Unconfirmed();
  readonly #pods: SeenPods;
  /** Events up to here are in a batch. */
  #batched: number;
  #status: StatusDocument | null = null;
  #statusVersion = '';
  #lookAgainInMs: number | null = null;

  constructor(options: ReportOptions) {
    this.#options = options;
    const { clock, journal, time } = options;
    this.#pods = new SeenPods({ resend: this.#resend, time });
    this.#changeAlarm = new Alarm(clock, () => this.#look());
    this.#resendAlarm = new Alarm(clock, () => this.#send());
    this.#hourAlarm = new Alarm(clock, () => this.#publishStatusAgain());
    this.#batched = journal.oldestEvent() - 1;
    this.#look();
  }

  /** Something changed: pods, conditions, intake, events. Cheap; call it as often as you like. */
  changed(): void {
    this.#changeAlarm.setBefore(this.#options.clock.monotonic() + DEBOUNCE_MS);
  }

  /** The status as it stands now, for the person at the device; `counter` is that of the last one said. */
  current(): StatusDocument {
    return { ...this.#makeStatus(), counter: this.#status?.counter ?? 0 };
  }

  /** The retained status may be gone with the broker's memory. */
  linkUp(): void {
    this.#statusBase.forget();
    this.#publishStatusAgain();
  }

  hub({ online }: HubDocument, isNew: boolean): void {
    const { clock, random } = this.#options;
    this.#resend.hubOnline(online);
    if (isNew) this.#resend.hubRestarted(clock.monotonic(), random());
    // Alone on the broker it says nothing to a hub that began anew.
    const needsMore = (isNew || !online) && this.#statusBase.forget();
    if (isNew && needsMore) {
      this.#hourAlarm.setBefore(clock.monotonic() + random() * HUB_JITTER_MS);
    }
    this.#send();
  }

  /** The hub's confirmation; null when it was one, else why it is refused. */
  ack(payload: Buffer): Refusal | null {
    const { identity, intake, journal, time } = this.#options;
    const context = { root: intake().root, node: identity.node };
    const opened = openHubDocument('ack', payload, context);
    if (!opened.ok) return opened.refusal;
    const ack = opened.value.document;
    // It is there, whatever became of its presence on the way.
    this.#resend.hubOnline(true);
    this.#options.onAck?.(ack);
    // Of a former life of the journal: its numbers mean nothing here.
    if (ack.journal !== journal.id) return null;
    journal.acknowledgeEvents(ack.through);
    for (const key of this.#resend.keys()) {
      if (key.startsWith('event/') && Number(key.slice(6)) <= ack.through) this.#resend.drop(key);
    }
    this.#showRow(ack.row);
    if (ack.boot === journal.boot) {
      this.#statusBase.confirmed(ack.counter);
      if (ack.counter >= (this.#status?.counter ?? 0)) this.#resend.drop(STATUS);
      this.#options.onStatus?.confirmed(ack.counter);
      const since = this.#unconfirmed.confirmed(ack.counter);
      if (since !== null) time.heard(since);
    }
    this.#pods.confirmed(ack.pods);
    this.#send();
    return null;
  }

  /** What happened to history while nobody looked is shown at once, later rows with what is said anyway. */
  #showRow(row: number): void {
    const isFirst = this.#knownRow === null;
    this.#knownRow = row;
    if (isFirst && row > 0) this.#publishStatusAgain();
  }

  /** For a file: the status as it stands, and all that the hub has not confirmed. */
  letters(): Message[] {
    this.#look();
    this.#publishStatusAgain();
    return this.#resend
      .keys()
      .flatMap(key => this.#messageOf(key, this.#resend.version(key) ?? '') ?? []);
  }

  close(): void {
    for (const alarm of [this.#changeAlarm, this.#resendAlarm, this.#hourAlarm]) alarm.close();
  }

  /** Compares what is with what was said last. */
  #look(): void {
    const { clock } = this.#options;
    this.#lookAtTime();
    this.#tryToJudgeBundles();
    this.#pods.look(this.#options.pods());
    const status = this.#makeStatus();
    const version = statusVersion(status);
    const heldMs = this.#heldMs(status, version);
    if (heldMs === 0) this.#say({ status, version });
    this.#send();
    const againInMs = [this.#lookAgainInMs, heldMs || null].filter(ms => ms !== null);
    if (againInMs.length > 0) {
      this.#changeAlarm.setBefore(clock.monotonic() + Math.min(...againInMs) + 10);
    }
  }

  /** How long what is new still waits for more of it. */
  #heldMs(status: StatusDocument, version: string): number {
    const { budgets = UNLIMITED, clock, journal } = this.#options;
    const isOther = version !== this.#statusVersion || journal.newestEvent() > this.#batched;
    const news = newsOf(status, this.#status, isOther);
    return this.#gathering.leftMs(news, budgets.pace(), clock.monotonic());
  }

  #say({ status, version }: { readonly status: StatusDocument; readonly version: string }): void {
    this.#pods.put();
    if (version !== this.#statusVersion) this.#putStatus(status, version);
    this.#batchEvents();
  }

  /** Where the clock turned out to be wrong, what was told is told again with times put right. */
  #lookAtTime(): void {
    const timeline = this.#options.time.timeline();
    const { base, by } = this.#timeBase;
    this.#timeBase = { base: timeline.base(), by: timeline.by() };
    if (by !== timeline.by()) this.#pods.tellAnew();
    if (base !== timeline.base()) {
      this.#conditions = shifted(this.#conditions, timeline.base() - base);
    }
  }

  /** What a full disk refuses is judged again later; what is told is right in any case. */
  #tryToJudgeBundles(): void {
    const { activation, journal } = this.#options;
    this.#lookAgainInMs = DISK_RETRY_MS;
    diskTakes(() => {
      journal.flush();
      this.#lookAgainInMs = activation.look();
    });
  }

  /** Nothing is told of the journal that a power cut could still take from it. */
  #settle(): void {
    diskTakes(() => this.#options.journal.settle());
  }

  #makeStatus(): StatusDocument {
    this.#settle();
    const { identity, journal, time, nodeInfo, agentVersion, containerRuntimeVersion } =
      this.#options;
    const intake = this.#options.intake();
    const accepted = journal.accepted();
    const at = iso(time.told());
    const { clock, offset } = time.now();
    const { info, capacity, allocatable } = nodeInfo();
    const conditions = [...time.conditions(), ...intake.conditions, ...this.#options.conditions()];
    return fittedStatus({
      ...stampOf(identity, journal),
      counter: 0,
      at,
      epoch: intake.root.document.epoch,
      generation: accepted?.epoch === intake.root.document.epoch ? accepted.generation : 0,
      rootVersion: intake.root.document.version,
      clock,
      // Of now: what pods were told with last may be of a clock that was set since.
      clockOffset: offset === null ? null : time.timeline().by(),
      development: intake.root.document.development,
      lastRefusal: intake.lastRefusal,
      history: journal.history(this.#knownRow ?? 0),
      reads: READS,
      conditions: conditionsSince(conditions, this.#conditions, at),
      info: { ...info, agentVersion, containerRuntimeVersion: containerRuntimeVersion() },
      capacity: { ...capacity },
      allocatable: { ...allocatable },
      ...ofLink(this.#options),
      bundles: toldSince(this.#options.activation.statuses().slice(0, 128), {
        ...{ records: journal.bundles(), time },
      }),
      pods: this.#pods.summaries(),
    });
  }

  /**
   * Not before the pods of this start were known: what a status does not list is gone at the hub. When who knows them falls silent
   * later, they are told as they were, and a condition says it.
   */
  #putStatus(status: StatusDocument, version: string): void {
    const { journal, clock, podsAreNeverTold = false, time, budgets = UNLIMITED } = this.#options;
    if (!this.#pods.wereKnown() && !podsAreNeverTold) return;
    this.#status = { ...status, counter: journal.nextCounter() };
    this.#conditions = status.conditions;
    this.#statusVersion = version;
    this.#unconfirmed.said(this.#status.counter, time.uptime());
    this.#resend.put(STATUS, String(this.#status.counter));
    this.#hourAlarm.set(clock.monotonic() + budgets.pace().statusEveryMs);
  }

  #publishStatusAgain(): void {
    const status = this.#makeStatus();
    this.#gathering.said();
    this.#pods.put();
    this.#putStatus(status, statusVersion(status));
    this.#batchEvents();
    this.#send();
  }

  /** A batch is named by its last number and keeps its limits when it is sent again. */
  #batchEvents(): void {
    const { journal } = this.#options;
    for (;;) {
      const batch = eventBatch(journal.events(this.#batched, EVENTS_READ));
      const first = batch[0];
      const last = batch[batch.length - 1];
      if (!first || !last) return;
      this.#resend.put(`event/${last.n}`, String(first.n));
      this.#batched = last.n;
    }
  }

  #send(): void {
    const { link, clock } = this.#options;
    // The next connection begins with it.
    if (!link.connected()) return this.#resendAlarm.set(null);
    for (const key of this.#resend.take(clock.monotonic())) void this.#sayNow(key);
    this.#resendAlarm.set(this.#resend.nextAt());
  }

  async #sayNow(key: string): Promise<void> {
    const { link, clock, random } = this.#options;
    const version = this.#resend.version(key) ?? '';
    const message = this.#messageOf(key, version);
    if (!message) return this.#resend.drop(key);
    const retain = key === STATUS;
    const payload = retain ? this.#short(message.payload) : message.payload;
    if (retain) this.#options.onStatus?.said(Number(version));
    const sent = await link.publish(message.topic, payload, { retain });
    this.#resend.settled(key, version, { sent, now: clock.monotonic(), random: random() });
    if (sent) this.#resendAlarm.set(this.#resend.nextAt());
  }

  /** A status as it travels over the link. */
  #short(envelope: Buffer): Buffer {
    const status = this.#status;
    return status
      ? this.#statusBase.message(envelope, status, this.#resend.isAgain(STATUS))
      : envelope;
  }

  /** Null for what is not to be said any more. */
  #messageOf(key: string, version: string): Message | null {
    if (key === STATUS) return this.#status && statusMessage(this.#options, this.#status);
    if (key.startsWith('event/')) {
      return eventMessage(this.#options, Number(version), Number(key.slice(6)));
    }
    const pod = this.#pods.get(key.slice(4));
    return pod ? podMessage(this.#options, pod) : null;
  }
}
