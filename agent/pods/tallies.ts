/**
 * What the kubelet counts of its pods and their containers (row 222, `pkg/kubelet/metrics`), since the agent was started. Only counts
 * what it is told; knows no clock and no engine.
 */
import type { Desired } from './desired.js';
import type { PodEvent } from './pod-events.js';

export interface PodFigures {
  /** Pods that could not begin, by reason; one counts when its rejection begins or becomes another. */
  readonly rejections: ReadonlyMap<string, number>;
  /** Pods that came back under their uid while what ran of them was still ending. */
  readonly restartedPods: number;
  /** Pods on the engine that nobody wanted since this agent runs. */
  readonly orphanedPods: number;
  readonly startedContainers: number;
  readonly startedInitContainers: number;
  /** Sandboxes that could not be made. */
  readonly sandboxErrors: number;
  /** Pods that were ended because a volume outgrew its limit. */
  readonly evictions: number;
}

export const NO_FIGURES: PodFigures = {
  rejections: new Map(),
  restartedPods: 0,
  orphanedPods: 0,
  startedContainers: 0,
  startedInitContainers: 0,
  sandboxErrors: 0,
  evictions: 0,
};

const BY_REASON = {
  FailedCreatePodSandBox: 'sandboxErrors',
  Evicted: 'evictions',
} as const;

export class Tallies {
  #figures = NO_FIGURES;
  readonly #rejections = new Map<string, number>();
  #rejected: ReadonlyMap<string, string> = new Map();
  #wanted: ReadonlySet<string> = new Set();
  /** Wanted once by this agent, and still on the engine. */
  readonly #ending = new Set<string>();
  readonly #orphans = new Set<string>();

  get figures(): PodFigures {
    return { ...this.#figures, rejections: this.#rejections };
  }

  #count(name: Exclude<keyof PodFigures, 'rejections'>): void {
    this.#figures = { ...this.#figures, [name]: this.#figures[name] + 1 };
  }

  /** `isInit`: the event is about an init container. */
  noteEvent({ reason }: PodEvent, isInit: boolean): void {
    if (reason === 'Started') this.#count(isInit ? 'startedInitContainers' : 'startedContainers');
    else if (reason in BY_REASON) this.#count(BY_REASON[reason as keyof typeof BY_REASON]);
  }

  noteRejections({ pods }: Desired): void {
    const now = new Map<string, string>();
    for (const { uid, rejection } of pods) {
      if (rejection === null) continue;
      const { reason } = rejection;
      now.set(uid, reason);
      if (this.#rejected.get(uid) === reason) continue;
      this.#rejections.set(reason, (this.#rejections.get(reason) ?? 0) + 1);
    }
    this.#rejected = now;
  }

  /** `present`: uids that have something on the engine; call it with each merge after the first look at the engine. */
  notePresent({ pods, complete }: Desired, present: ReadonlySet<string>): void {
    const wanted = new Set(pods.map(({ uid }) => uid));
    for (const uid of this.#wanted) if (!wanted.has(uid)) this.#ending.add(uid);
    for (const uid of [...this.#ending]) {
      if (present.has(uid) && !wanted.has(uid)) continue;
      if (present.has(uid)) this.#count('restartedPods');
      this.#ending.delete(uid);
    }
    for (const uid of [...this.#orphans]) if (!present.has(uid)) this.#orphans.delete(uid);
    for (const uid of complete ? present : []) {
      if (wanted.has(uid) || this.#ending.has(uid) || this.#orphans.has(uid)) continue;
      this.#orphans.add(uid);
      this.#count('orphanedPods');
    }
    this.#wanted = wanted;
  }
}
