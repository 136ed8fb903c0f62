/**
 * Hands each plan to its worker and remembers what its steps came to, until when a pod is left alone, whose hooks are under
 * way. Order of calls only: what to do stands in the plans, how long to wait in `back-off.ts`.
 */
import type { ExecuteTools, StepOutcome } from './execute.js';
import { UNAVAILABLE_RETRY_MS } from './loop-times.js';
import { Patience } from './patience.js';
import type { PodPlan } from './plan.js';
import type { EngineId, PodIdentity } from '../runtime/runtime.js';
import { describeStep } from './steps.js';
import { StopsUnderWay } from './stops-under-way.js';
import { Workers } from './workers.js';
import type { Clock, Log } from '../../protocol/ports.js';

export interface DispatcherOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The steps of a plan are over: look again. */
  readonly onEnd: () => void;
  /** Something came of a step that is to be shown. */
  readonly onNews: () => void;
  /** The engine did not answer a step. */
  readonly onLost: (message: string) => void;
}

/** What the steps are taken with; the rest the dispatcher knows itself. */
export type StepTools = Omit<
  ExecuteTools,
  'signal' | 'limit' | 'clock' | 'onOutcome' | 'onPostStart' | 'stops'
>;

export class Dispatcher {
  readonly workers: Workers;
  readonly patience = new Patience();
  /** Containers whose postStart hook has not returned. */
  readonly postStarting = new Set<EngineId>();
  readonly stops = new StopsUnderWay();
  readonly #options: DispatcherOptions;
  /** Names whose workers ended while the engine was being observed: the observation may be older. */
  readonly #justEnded = new Set<string>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.workers = new Workers(options.log, key => {
      this.#justEnded.add(key);
      options.onEnd();
    });
  }

  /** Before the engine is observed. */
  begin(): void {
    this.#justEnded.clear();
    this.stops.beforeLook();
  }

  /** Starts a worker for each plan with steps whose name has none. */
  dispatch(
    plans: readonly PodPlan[],
    identities: ReadonlyMap<string, PodIdentity>,
    tools: StepTools,
  ): void {
    const { clock, onNews } = this.#options;
    const now = clock.now();
    for (const podPlan of plans) {
      const { key, steps } = podPlan;
      if (steps.length === 0 || this.workers.has(key) || this.#justEnded.has(key)) continue;
      if (this.patience.isResting(key, now)) continue;
      this.workers.start(podPlan, identities, {
        ...tools,
        clock,
        stops: {
          begin: (id, stop) => {
            this.stops.begin(id, stop);
            onNews();
          },
          end: id => this.stops.end(id),
        },
        onPostStart: (id, isRunning) => {
          if (isRunning) this.postStarting.add(id);
          else this.postStarting.delete(id);
          onNews();
        },
        onOutcome: outcome => this.#note(podPlan, outcome),
      });
    }
  }

  #note({ key: pod, desired, isFetching }: PodPlan, outcome: StepOutcome): void {
    const { log, clock, onLost, onNews } = this.#options;
    const { step, result } = outcome;
    this.patience.note(outcome, clock.now());
    if (result.is === 'done') {
      if (isFetching && desired !== null && step.do === 'pullImage') {
        this.patience.noteFetched(desired, step.container);
      }
      log.info(describeStep(step), { pod, uid: step.uid });
      return;
    }
    log.warn(`failed to ${describeStep(step)}`, { pod, uid: step.uid, detail: result.message });
    if (result.is === 'unavailable') {
      onLost(result.message);
      this.patience.rest(pod, clock.now() + UNAVAILABLE_RETRY_MS);
      return;
    }
    onNews();
  }
}
