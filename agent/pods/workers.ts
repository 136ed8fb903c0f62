/**
 * One worker per pod name: takes the steps of a plan while the other pods go on.
 *
 * A name has one worker at a time; a worker whose pod is to become something else stops between two steps.
 * Decides nothing about pods.
 */
import type { DesiredPod } from './desired.js';
import { execute, type ExecuteTools } from './execute.js';
import type { PodPlan } from './plan.js';
import { GraceLimit } from './stopping.js';
import type { PodIdentity } from '../runtime/runtime.js';
import type { Log } from '../../protocol/ports.js';

interface Worker {
  readonly plan: PodPlan;
  readonly intent: string;
  readonly aborting: AbortController;
  readonly limit: GraceLimit;
  readonly ended: Promise<void>;
}

/** Differs when the steps of a plan are no longer what is wanted. */
function intentOf(desired: DesiredPod | null): string {
  if (desired === null) return '';
  return JSON.stringify([desired.uid, desired.sandboxHash, [...desired.containerHashes]]);
}

export class Workers {
  readonly #workers = new Map<string, Worker>();
  readonly #log: Log;
  readonly #onEnd: (key: string) => void;
  #isOver = false;

  constructor(log: Log, onEnd: (key: string) => void) {
    this.#log = log;
    this.#onEnd = onEnd;
  }

  has(key: string): boolean {
    return this.#workers.has(key);
  }

  /** True while a step for this pod may be under way; fetching images beforehand is none. */
  isBusyWith(uid: string): boolean {
    return [...this.#workers.values()].some(
      ({ plan }) => !plan.isFetching && plan.steps.some(step => step.uid === uid),
    );
  }

  plans(): readonly PodPlan[] {
    return [...this.#workers.values()].map(worker => worker.plan);
  }

  /** The name must not have a worker. After `abortAll` nothing begins any more. */
  start(
    plan: PodPlan,
    identities: ReadonlyMap<string, PodIdentity>,
    tools: Omit<ExecuteTools, 'signal' | 'limit'>,
  ): void {
    if (this.#isOver) return;
    const aborting = new AbortController();
    const limit = new GraceLimit(tools.clock);
    const run = async () => {
      try {
        await execute({ plan, identities }, { ...tools, limit, signal: aborting.signal });
      } catch (error) {
        this.#log.error('the steps of a pod ended early', { pod: plan.key, error: String(error) });
      }
      this.#workers.delete(plan.key);
      this.#onEnd(plan.key);
    };
    const intent = intentOf(plan.desired);
    this.#workers.set(plan.key, { plan, intent, aborting, limit, ended: run() });
  }

  /** Stops, between two steps, what no longer leads to what is wanted. By key of the plans. */
  abortOutdated(wanted: ReadonlyMap<string, DesiredPod>): void {
    for (const [key, worker] of this.#workers) {
      if (worker.intent !== intentOf(wanted.get(key) ?? null)) worker.aborting.abort();
    }
  }

  /** What is being ended of this pod has no more than these seconds left (row 68). */
  shrinkGrace(uid: string, seconds: number): void {
    for (const { plan, limit } of this.#workers.values()) {
      if (plan.steps.some(step => step.uid === uid)) limit.shrink(seconds);
    }
  }

  /** Stops all between two steps; resolves when the last has ended. */
  async abortAll(): Promise<void> {
    this.#isOver = true;
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.aborting.abort();
    await Promise.all(workers.map(worker => worker.ended));
  }
}
