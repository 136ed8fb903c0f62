/**
 * Tells the events of pods: what steps and probes say as it comes, what merely is (a rejection, a duplicate) once when
 * it begins, and what repeats itself with growing pauses. Order of calls only.
 */
import { releases } from '../admission/releases.js';
import type { Crash } from './back-off.js';
import { NOTHING_DESIRED, type Desired, type DesiredPod } from './desired.js';
import { EventCorrelator } from './event-correlator.js';
import * as say from './pod-events.js';
import { podIdentity } from './pod-spec.js';
import { Tallies } from './tallies.js';
import type { EventSink } from '../ports.js';
import type { PodIdentity } from '../runtime/runtime.js';
import type { Clock } from '../../protocol/ports.js';

export class EventTeller {
  readonly #sink: EventSink;
  readonly #clock: Clock;
  readonly #correlator = new EventCorrelator();
  #before: Desired = NOTHING_DESIRED;
  /** What is so, and was told when it began. */
  #standing: ReadonlySet<string> = new Set();
  /** `<uid>/<name>`. */
  #initContainers: ReadonlySet<string> = new Set();

  readonly tallies = new Tallies();

  constructor({ events, clock }: { readonly events: EventSink; readonly clock: Clock }) {
    this.#sink = events;
    this.#clock = clock;
  }

  tell(pod: PodIdentity, event: say.PodEvent): void {
    const isInit = this.#initContainers.has(`${pod.uid}/${event.container ?? ''}`);
    this.tallies.noteEvent(event, isInit);
    const told = this.#correlator.note(say.podEvent(pod, event, isInit), this.#clock.monotonic());
    if (told !== null) this.#sink.record(told);
  }

  /** Rejections and their ends, and duplicates; call it after each merge. `acting`: what is acted on. */
  tellStanding(desired: Desired, acting: readonly DesiredPod[] = []): void {
    const { pods, duplicates } = desired;
    for (const { pod, event } of releases(this.#before, desired, this.#clock.now())) {
      this.tell(podIdentity(pod), event);
    }
    this.tallies.noteRejections(desired);
    this.#before = desired;
    const events = [
      ...pods.flatMap(pod => (pod.rejection ? [{ pod, event: say.rejected(pod.rejection) }] : [])),
      ...duplicates.map(({ winner, condition }) => ({
        pod: winner,
        event: say.duplicated(condition.message),
      })),
    ];
    const standing = new Set<string>();
    for (const { pod, event } of events) {
      const key = JSON.stringify([pod.uid, event.reason, event.message]);
      if (!this.#standing.has(key)) this.tell(podIdentity(pod), event);
      standing.add(key);
    }
    this.#standing = standing;
    this.#initContainers = new Set(
      [...pods, ...acting].flatMap(({ uid, pod }) =>
        (pod.spec.initContainers ?? []).map(({ name }) => `${uid}/${name}`),
      ),
    );
  }

  /** Row 84: containers whose end was just noted and that have to wait now. */
  tellBackOffs(
    { pods }: Desired,
    before: ReadonlyMap<string, Crash>,
    after: ReadonlyMap<string, Crash>,
  ): void {
    for (const pod of pods) {
      for (const [container, hash] of pod.containerHashes) {
        const key = `${pod.uid}/${container}/${hash}`;
        const crash = after.get(key);
        if (crash === undefined || crash === before.get(key) || crash.delayMs === 0) continue;
        this.tell(podIdentity(pod), say.backOff(pod, container));
      }
    }
  }
}
