/**
 * The pods as they were seen last, as the hub is told of them, and which of that it has. What it does not have is put into the resender;
 * a pod that is gone leaves it. Holds state, sends nothing.
 */
import type { PodSummary } from '../../protocol/documents/node.js';
import type { PodReport } from '../ports.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import { toldPod, type ToldPod } from './decide.js';
import type { SeenPod } from './messages.js';
import type { Resend } from './resend.js';
import { toldTimes } from './told-times.js';

export interface SeenPodsParts {
  readonly resend: Pick<Resend, 'put' | 'drop'>;
  readonly time: Pick<TimeKeeper, 'timeline' | 'correct'>;
}

export class SeenPods {
  readonly #parts: SeenPodsParts;
  #told = new WeakMap<PodReport, ToldPod>();
  #pods = new Map<string, SeenPod>();
  /** By key of the pod: the digest that the hub has. */
  readonly #confirmed = new Map<string, string>();
  #wereKnown = false;

  constructor(parts: SeenPodsParts) {
    this.#parts = parts;
  }

  /** In this life of the agent. */
  wereKnown(): boolean {
    return this.#wereKnown;
  }

  get(key: string): SeenPod | undefined {
    return this.#pods.get(key);
  }

  summaries(): Record<string, PodSummary> {
    return Object.fromEntries([...this.#pods.values()].map(pod => [pod.key, pod.summary]));
  }

  /** Times turned out to be other ones. */
  tellAnew(): void {
    this.#told = new WeakMap();
  }

  /** Null: nobody knows them now, and they are told as they were. */
  look(reports: readonly PodReport[] | null): void {
    if (reports === null) return;
    this.#wereKnown = true;
    const pods = new Map<string, SeenPod>();
    for (const report of reports) {
      const told = this.#told.get(report) ?? this.#toldPod(report);
      this.#told.set(report, told);
      pods.set(told.key, { ...told, report });
    }
    for (const key of this.#pods.keys()) {
      if (pods.has(key)) continue;
      this.#parts.resend.drop(`pod/${key}`);
      this.#confirmed.delete(key);
    }
    this.#pods = pods;
  }

  /** What the hub does not have is to be said. */
  put(): void {
    const { resend } = this.#parts;
    for (const { key, summary } of this.#pods.values()) {
      if (this.#confirmed.get(key) === summary.digest) resend.drop(`pod/${key}`);
      else resend.put(`pod/${key}`, summary.digest);
    }
  }

  /** As the hub names what it has, by key: what differs it asks for. */
  confirmed(digests: Readonly<Record<string, string>>): void {
    const { resend } = this.#parts;
    for (const [key, digest] of Object.entries(digests)) {
      const told = this.#pods.get(key);
      if (!told) continue;
      this.#confirmed.set(key, digest);
      if (told.summary.digest === digest) resend.drop(`pod/${key}`);
      else resend.put(`pod/${key}`, told.summary.digest);
    }
  }

  #toldPod(report: PodReport): ToldPod {
    const { time } = this.#parts;
    if (time.timeline().by() === 0) return toldPod(report);
    return toldPod({ ...report, pod: toldTimes(report.pod, at => time.correct(at)) });
  }
}
