/**
 * The loop that makes what runs what is wanted: observe, merge, plan, hand the steps to one worker per pod,
 * report.
 *
 * One slow pod never holds up another. Woken by sources, by the engine's events, by the plan's own times, and
 * once a minute in any case. Without the engine it waits and goes on when that is back; when it ends itself it
 * leaves the containers as they are (kubelet behaviour rows 74, 81, 82).
 */
import { join } from 'node:path';
import {
  BACK_OFF_MAX_MS,
  EMPTY_MEMORY,
  forget,
  noteExits,
  noteFailure,
  noteSuccess,
  retryNow,
  type Memory,
} from './back-off.js';
import { CompletionBook } from './completion-book.js';
import { EndingPods } from './ending-pods.js';
import { listenToEngine } from './engine-events.js';
import { EngineState } from './engine-state.js';
import type { StepOutcome } from './execute.js';
import { NO_HOOKS, NO_PROBER, type Prober } from './health.js';
import {
  ENGINE_RETRY_FIRST_MS,
  ENGINE_RETRY_MAX_MS,
  nextLookMs,
  STANDSTILL_MS,
  STOP_MS,
  UNAVAILABLE_RETRY_MS,
  UNKNOWN_MAX_MS,
} from './loop-times.js';
import { openNodeFiles, type NodeFiles } from './node-files.js';
import { plan, planText, type PodPlan } from './plan.js';
import { deadlineExceeded } from './pod-events.js';
import type { Pods, PodsOptions } from './pods.js';
import { podIdentity } from './pod-spec.js';
import { probeTargets } from './probe-targets.js';
import { FAILURE_SHOWN_MS } from './container-state.js';
import { EventTeller } from './event-teller.js';
import { PodStatuses } from './pod-statuses.js';
import { openImagePulls, type ImagePulls } from '../images/pulls.js';
import type { PodReport, SourceCondition } from '../ports.js';
import {
  RuntimeError,
  type EngineId,
  type ObservedPods,
  type PodIdentity,
} from '../runtime/runtime.js';
import { describeStep } from './steps.js';
import { openPodVolumes } from './volumes.js';
import { uidsOf, Wishes } from './wishes.js';
import { Waker } from './waker.js';
import { Workers } from './workers.js';

class Reconciler implements Pods {
  readonly #options: PodsOptions;
  readonly #volumes;
  readonly #files: NodeFiles;
  readonly #statuses: PodStatuses;
  readonly #events: EventTeller;
  readonly #images: ImagePulls;
  readonly #workers: Workers;
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #running: Promise<unknown>;
  readonly #waker: Waker;
  #memory: Memory = EMPTY_MEMORY;
  readonly #wishes: Wishes;
  #observed: ObservedPods = { sandboxes: [], containers: [] };
  #isObserved = false;
  #podData: ReadonlySet<string> = new Set();
  #plans: readonly PodPlan[] = [];
  readonly #endingPods = new EndingPods();
  #reports: readonly PodReport[] = [];
  #shown = '';
  /** Names whose workers ended while the engine was being observed: the observation may be older. */
  readonly #justEnded = new Set<string>();
  /** By name: when the steps of a pod may be taken again after the engine did not answer. */
  readonly #notBefore = new Map<string, number>();
  readonly #engine: EngineState;

  constructor(options: PodsOptions) {
    this.#options = options;
    this.#waker = new Waker(options.clock, this.#ending.signal);
    this.#volumes = openPodVolumes(options.dataDir);
    this.#files = openNodeFiles({
      resolvConf: options.settings?.resolvConf ?? '',
      seccompDir: join(options.dataDir, 'seccomp'),
    });
    this.#engine = new EngineState(options);
    this.#statuses = new PodStatuses(options);
    this.#events = new EventTeller(options);
    this.#wishes = new Wishes(options, this.#events);
    this.#images = options.images ?? openImagePulls({ store: options.runtime, log: options.log });
    this.#prober = options.prober ?? NO_PROBER;
    this.#completions = new CompletionBook(options.completions ?? null);
    this.#movedAt = options.clock.monotonic();
    this.#unsubscribe = [
      ...options.sources.map(source => source.onChange(() => this.#waker.wakeUp())),
      this.#prober.onChange(() => this.#waker.wakeUp()),
      this.#prober.onEvent((pod, event) => this.#events.tell(pod, event)),
    ];
    this.#workers = new Workers(options.log, key => {
      this.#justEnded.add(key);
      this.#waker.wakeUp();
    });
    const { runtime, clock } = options;
    const listening = listenToEngine({
      runtime,
      clock,
      signal: this.#ending.signal,
      onEvent: ({ podUid }) => {
        if (this.#workers.isBusyWith(podUid)) void this.#waker.wakeLater();
        else this.#waker.wakeUp();
      },
      onGap: () => this.#waker.wakeUp(),
    });
    this.#running = Promise.all([this.#loop(), listening]);
  }

  areKnown(): boolean {
    return this.#areKnown;
  }

  reports(): readonly PodReport[] {
    return this.#reports;
  }

  conditions(): readonly SourceCondition[] {
    return [...this.#wishes.now.conditions, this.#engine.condition()];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get #backOffMaxMs(): number {
    return this.#options.restartBackOffMaxMs ?? BACK_OFF_MAX_MS;
  }

  planText(): string {
    return planText(this.#plans, this.#workers.plans());
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#waker.wakeUp();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    const patience = new AbortController();
    await Promise.race([
      Promise.all([this.#workers.abortAll(), this.#running, this.#statuses.close()]),
      this.#options.clock.sleep(STOP_MS, patience.signal),
    ]);
    patience.abort();
  }

  retry(key: string | null): boolean {
    const meant = this.#wishes.named(key);
    if (key !== null && meant.length === 0) return false;
    this.#memory = retryNow(this.#memory, new Set(meant.map(pod => pod.uid)));
    for (const pod of meant) this.#notBefore.delete(pod.key);
    this.#waker.wakeUp();
    return true;
  }

  isMoving(): boolean {
    return this.#options.clock.monotonic() - this.#movedAt < STANDSTILL_MS;
  }

  async #loop(): Promise<void> {
    const { clock, log } = this.#options;
    let retryMs = ENGINE_RETRY_FIRST_MS;
    const startedAt = clock.monotonic();
    while (!this.#ending.signal.aborted) {
      this.#waker.reset();
      let waitMs: number;
      try {
        waitMs = await this.#round();
        retryMs = ENGINE_RETRY_FIRST_MS;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const isEngine = error instanceof RuntimeError && error.code === 'EngineUnavailable';
        if (this.#engine.isUp || !isEngine) log.error('pods cannot be looked at', { message });
        if (isEngine) this.#engine.lost(message);
        this.#merge();
        await this.#look();
        if (clock.monotonic() - startedAt >= UNKNOWN_MAX_MS) this.#areKnown = true;
        this.#show();
        waitMs = retryMs;
        retryMs = Math.min(retryMs * 2, ENGINE_RETRY_MAX_MS);
        // Sources go on talking; only the time brings the engine back.
        await clock.sleep(waitMs, this.#ending.signal);
        continue;
      }
      await clock.sleep(waitMs, this.#waker.signal);
    }
  }

  #areKnown = false;
  #movedAt: number;
  readonly #completions: CompletionBook;
  /** Containers whose postStart hook has not returned. */
  readonly #postStarting = new Set<EngineId>();
  readonly #prober: Prober;

  /** Returns in how many milliseconds to look again. */
  async #round(): Promise<number> {
    const { clock } = this.#options;
    this.#justEnded.clear();
    this.#movedAt = clock.monotonic();
    await this.#engine.meet();
    this.#observed = await this.#options.runtime.observe();
    this.#isObserved = true;
    void this.#options.logLinks?.sync(this.#observed);
    this.#podData = await this.#volumes.uids();
    const now = clock.now();
    this.#merge();
    await this.#look();
    this.#noteExits(now);
    const ending = [...this.#endingPods.byUid.values()].flatMap(({ desired }) => desired ?? []);
    const [desired, observed] = [this.#wishes.now, this.#observed];
    this.#prober.watch(probeTargets({ wanted: desired.pods, ending, observed }));
    this.#completions.note({ desired, observed, now }, (pod, { reason }) => {
      if (reason !== '') this.#events.tell(podIdentity(pod), deadlineExceeded());
    });
    const input = {
      desired: this.#wishes.now,
      observed: this.#observed,
      memory: this.#memory,
      health: this.#prober.health(),
      completions: this.#completions.all,
      backOffMaxMs: this.#backOffMaxMs,
      podData: this.#podData,
      now,
    };
    this.#plans = plan(input);
    for (const [key, at] of this.#notBefore) if (at <= now) this.#notBefore.delete(key);
    this.#dispatch(now);
    this.#areKnown = true;
    this.#show();
    const failedAt = [...this.#memory.failures.values()].map(failure => failure.failedAt);
    return nextLookMs(now, [
      ...this.#plans.flatMap(({ againAt }) => againAt ?? []),
      ...this.#notBefore.values(),
      ...failedAt.map(at => at + FAILURE_SHOWN_MS).filter(at => at > now),
    ]);
  }

  #merge(): void {
    const [observed, reports, node] = [this.#observed, this.#reports, this.#engine.node];
    const running = uidsOf(observed);
    const completions = this.#completions.all;
    const desired = this.#wishes.merge({ observed, reports, node, completions });
    this.#endingPods.note({
      desired,
      running,
      isBusyWith: uid => this.#workers.isBusyWith(uid),
      now: this.#options.clock.now(),
    });
    const wanted = desired.pods.map(pod => pod.uid);
    this.#memory = forget(this.#memory, new Set([...wanted, ...running, ...this.#podData]));
  }

  #noteExits(now: number): void {
    const before = this.#memory.crashes;
    this.#memory = noteExits(this.#memory, this.#observed, now);
    this.#events.tellBackOffs(this.#wishes.now, before, this.#memory.crashes);
  }

  /** Starts a worker for each plan with steps; stops one whose pod is to become something else. */
  #dispatch(now: number): void {
    const { runtime, clock } = this.#options;
    this.#workers.abortOutdated(this.#wishes.now.pods);
    const there = [...this.#observed.sandboxes, ...this.#observed.containers];
    const identities = new Map<string, PodIdentity>(there.map(({ pod }) => [pod.uid, pod]));
    for (const podPlan of this.#plans) {
      const { key, steps } = podPlan;
      if (steps.length === 0 || this.#workers.has(key) || this.#justEnded.has(key)) continue;
      if ((this.#notBefore.get(key) ?? 0) > now) continue;
      this.#workers.start(podPlan, identities, {
        runtime,
        images: this.#images,
        volumes: this.#volumes,
        hooks: this.#options.hooks ?? NO_HOOKS,
        onPostStart: (id, isRunning) => {
          if (isRunning) this.#postStarting.add(id);
          else this.#postStarting.delete(id);
          this.#show();
        },
        files: this.#files,
        node: this.#engine.node,
        terminationMessages: this.#statuses.terminationMessages,
        clock,
        tell: (pod, event) => {
          this.#events.tell(pod, event);
        },
        onOutcome: outcome => this.#note(key, outcome),
      });
    }
  }

  #note(pod: string, { step, kind, key, result }: StepOutcome): void {
    const { log, clock } = this.#options;
    if (result.is === 'done') {
      // A container that was made may still not start: only its start ends the series.
      if (step.do !== 'createContainer') this.#memory = noteSuccess(this.#memory, key);
      log.info(describeStep(step), { uid: step.uid });
      return;
    }
    log.warn(`failed to ${describeStep(step)}`, { uid: step.uid, detail: result.message });
    if (result.is === 'unavailable') {
      this.#engine.lost(result.message);
      this.#notBefore.set(pod, clock.now() + UNAVAILABLE_RETRY_MS);
      return;
    }
    const { reason, message } = result;
    this.#memory = noteFailure(this.#memory, { kind, key, reason, message }, clock.now());
    this.#show();
  }

  async #look(): Promise<void> {
    const [desired, observed] = [this.#wishes.now, this.#observed];
    await this.#statuses.look({ desired, observed, ending: this.#endingPods.byUid });
  }

  #show(): void {
    this.#reports = this.#statuses.show({
      desired: this.#wishes.now,
      observed: this.#isObserved ? this.#observed : null,
      memory: this.#memory,
      now: this.#options.clock.now(),
      node: this.#engine.node,
      runtimeName: this.#engine.name,
      recursiveReadOnly: this.#engine.node.features?.recursiveReadOnly ?? false,
      backOffMaxMs: this.#backOffMaxMs,
      health: this.#prober.health(),
      startingHooks: this.#postStarting,
      completions: this.#completions.of(this.#wishes.now.pods),
      ending: this.#endingPods.byUid,
    });
    const shown = JSON.stringify([this.#areKnown, this.#reports, this.conditions()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    // What was waited for may just have become ready.
    if (this.#wishes.now.pods.some(({ rejection }) => rejection !== null)) this.#waker.wakeUp();
    for (const listener of this.#listeners) listener();
  }
}

/** Starts at once; sources must have been opened. */
export function startPods(options: PodsOptions): Pods {
  return new Reconciler(options);
}
