/**
 * Remembers what pods were made from until they are gone, so that one that ends is still shown whole (kubelet
 * behaviour row 71 done better). Decides nothing.
 */
import type { Desired, DesiredPod } from './desired.js';
import type { EndingPod } from './pod-reports.js';

export interface EndingInput {
  readonly desired: Desired;
  /** Uids with a sandbox or container on the engine. */
  readonly running: ReadonlySet<string>;
  /** True while a step for this uid may be under way. */
  readonly isBusyWith: (uid: string) => boolean;
  readonly now: number;
}

export class EndingPods {
  /** Every pod that was wanted and may still be on the engine, by uid. */
  readonly #known = new Map<string, DesiredPod>();
  #ending: ReadonlyMap<string, EndingPod> = new Map();

  /** By uid: those on the engine that no source wants. */
  get byUid(): ReadonlyMap<string, EndingPod> {
    return this.#ending;
  }

  note({ desired, running, isBusyWith, now }: EndingInput): void {
    const wanted = new Set(desired.pods.map(pod => pod.uid));
    const isEnding = (uid: string) =>
      !wanted.has(uid) && (desired.complete || this.#known.has(uid));
    const ending = [...running].filter(isEnding).map((uid): [string, EndingPod] => {
      const since = this.#ending.get(uid)?.since ?? now;
      return [uid, { desired: this.#known.get(uid) ?? null, since }];
    });
    this.#ending = new Map(ending);
    for (const pod of desired.pods) this.#known.set(pod.uid, pod);
    for (const uid of this.#known.keys()) {
      if (!wanted.has(uid) && !running.has(uid) && !isBusyWith(uid)) this.#known.delete(uid);
    }
  }
}
