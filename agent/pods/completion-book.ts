/**
 * Remembers, durably where there is a store, which pods have ended for good, until nobody wants them any more. What has
 * ended is decided in `completion.ts`. A disk that refuses holds nothing up: what it lacks is offered again in the next
 * round.
 */
import type { Memory } from './back-off.js';
import {
  completionOf,
  rememberedCompletion,
  type Completion,
  type Completions,
} from './completion.js';
import { CONFIG_HASH, type Desired, type DesiredPod } from './desired.js';
import { TERMINATED } from './node-shutdown.js';
import type { CompletionStore } from './pods.js';
import { instancesOf } from './pod-reports.js';
import type { ObservedPods } from '../runtime/runtime.js';
import type { Log } from '../../protocol/ports.js';

export interface CompletionWorld {
  readonly desired: Desired;
  readonly observed: ObservedPods;
  readonly memory: Memory;
  /** By uid, milliseconds since 1970: see `PodContext`. */
  readonly startedAt: ReadonlyMap<string, number>;
  readonly now: number;
}

/** Uids of what is wanted, and of what is still there while a successor of its name is: it must not run again meanwhile. */
export function stillNamed({ pods }: Desired, observed: ObservedPods): ReadonlySet<string> {
  const keys = new Set(pods.map(({ key }) => key));
  const there = [...observed.sandboxes, ...observed.containers].filter(({ pod }) =>
    keys.has(`${pod.namespace}/${pod.name}`),
  );
  return new Set([...pods.map(({ uid }) => uid), ...there.map(({ pod }) => pod.uid)]);
}

export class CompletionBook {
  readonly #store: CompletionStore | null;
  readonly #log: Log;
  #all: Completions;
  /** By uid; null = to be forgotten. */
  readonly #unsaved = new Map<string, Completion | null>();
  #isRefused = false;
  /** By the node's shutdown: never saved. */
  readonly #terminated = new Map<string, Completion>();

  constructor(store: CompletionStore | null, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#all = store?.all() ?? new Map();
  }

  get all(): Completions {
    return this.#terminated.size === 0 ? this.#all : new Map([...this.#terminated, ...this.#all]);
  }

  /** Until the agent starts again this pod, as it is written now, has ended (row 188). */
  terminate({ uid, pod }: DesiredPod, now: number): void {
    const configHash = pod.metadata.annotations?.[CONFIG_HASH] ?? '';
    const end = { uid, configHash, phase: 'Failed', finishedAt: now } as const;
    this.#terminated.set(uid, { ...end, ...TERMINATED });
  }

  /** This pod, as it is written now, has failed for good. False: it had ended already. */
  fail(pod: DesiredPod, why: { reason: string; message: string }, now: number): boolean {
    if (rememberedCompletion(this.all, pod) !== null) return false;
    const { uid } = pod;
    const configHash = pod.pod.metadata.annotations?.[CONFIG_HASH] ?? '';
    const { reason, message } = why;
    const end: Completion = { uid, configHash, phase: 'Failed', reason, message, finishedAt: now };
    this.#all = new Map(this.#all).set(uid, end);
    this.#unsaved.set(uid, end);
    this.#save();
    return true;
  }

  /** Of these pods as they are written now. */
  of(pods: readonly DesiredPod[]): Completions {
    const { all } = this;
    const found = pods.flatMap(pod => rememberedCompletion(all, pod) ?? []);
    return new Map(found.map(one => [one.uid, one]));
  }

  /** Before anything of a pod that has ended may be removed. `onNew` hears of each once. */
  note(world: CompletionWorld, onNew: (pod: DesiredPod, completion: Completion) => void): void {
    const { desired, observed, memory, startedAt, now } = world;
    const { all } = this;
    for (const pod of desired.pods) {
      if (rememberedCompletion(all, pod) !== null) continue;
      const there = instancesOf(observed, pod.uid);
      // What has not begun has no deadline; what has, ends as it ends, whatever admission says of it by now.
      if (pod.rejection !== null && there.containers.length === 0) continue;
      const context = { pod, memory, now, startedAt: startedAt.get(pod.uid) ?? null };
      const completion = completionOf(context, there);
      if (completion === null) continue;
      this.#all = new Map(this.#all).set(pod.uid, completion);
      this.#unsaved.set(pod.uid, completion);
      onNew(pod, completion);
    }
    if (desired.complete) this.#forget(stillNamed(desired, observed));
    this.#save();
  }

  #forget(wanted: ReadonlySet<string>): void {
    const forgotten = [...this.#all.keys()].filter(uid => !wanted.has(uid));
    if (forgotten.length === 0) return;
    this.#all = new Map([...this.#all].filter(([uid]) => wanted.has(uid)));
    for (const uid of forgotten) this.#unsaved.set(uid, null);
  }

  #save(): void {
    if (this.#store === null || this.#unsaved.size === 0) return;
    try {
      for (const completion of this.#unsaved.values()) {
        if (completion !== null) this.#store.remember(completion);
      }
      const forgotten = [...this.#unsaved].flatMap(([uid, one]) => (one === null ? [uid] : []));
      if (forgotten.length > 0) this.#store.forget(forgotten);
      this.#unsaved.clear();
      this.#isRefused = false;
    } catch (error) {
      if (!this.#isRefused) this.#log.error('which pods have ended cannot be saved', { error });
      this.#isRefused = true;
    }
  }
}
