/**
 * The way back: status, pod documents and events to the hub, each said until the hub confirms that
 * it lies safe in its store. Changes are gathered for 300 ms; a status goes at least hourly. Bundle
 * health is judged and recorded here, hub or no hub. Never throws for a message's content.
 */
import type { HubDocument } from '../../protocol/documents/hub.js';
import type { Condition, StatusDocument } from '../../protocol/documents/node.js';
import type { Refusal } from '../../protocol/refusal.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { Alarm } from '../intake/alarm.js';
import { isDiskError } from '../journal/database.js';
import type { PodReport } from '../ports.js';
import {
  conditionsSince,
  eventBatch,
  fittedStatus,
  READS,
  iso,
  shifted,
  statusVersion,
  toldPod,
  type ToldPod,
} from './decide.js';
import { eventMessage, podMessage, statusMessage, type Message, type SeenPod } from './messages.js';
import { stampOf } from './node.js';
import type { ReportOptions } from './report-options.js';
import { toldTimes } from './told-times.js';
import { Resend, STATUS } from './resend.js';

const DEBOUNCE_MS = 300;
const STATUS_EVERY_MS = 3_600_000;
const EVENTS_READ = 128;
const DISK_RETRY_MS = 15_000;

export function startReport(options: ReportOptions): Report {
  return new Report(options);
}

export class Report {
  readonly #options: ReportOptions;
  readonly #resend = new Resend();
  readonly #changeAlarm: Alarm;
  readonly #resendAlarm: Alarm;
  readonly #hourAlarm: Alarm;
  #told = new WeakMap<PodReport, ToldPod>();
  /** What was told before stood on this. */
  #timeBase = { base: 0, by: 0 };
  /** As they were said last: what is new in them has a new time. */
  #conditions: readonly Condition[] = [];
  /** Of history, as the hub's newest ack names it; null: none came in this run. */
  #knownRow: number | null = null;
  /** Uptime of the newest status: its ack proves that the hub lives. */
  #statusSince = 0;
  #pods = new Map<string, SeenPod>();
  /** In this life of the agent. */
  #werePodsKnown = false;
  /** By key of the pod: the digest that the hub has. */
  #confirmed = new Map<string, string>();
  /** Events up to here are in a batch. */
  #batched: number;
  #status: StatusDocument | null = null;
  #statusVersion = '';
  #lookAgainInMs: number | null = null;

  constructor(options: ReportOptions) {
    this.#options = options;
    const { clock, journal } = options;
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
    this.#publishStatusAgain();
  }

  hub({ online }: HubDocument, isNew: boolean): void {
    const { clock, random } = this.#options;
    this.#resend.hubOnline(online);
    if (isNew) this.#resend.hubRestarted(clock.monotonic(), random());
    this.#send();
  }

  /** The hub's confirmation; null when it was one, else why it is refused. */
  ack(payload: Buffer): Refusal | null {
    const { identity, intake, journal, time } = this.#options;
    const context = { root: intake().root, node: identity.node };
    const opened = openHubDocument('ack', payload, context);
    if (!opened.ok) return opened.refusal;
    const ack = opened.value.document;
    this.#options.onAck?.(ack);
    // Of a former life of the journal: its numbers mean nothing here.
    if (ack.journal !== journal.id) return null;
    journal.acknowledgeEvents(ack.through);
    for (const key of this.#resend.keys()) {
      if (key.startsWith('event/') && Number(key.slice(6)) <= ack.through) this.#resend.drop(key);
    }
    this.#showRow(ack.row);
    const safe = ack.boot === journal.boot && ack.counter >= (this.#status?.counter ?? 0);
    if (safe) {
      this.#resend.drop(STATUS);
      time.heard(this.#statusSince);
    }
    for (const [key, digest] of Object.entries(ack.pods)) {
      const told = this.#pods.get(key);
      if (!told) continue;
      this.#confirmed.set(key, digest);
      if (told.summary.digest === digest) this.#resend.drop(`pod/${key}`);
      // The hub says what it has: what differs it asks for.
      else this.#resend.put(`pod/${key}`, told.summary.digest);
    }
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
    const status = this.#makeStatus();
    this.#putStatus(status, statusVersion(status));
    return this.#resend
      .keys()
      .flatMap(key => this.#messageOf(key, this.#resend.version(key) ?? '') ?? []);
  }

  close(): void {
    for (const alarm of [this.#changeAlarm, this.#resendAlarm, this.#hourAlarm]) alarm.close();
  }

  // ---------------------------------------------------------------------------------------------
  // look

  /** Compares what is with what was said last. */
  #look(): void {
    const { clock } = this.#options;
    this.#lookAtTime();
    this.#tryToJudgeBundles();
    this.#lookAtPods();
    const status = this.#makeStatus();
    const version = statusVersion(status);
    if (version !== this.#statusVersion) this.#putStatus(status, version);
    this.#batchEvents();
    this.#send();
    if (this.#lookAgainInMs !== null) {
      this.#changeAlarm.setBefore(clock.monotonic() + this.#lookAgainInMs + 10);
    }
  }

  /** Where the clock turned out to be wrong, what was told is told again with times put right. */
  #lookAtTime(): void {
    const timeline = this.#options.time.timeline();
    const { base, by } = this.#timeBase;
    this.#timeBase = { base: timeline.base(), by: timeline.by() };
    if (by !== timeline.by()) this.#told = new WeakMap();
    if (base !== timeline.base()) {
      this.#conditions = shifted(this.#conditions, timeline.base() - base);
    }
  }

  /** What a full disk refuses is judged again later; what is told is right in any case. */
  #tryToJudgeBundles(): void {
    const { activation, journal, log } = this.#options;
    try {
      journal.flush();
      this.#lookAgainInMs = activation.look();
    } catch (error) {
      if (!isDiskError(error)) throw error;
      log.error('the journal cannot be written', { reason: error.message });
      this.#lookAgainInMs = DISK_RETRY_MS;
    }
  }

  /** Nothing is told of the journal that a power cut could still take from it. */
  #settle(): void {
    const { journal, log } = this.#options;
    try {
      journal.settle();
    } catch (error) {
      if (!isDiskError(error)) throw error;
      log.error('the journal cannot be written', { reason: error.message });
    }
  }

  #lookAtPods(): void {
    const reports = this.#options.pods();
    if (reports === null) return;
    this.#werePodsKnown = true;
    const pods = new Map<string, SeenPod>();
    for (const report of reports) {
      const told = this.#told.get(report) ?? this.#toldPod(report);
      this.#told.set(report, told);
      pods.set(told.key, { ...told, report });
    }
    for (const key of this.#pods.keys()) {
      if (pods.has(key)) continue;
      this.#resend.drop(`pod/${key}`);
      this.#confirmed.delete(key);
    }
    this.#pods = pods;
    for (const { key, summary } of pods.values()) {
      if (this.#confirmed.get(key) === summary.digest) this.#resend.drop(`pod/${key}`);
      else this.#resend.put(`pod/${key}`, summary.digest);
    }
  }

  #toldPod(report: PodReport): ToldPod {
    const { time } = this.#options;
    if (this.#timeBase.by === 0) return toldPod(report);
    return toldPod({ ...report, pod: toldTimes(report.pod, at => time.correct(at)) });
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
      clockOffset: offset === null ? null : this.#timeBase.by,
      development: intake.root.document.development,
      lastRefusal: intake.lastRefusal,
      history: journal.history(this.#knownRow ?? 0),
      reads: READS,
      conditions: conditionsSince(conditions, this.#conditions, at),
      info: { ...info, agentVersion, containerRuntimeVersion: containerRuntimeVersion() },
      capacity: { ...capacity },
      allocatable: { ...allocatable },
      bundles: this.#options.activation
        .statuses()
        .slice(0, 128)
        .map(one => ({ ...one, since: iso(time.correct(Date.parse(one.since))) })),
      pods: Object.fromEntries([...this.#pods.values()].map(pod => [pod.key, pod.summary])),
    });
  }

  /**
   * Not before the pods of this start were known: what a status does not list is gone at the hub. When who knows them falls silent
   * later, they are told as they were, and a condition says it.
   */
  #putStatus(status: StatusDocument, version: string): void {
    const { journal, clock, podsAreNeverTold = false, time } = this.#options;
    if (!this.#werePodsKnown && !podsAreNeverTold) return;
    this.#status = { ...status, counter: journal.nextCounter() };
    this.#conditions = status.conditions;
    this.#statusVersion = version;
    this.#statusSince = time.uptime();
    this.#resend.put(STATUS, String(this.#status.counter));
    this.#hourAlarm.set(clock.monotonic() + STATUS_EVERY_MS);
  }

  #publishStatusAgain(): void {
    const status = this.#makeStatus();
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

  // ---------------------------------------------------------------------------------------------
  // send

  #send(): void {
    const { link, clock } = this.#options;
    if (link.connected()) {
      for (const key of this.#resend.take(clock.monotonic())) void this.#say(key);
    }
    this.#resendAlarm.set(this.#resend.nextAt());
  }

  async #say(key: string): Promise<void> {
    const { link, clock, random } = this.#options;
    const version = this.#resend.version(key) ?? '';
    const message = this.#messageOf(key, version);
    if (!message) return this.#resend.drop(key);
    const retain = key === STATUS;
    const sent = await link.publish(message.topic, message.payload, { retain });
    this.#resend.settled(key, version, { sent, now: clock.monotonic(), random: random() });
    if (sent) this.#resendAlarm.set(this.#resend.nextAt());
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
