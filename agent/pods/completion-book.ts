/**
 * Remembers, durably where there is a store, which pods have ended for good, until nobody wants them any more. What has
 * ended is decided in `completion.ts`.
 */
import {
  completionOf,
  rememberedCompletion,
  type Completion,
  type Completions,
} from './completion.js';
import type { Desired, DesiredPod } from './desired.js';
import type { CompletionStore } from './pods.js';
import { instancesOf } from './pod-reports.js';
import type { ObservedPods } from '../runtime/runtime.js';

export class CompletionBook {
  readonly #store: CompletionStore | null;
  #all: Completions;

  constructor(store: CompletionStore | null) {
    this.#store = store;
    this.#all = store?.all() ?? new Map();
  }

  get all(): Completions {
    return this.#all;
  }

  /** Of these pods as they are written now. */
  of(pods: readonly DesiredPod[]): Completions {
    const found = pods.flatMap(pod => rememberedCompletion(this.#all, pod) ?? []);
    return new Map(found.map(one => [one.uid, one]));
  }

  /** Before anything of a pod that has ended may be removed. `onNew` hears of each once. */
  note(
    world: { readonly desired: Desired; readonly observed: ObservedPods; readonly now: number },
    onNew: (pod: DesiredPod, completion: Completion) => void,
  ): void {
    const { desired, observed, now } = world;
    for (const pod of desired.pods) {
      if (pod.rejection !== null || rememberedCompletion(this.#all, pod) !== null) continue;
      const completion = completionOf(pod, instancesOf(observed, pod.uid), now);
      if (completion === null) continue;
      this.#all = new Map(this.#all).set(pod.uid, completion);
      this.#store?.remember(completion);
      onNew(pod, completion);
    }
    if (desired.complete) this.#forget(new Set(desired.pods.map(pod => pod.uid)));
  }

  #forget(wanted: ReadonlySet<string>): void {
    const forgotten = [...this.#all.keys()].filter(uid => !wanted.has(uid));
    if (forgotten.length === 0) return;
    this.#all = new Map([...this.#all].filter(([uid]) => wanted.has(uid)));
    this.#store?.forget(forgotten);
  }
}
