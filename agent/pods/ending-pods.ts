/**
 * Remembers what pods were made from until they are gone, so that one that ends is still shown whole (kubelet
 * behaviour row 71 done better); and what of them has begun to end, so that it ends fully although its manifest came back
 * (row 67). Decides nothing.
 */
import type { Desired, DesiredPod } from './desired.js';
import type { EndingPod } from './pod-reports.js';
import type { EngineId, ObservedPods } from '../runtime/runtime.js';

export interface EndingInput {
  readonly desired: Desired;
  readonly observed: ObservedPods;
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
  readonly #condemned = new Set<EngineId>();

  /** By uid: those on the engine that no source wants. */
  get byUid(): ReadonlyMap<string, EndingPod> {
    return this.#ending;
  }

  /** Of those that are known; without those that are kept running. */
  manifests(kept: readonly DesiredPod[] = []): DesiredPod[] {
    const uids = new Set(kept.map(({ uid }) => uid));
    const known = [...this.#ending.values()].flatMap(({ desired }) => desired ?? []);
    return known.filter(({ uid }) => !uids.has(uid));
  }

  /** Engine ids of what has begun to end for good and is still there. */
  get condemned(): ReadonlySet<EngineId> {
    return this.#condemned;
  }

  condemn(uid: string, { sandboxes, containers }: ObservedPods): void {
    for (const { pod, id } of [...sandboxes, ...containers]) {
      if (pod.uid === uid) this.#condemned.add(id);
    }
  }

  note({ desired, observed, running, isBusyWith, now }: EndingInput): void {
    const wanted = new Set(desired.pods.map(pod => pod.uid));
    const isEnding = (uid: string) =>
      !wanted.has(uid) && (desired.complete || this.#known.has(uid));
    const ending = [...running].filter(isEnding).map((uid): [string, EndingPod] => {
      const since = this.#ending.get(uid)?.since ?? now;
      return [uid, { desired: this.#known.get(uid) ?? null, since }];
    });
    this.#ending = new Map(ending);
    const there = new Set([...observed.sandboxes, ...observed.containers].map(({ id }) => id));
    for (const id of this.#condemned) if (!there.has(id)) this.#condemned.delete(id);
    for (const pod of desired.pods) this.#known.set(pod.uid, pod);
    for (const uid of this.#known.keys()) {
      if (!wanted.has(uid) && !running.has(uid) && !isBusyWith(uid)) this.#known.delete(uid);
    }
  }
}
