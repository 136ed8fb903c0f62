/**
 * What the loop remembers of what failed, and until when it leaves a pod alone. The rules are those of `back-off.ts`; here
 * stands only what is known at the moment.
 */
import {
  EMPTY_MEMORY,
  crashKey,
  forget,
  keepFetched,
  noteExits,
  noteFailure,
  noteFetched,
  noteKills,
  notePutBack,
  noteSuccess,
  retryConfig,
  retryNow,
  type Memory,
} from './back-off.js';
import type { DesiredPod } from './desired.js';
import type { StepOutcome } from './execute.js';
import type { Health } from './health.js';
import type { ObservedPods } from '../runtime/runtime.js';

/** Nothing rests longer: what does was told before the clock was put back. */
const REST_MAX_MS = 60_000;

export class Patience {
  #memory: Memory = EMPTY_MEMORY;
  /** By name: when the steps of a pod may be taken again after the engine did not answer. */
  readonly #notBefore = new Map<string, number>();

  get memory(): Memory {
    return this.#memory;
  }

  /** Call it with each observation, before the plan. */
  look(observed: ObservedPods, health: Health, now: number): void {
    const exits = noteExits(notePutBack(this.#memory, now), observed, now);
    this.#memory = noteKills(exits, observed, health);
    for (const [key, at] of this.#notBefore)
      if (at <= now || at > now + REST_MAX_MS) this.#notBefore.delete(key);
  }

  /** An image of this container was fetched before its version begins. */
  noteFetched({ uid, containerHashes }: DesiredPod, container: string): void {
    const key = crashKey(uid, container, containerHashes.get(container) ?? '');
    this.#memory = noteFetched(this.#memory, key);
  }

  /** Of other versions nothing is remembered to have been fetched. */
  keepFetched(versions: readonly DesiredPod[]): void {
    this.#memory = keepFetched(this.#memory, versions);
  }

  note({ step, kind, key, result }: StepOutcome, now: number): void {
    // A container that was made may still not start: only its start ends the series.
    if (result.is === 'done' && step.do !== 'createContainer') {
      this.#memory = noteSuccess(this.#memory, key);
    }
    if (result.is !== 'failed') return;
    const { reason, message } = result;
    this.#memory = noteFailure(this.#memory, { kind, key, reason, message }, now);
  }

  /** Of pods that are neither wanted nor there. */
  forgetAllBut(uids: ReadonlySet<string>): void {
    this.#memory = forget(this.#memory, uids);
  }

  /** What waits for its time may be tried at once. */
  retry(pods: readonly DesiredPod[]): void {
    this.#memory = retryNow(this.#memory, new Set(pods.map(({ uid }) => uid)));
    for (const { key } of pods) this.#notBefore.delete(key);
  }

  /** ConfigMaps or Secrets came or changed. */
  retryConfig(): void {
    this.#memory = retryConfig(this.#memory);
  }

  rest(key: string, until: number): void {
    this.#notBefore.set(key, until);
  }

  isResting(key: string, now: number): boolean {
    return (this.#notBefore.get(key) ?? 0) > now;
  }

  /** When something may be tried again, milliseconds since 1970. */
  times(): number[] {
    return [...this.#notBefore.values()];
  }
}
