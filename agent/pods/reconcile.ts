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
  EMPTY_MEMORY,
  forget,
  noteExits,
  noteFailure,
  noteSuccess,
  type Memory,
} from './back-off.js';
import { mergeSources, NOTHING_DESIRED, type Desired } from './desired.js';
import { EndingPods } from './ending-pods.js';
import { listenToEngine } from './engine-events.js';
import type { StepOutcome } from './execute.js';
import { openNodeFiles, type NodeFiles } from './node-files.js';
import { plan, planText, type PodPlan } from './plan.js';
import { backOff, podEvent } from './pod-events.js';
import { podReports } from './pod-reports.js';
import type { Pods, PodsOptions } from './pods.js';
import { nodeFacts } from './pod-settings.js';
import { podIdentity, type NodeFacts } from './pod-spec.js';
import { PULL_FAILURE_SHOWN_MS } from './pod-status.js';
import { openImagePulls, type ImagePulls } from '../images/pulls.js';
import type { PodReport, SourceCondition } from '../ports.js';
import { RuntimeError, type ObservedPods, type PodIdentity } from '../runtime/runtime.js';
import { describeStep } from './steps.js';
import { openPodVolumes } from '../volumes/volumes.js';
import { Workers } from './workers.js';

/** A whole look although nothing was heard (row 81). */
const RESYNC_MS = 60_000;
/** How soon an engine that does not answer is asked again (row 82). */
/** An engine that is down at the start is no reason to say nothing at all. */
const UNKNOWN_MAX_MS = 30_000;
const ENGINE_RETRY_FIRST_MS = 100;
const ENGINE_RETRY_MAX_MS = 5_000;
/** Events of a pod that is being worked on need no plan at once: its worker's end brings one. */
const BUSY_EVENT_MS = 1_000;
/** A pod whose step met an engine that does not answer rests this long, whatever the engine says next. */
const UNAVAILABLE_RETRY_MS = 1_000;
/** How long the end waits for calls that the engine has not answered. */
const STOP_MS = 2_000;

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
  #engine: { isUp: boolean; message: string } = { isUp: false, message: 'not asked yet' };
  #runtimeName = 'docker';
  #node: NodeFacts;

  constructor(options: PodsOptions) {
    this.#options = options;
    this.#volumes = options.volumes ?? openPodVolumes(options);
    this.#files = openNodeFiles({
      resolvConf: options.settings?.resolvConf ?? '',
      seccompDir: join(options.dataDir, 'seccomp'),
    });
    this.#node = nodeFacts(options, null, 0);
    this.#images = options.images ?? openImagePulls({ store: options.runtime, log: options.log });
    this.#unsubscribe = options.sources.map(source => source.onChange(() => this.#wakeUp()));
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
      onGap: () => {
        this.#wakeUp();
      },
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
    const { isUp, message } = this.#engine;
    const engine: SourceCondition = {
      type: 'ContainerRuntime',
      status: isUp ? 'True' : 'False',
      reason: isUp ? 'Answers' : 'EngineUnavailable',
      message,
    };
    return [...this.#desired.conditions, engine];
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
        if (isEngine) this.#engine = { isUp: false, message };
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
    if (!this.#engine.isUp) await this.#meetEngine();
    this.#observed = await this.#options.runtime.observe();
    this.#podData = await this.#volumes.uids();
    const now = clock.now();
    this.#engine = { isUp: true, message: this.#engine.message };
    this.#merge();
    this.#noteExits(now);
    const input = {
      desired: this.#desired,
      observed: this.#observed,
      memory: this.#memory,
      podData: this.#podData,
      now,
    };
    this.#plans = plan(input);
    for (const [key, at] of this.#notBefore) if (at <= now) this.#notBefore.delete(key);
    this.#dispatch(now);
    this.#areKnown = true;
    this.#show();
    const times = [
      ...this.#plans.flatMap(({ againAt }) => (againAt === null ? [] : [againAt])),
      ...this.#notBefore.values(),
    ];
    const shownAgain = [...this.#memory.failures.values()]
      .map(({ failedAt }) => failedAt + PULL_FAILURE_SHOWN_MS)
      .filter(at => at > now);
    return Math.max(0, Math.min(RESYNC_MS, ...[...times, ...shownAgain].map(at => at - now)));
  }

  async #meetEngine(): Promise<void> {
    const info = await this.#options.runtime.info();
    this.#runtimeName = info.name;
    this.#node = nodeFacts(this.#options, info, await this.#volumes.capacityBytes());
    this.#engine = { isUp: true, message: `${info.name} ${info.version}` };
  }

  #merge(): void {
    const { sources, node, clock } = this.#options;
    const there = [...this.#observed.sandboxes, ...this.#observed.containers];
    const running = new Set(there.map(one => one.pod.uid));
    const now = clock.now();
    this.#desired = mergeSources({
      snapshots: sources.map(source => source.snapshot()),
      previous: this.#desired,
      running,
      nodeName: node.name,
      now,
    });
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
    const before = this.#memory.crashes;
    this.#memory = noteExits(this.#memory, this.#observed, now);
    for (const pod of this.#desired.pods) {
      for (const [container, hash] of pod.containerHashes) {
        const key = `${pod.uid}/${container}/${hash}`;
        const crash = this.#memory.crashes.get(key);
        if (crash === undefined || crash === before.get(key) || crash.delayMs === 0) continue;
        this.#options.events.record(podEvent(podIdentity(pod), backOff(pod, container)));
      }
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
        files: this.#files,
        node: this.#node,
        clock,
        tell: (pod, event) => {
          events.record(podEvent(pod, event));
        },
        onOutcome: outcome => {
          this.#note(key, outcome);
        },
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
      this.#engine = { isUp: false, message: result.message };
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
      node: this.#node,
      runtimeName: this.#runtimeName,
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
