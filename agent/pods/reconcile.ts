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
  newBackOffs,
  noteExits,
  noteFailure,
  noteSuccess,
  retryNow,
  type Memory,
} from './back-off.js';
import { mergeSources, NOTHING_DESIRED, type Desired } from './desired.js';
import { CompletionBook } from './completion-book.js';
import { EndingPods } from './ending-pods.js';
import { listenToEngine } from './engine-events.js';
import { EngineState } from './engine-state.js';
import type { StepOutcome } from './execute.js';
import { NO_HOOKS, NO_PROBER, type Prober } from './health.js';
import {
  BUSY_EVENT_MS,
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
import { backOff, deadlineExceeded, podEvent } from './pod-events.js';
import { podReports } from './pod-reports.js';
import type { Pods, PodsOptions } from './pods.js';
import { podIdentity } from './pod-spec.js';
import { probeTargets } from './probe-targets.js';
import { PULL_FAILURE_SHOWN_MS } from './pod-status.js';
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
import { Workers } from './workers.js';

class Reconciler implements Pods {
  readonly #options: PodsOptions;
  readonly #volumes;
  readonly #files: NodeFiles;
  readonly #images: ImagePulls;
  readonly #workers: Workers;
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #running: Promise<unknown>;
  #wake = new AbortController();
  #memory: Memory = EMPTY_MEMORY;
  #desired: Desired = NOTHING_DESIRED;
  #observed: ObservedPods = { sandboxes: [], containers: [] };
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
    this.#volumes = openPodVolumes(options.dataDir);
    this.#files = openNodeFiles({
      resolvConf: options.settings?.resolvConf ?? '',
      seccompDir: join(options.dataDir, 'seccomp'),
    });
    this.#engine = new EngineState(options);
    this.#images = options.images ?? openImagePulls({ store: options.runtime, log: options.log });
    this.#prober = options.prober ?? NO_PROBER;
    this.#completions = new CompletionBook(options.completions ?? null);
    this.#movedAt = options.clock.monotonic();
    this.#unsubscribe = [
      ...options.sources.map(source => source.onChange(() => this.#wakeUp())),
      this.#prober.onChange(() => this.#wakeUp()),
    ];
    this.#workers = new Workers(options.log, key => {
      this.#justEnded.add(key);
      this.#wakeUp();
    });
    const { runtime, clock } = options;
    const listening = listenToEngine({
      runtime,
      clock,
      signal: this.#ending.signal,
      onEvent: ({ podUid }) => {
        if (this.#workers.isBusyWith(podUid)) void this.#wakeLater();
        else this.#wakeUp();
      },
      onGap: () => this.#wakeUp(),
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
    return [...this.#desired.conditions, this.#engine.condition()];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  planText(): string {
    return planText(this.#plans, this.#workers.plans());
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#wakeUp();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    const patience = new AbortController();
    await Promise.race([
      Promise.all([this.#workers.abortAll(), this.#running]),
      this.#options.clock.sleep(STOP_MS, patience.signal),
    ]);
    patience.abort();
  }

  retry(key: string | null): boolean {
    const suffix = `-${this.#options.node.name.toLowerCase()}`;
    const meant = this.#desired.pods.filter(
      pod => key === null || pod.key === key || pod.key === `${key}${suffix}`,
    );
    if (key !== null && meant.length === 0) return false;
    this.#memory = retryNow(this.#memory, new Set(meant.map(pod => pod.uid)));
    for (const pod of meant) this.#notBefore.delete(pod.key);
    this.#wakeUp();
    return true;
  }

  isMoving(): boolean {
    return this.#options.clock.monotonic() - this.#movedAt < STANDSTILL_MS;
  }

  #wakeUp(): void {
    this.#wake.abort();
  }

  async #loop(): Promise<void> {
    const { clock, log } = this.#options;
    let retryMs = ENGINE_RETRY_FIRST_MS;
    const startedAt = clock.monotonic();
    while (!this.#ending.signal.aborted) {
      this.#wake = new AbortController();
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
        if (clock.monotonic() - startedAt >= UNKNOWN_MAX_MS) this.#areKnown = true;
        this.#show();
        waitMs = retryMs;
        retryMs = Math.min(retryMs * 2, ENGINE_RETRY_MAX_MS);
        // Sources go on talking; only the time brings the engine back.
        await clock.sleep(waitMs, this.#ending.signal);
        continue;
      }
      await clock.sleep(waitMs, this.#wake.signal);
    }
  }

  #areKnown = false;
  #movedAt: number;
  readonly #completions: CompletionBook;
  /** Containers whose postStart hook has not returned. */
  readonly #postStarting = new Set<EngineId>();
  readonly #prober: Prober;
  #isWakingLater = false;
  async #wakeLater(): Promise<void> {
    if (this.#isWakingLater) return;
    this.#isWakingLater = true;
    await this.#options.clock.sleep(BUSY_EVENT_MS, this.#ending.signal);
    this.#isWakingLater = false;
    this.#wakeUp();
  }

  /** Returns in how many milliseconds to look again. */
  async #round(): Promise<number> {
    const { clock } = this.#options;
    this.#justEnded.clear();
    this.#movedAt = clock.monotonic();
    await this.#engine.meet();
    this.#observed = await this.#options.runtime.observe();
    void this.#options.logLinks?.sync(this.#observed);
    this.#podData = await this.#volumes.uids();
    const now = clock.now();
    this.#merge();
    this.#noteExits(now);
    const ending = [...this.#endingPods.byUid.values()].flatMap(({ desired }) => desired ?? []);
    const { events } = this.#options;
    const [desired, observed] = [this.#desired, this.#observed];
    this.#prober.watch(probeTargets({ wanted: desired.pods, ending, observed }));
    this.#completions.note({ desired, observed, now }, (pod, { reason, message }) => {
      if (reason !== '') events.record(podEvent(podIdentity(pod), deadlineExceeded(message)));
    });
    const input = {
      desired: this.#desired,
      observed: this.#observed,
      memory: this.#memory,
      health: this.#prober.health(),
      completions: this.#completions.all,
      backOffMaxMs: this.#options.restartBackOffMaxMs ?? BACK_OFF_MAX_MS,
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
      ...failedAt.map(at => at + PULL_FAILURE_SHOWN_MS).filter(at => at > now),
    ]);
  }

  #merge(): void {
    const { sources, node, clock } = this.#options;
    const there = [...this.#observed.sandboxes, ...this.#observed.containers];
    const running = new Set(there.map(one => one.pod.uid));
    const now = clock.now();
    const merged = mergeSources({
      snapshots: sources.map(source => source.snapshot()),
      previous: this.#desired,
      running,
      nodeName: node.name,
      now,
    });
    const { admit } = this.#options;
    const world = { reports: this.#reports, observed: this.#observed, now };
    this.#desired = admit === undefined ? merged : admit(merged, world);
    this.#endingPods.note({
      desired: this.#desired,
      running,
      isBusyWith: uid => this.#workers.isBusyWith(uid),
      now,
    });
    const wanted = this.#desired.pods.map(pod => pod.uid);
    this.#memory = forget(this.#memory, new Set([...wanted, ...running, ...this.#podData]));
  }

  #noteExits(now: number): void {
    const before = this.#memory;
    this.#memory = noteExits(before, this.#observed, now);
    for (const { pod, container } of newBackOffs(this.#desired.pods, before, this.#memory)) {
      this.#options.events.record(podEvent(podIdentity(pod), backOff(pod, container)));
    }
  }

  /** Starts a worker for each plan with steps; stops one whose pod is to become something else. */
  #dispatch(now: number): void {
    const { runtime, clock, events } = this.#options;
    this.#workers.abortOutdated(this.#desired.pods);
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
        clock,
        tell: (pod, event) => {
          events.record(podEvent(pod, event));
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

  #show(): void {
    this.#reports = podReports({
      desired: this.#desired,
      observed: this.#observed,
      memory: this.#memory,
      now: this.#options.clock.now(),
      node: this.#engine.node,
      runtimeName: this.#engine.name,
      ending: this.#endingPods.byUid,
      previous: new Map(this.#reports.map(report => [report.pod.metadata?.uid ?? '', report])),
    });
    const shown = JSON.stringify([this.#areKnown, this.#reports, this.conditions()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    for (const listener of this.#listeners) listener();
  }
}

/** Starts at once; sources must have been opened. */
export function startPods(options: PodsOptions): Pods {
  return new Reconciler(options);
}
