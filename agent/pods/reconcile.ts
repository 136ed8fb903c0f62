/**
 * The loop that makes what runs what is wanted: observe, merge, plan, hand the steps to one worker per pod,
 * report.
 *
 * One slow pod never holds up another. Woken by sources, by the engine's events, by the plan's own times, and
 * once a minute in any case. Without the engine it waits and goes on when that is back; when it ends itself it
 * leaves the containers as they are (kubelet behaviour rows 74, 81, 82).
 */
import { BACK_OFF_MAX_MS } from './back-off.js';
import { CompletionBook } from './completion-book.js';
import type { DesiredPod } from './desired.js';
import { Dispatcher } from './dispatcher.js';
import { listenToEngine } from './engine-events.js';
import { EngineState } from './engine-state.js';
import { NO_HOOKS, NO_PROBER, type Prober } from './health.js';
import * as times from './loop-times.js';
import { NodeShutdown, type ShutdownPeriod } from './node-shutdown.js';
import { identitiesOf, isRunning, startTimes, without } from './observed-views.js';
import { nodeFilesOf, type NodeFiles } from './node-files.js';
import { plan, planText, type PodPlan } from './plan.js';
import { deadlineExceeded } from './pod-events.js';
import type { Pods, PodsOptions } from './pods.js';
import { podIdentity } from './pod-spec.js';
import { probeTargets } from './probe-targets.js';
import { FAILURE_SHOWN_MS } from './container-state.js';
import { EventTeller } from './event-teller.js';
import { PodStatuses } from './pod-statuses.js';
import { Standing } from './standing.js';
import { openImagePulls, type ImagePulls } from '../images/pulls.js';
import type { PodReport, SourceCondition } from '../ports.js';
import { RuntimeError, type ObservedPods } from '../runtime/runtime.js';
import { News } from './news.js';
import { Waker } from './waker.js';
import { leftData } from '../volumes/left-data.js';
import { openPodVolumes } from '../volumes/volumes.js';
import { uidsOf, Wishes } from './wishes.js';

class Reconciler implements Pods {
  readonly #options: PodsOptions;
  readonly #volumes;
  readonly #files: NodeFiles;
  readonly #statuses: PodStatuses;
  readonly #events: EventTeller;
  readonly #images: ImagePulls;
  readonly #dispatcher: Dispatcher;
  readonly #news = new News();
  readonly #ending = new AbortController();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #running: Promise<unknown>;
  readonly #waker: Waker;
  readonly #wishes: Wishes;
  #observed: ObservedPods = { sandboxes: [], containers: [] };
  #isObserved = false;
  #podData: ReadonlySet<string> = new Set();
  #plans: readonly PodPlan[] = [];
  readonly #standing: Standing;
  #reports: readonly PodReport[] = [];
  readonly #engine: EngineState;
  readonly #backOffMaxMs: number;

  constructor(options: PodsOptions) {
    this.#options = options;
    this.#backOffMaxMs = options.restartBackOffMaxMs ?? BACK_OFF_MAX_MS;
    this.#waker = new Waker(options.clock, this.#ending.signal);
    this.#volumes = options.volumes ?? openPodVolumes(options);
    this.#files = nodeFilesOf(options);
    this.#engine = new EngineState(options, this.#volumes);
    this.#statuses = new PodStatuses(options);
    this.#events = new EventTeller(options);
    this.#completions = new CompletionBook(options.completions ?? null, options.log);
    const [events, volumes, completions] = [this.#events, this.#volumes, this.#completions];
    const onChange = () => this.#waker.wakeUp();
    this.#wishes = new Wishes(options, { events, volumes, completions, onChange });
    this.#images = options.images ?? openImagePulls({ store: options.runtime, log: options.log });
    this.#prober = options.prober ?? NO_PROBER;
    this.#movedAt = options.clock.monotonic();
    this.#unsubscribe = [
      ...options.sources.map(source => source.onChange(onChange)),
      this.#prober.onChange(onChange),
      this.#prober.onEvent((pod, event) => this.#events.tell(pod, event)),
    ];
    this.#dispatcher = new Dispatcher({
      ...options,
      onEnd: onChange,
      onNews: () => this.#show(),
      onLost: message => this.#engine.lost(message),
    });
    const { patience } = this.#dispatcher;
    this.#standing = new Standing({ ...options, store: options.versions, patience });
    const listening = listenToEngine({
      ...options,
      signal: this.#ending.signal,
      waker: this.#waker,
      isBusyWith: uid => this.#dispatcher.workers.isBusyWith(uid),
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
    const left = leftData(this.#podData, this.#dispatcher.patience.memory);
    return [...this.#wishes.now.conditions, this.#engine.condition(), ...left];
  }

  onChange(listener: () => void): () => void {
    return this.#news.onChange(listener);
  }

  planText(): string {
    return planText(this.#plans, this.#dispatcher.workers.plans(), this.#standing.acting.pods);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#waker.wakeUp();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    const patience = new AbortController();
    await Promise.race([
      Promise.all([
        this.#dispatcher.workers.abortAll(),
        this.#running,
        this.#statuses.close(),
        this.#wishes.close(),
      ]),
      this.#options.clock.sleep(times.STOP_MS, patience.signal),
    ]);
    patience.abort();
  }

  retry(key: string | null): boolean {
    const meant = this.#wishes.named(key);
    if (key !== null && meant.length === 0) return false;
    const keys = new Set(meant.map(pod => pod.key));
    const acting = this.#standing.acting.pods.filter(pod => keys.has(pod.key));
    this.#dispatcher.patience.retry([...meant, ...acting]);
    this.#wishes.retry(meant);
    this.#waker.wakeUp();
    return true;
  }

  async shutdown(periods: readonly ShutdownPeriod[]): Promise<void> {
    const ending = this.#standing.ending.manifests();
    await this.#shutdown.run(periods, {
      clock: this.#options.clock,
      pods: [...this.#standing.acting.pods, ...ending],
      hasEnded: uid => !this.#dispatcher.workers.isBusyWith(uid) && !isRunning(this.#observed, uid),
      end: (uid, seconds) => {
        const wanted = this.#standing.acting.pods.find(pod => pod.uid === uid);
        if (wanted) this.#completions.terminate(wanted, this.#options.clock.now());
        this.#dispatcher.workers.shrinkGrace(uid, seconds);
        this.#waker.wakeUp();
      },
      nextLook: ms => this.#waker.nextLook(ms),
    });
  }

  figures(): ReturnType<Pods['figures']> {
    return this.#events.tallies.figures;
  }

  isMoving(): boolean {
    return this.#options.clock.monotonic() - this.#movedAt < times.STANDSTILL_MS;
  }

  async #loop(): Promise<void> {
    const { clock, log } = this.#options;
    let failures = 0;
    const startedAt = clock.monotonic();
    while (!this.#ending.signal.aborted) {
      this.#waker.begin();
      let waitMs: number;
      try {
        waitMs = await this.#round();
        failures = 0;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const isEngine = error instanceof RuntimeError && error.code === 'EngineUnavailable';
        if (this.#engine.isUp || !isEngine) log.error('pods cannot be looked at', { message });
        if (isEngine) this.#engine.lost(message);
        if (clock.monotonic() - startedAt >= times.UNKNOWN_MAX_MS) this.#areKnown = true;
        try {
          await this.#merge();
          await this.#look();
          this.#show();
        } catch {
          // What went wrong before, again: nothing of it ends the loop.
        }
        // Sources go on talking; only the time brings the engine back.
        await clock.sleep(times.engineRetryMs(++failures), this.#ending.signal);
        continue;
      }
      await this.#waker.pause(waitMs);
    }
  }

  #areKnown = false;
  readonly #shutdown = new NodeShutdown();
  #movedAt: number;
  readonly #completions: CompletionBook;
  readonly #prober: Prober;
  /** Returns in how many milliseconds to look again. */
  async #round(): Promise<number> {
    const { clock } = this.#options;
    this.#dispatcher.begin();
    this.#movedAt = clock.monotonic();
    await this.#engine.meet();
    this.#observed = await this.#options.runtime.observe();
    this.#dispatcher.stops.afterLook();
    this.#isObserved = true;
    void this.#options.logLinks?.sync(this.#observed);
    this.#podData = await this.#volumes.uids();
    const now = clock.now();
    await this.#merge();
    await this.#look();
    this.#noteExits(now);
    const observed = this.#observed;
    const { acting: desired, waiting, versions } = this.#standing;
    const over = this.#completions.of(desired.pods);
    const isOver = ({ uid }: DesiredPod) => over.has(uid);
    const ending = [...this.#standing.ending.manifests(), ...desired.pods.filter(isOver)];
    this.#prober.watch(probeTargets({ wanted: desired.pods, ending, observed, versions }));
    const { condemned } = this.#standing.ending;
    const startedAt = startTimes(this.#reports);
    const known = { desired, memory: this.#dispatcher.patience.memory, startedAt, now };
    let hasSuccessor = false;
    this.#completions.note({ ...known, observed: without(observed, condemned) }, (pod, why) => {
      hasSuccessor ||= pod.heldEdit !== undefined;
      if (why.reason !== '') this.#events.tell(podIdentity(pod), deadlineExceeded());
    });
    this.#plans = plan({
      ...known,
      waiting,
      observed,
      health: this.#prober.health(),
      completions: this.#completions.all,
      backOffMaxMs: this.#backOffMaxMs,
      condemned,
      graceLimits: this.#shutdown.graceLimits(clock.monotonic()),
      podData: this.#podData,
      podVolumes: await this.#volumes.withVolumes(over.keys()),
    });
    this.#dispatch();
    this.#areKnown = true;
    this.#show();
    this.#waker.end();
    const failedAt = [...this.#dispatcher.patience.memory.failures.values()].map(
      failure => failure.failedAt,
    );
    // Of what is over now a version waits for the place: it may begin.
    if (hasSuccessor) return 0;
    return times.nextLookMs(now, [
      ...this.#plans.flatMap(({ againAt }) => againAt ?? []),
      ...this.#dispatcher.patience.times(),
      ...failedAt.map(at => at + FAILURE_SHOWN_MS).filter(at => at > now),
    ]);
  }

  async #merge(): Promise<void> {
    await this.#wishes.followHostFiles();
    const [observed, reports, node] = [this.#observed, this.#reports, this.#engine.node];
    const running = uidsOf(observed);
    const kept = { podData: this.#podData, completions: this.#completions.all };
    const refuse = (pod: DesiredPod) => this.#shutdown.refuse(pod);
    const known = { observed, isObserved: this.#isObserved, reports, node };
    const standIns = new Set([...this.#standing.standIns.values()].map(({ uid }) => uid));
    const desired = this.#wishes.merge({ ...known, ...kept, standIns, refuse });
    this.#standing.look(this.#wishes, {
      ...kept,
      observed,
      isObserved: this.#isObserved,
      running,
      isBusyWith: uid => this.#dispatcher.workers.isBusyWith(uid),
      now: this.#options.clock.now(),
    });
    this.#wishes.lookAfter(this.#standing.acting, { ...kept, node });
    const wanted = desired.pods.map(pod => pod.uid);
    this.#dispatcher.patience.forgetAllBut(new Set([...wanted, ...running, ...this.#podData]));
  }

  #noteExits(now: number): void {
    const before = this.#dispatcher.patience.memory.crashes;
    this.#dispatcher.patience.look(this.#observed, this.#prober.health(), now);
    this.#events.tellBackOffs(
      this.#standing.acting,
      before,
      this.#dispatcher.patience.memory.crashes,
    );
  }

  /** Stops what is to become something else, and starts what the plans say. */
  #dispatch(): void {
    const { runtime, hooks = NO_HOOKS } = this.#options;
    this.#dispatcher.workers.abortOutdated(this.#standing.aims);
    this.#dispatcher.dispatch(this.#plans, identitiesOf(this.#observed), {
      runtime,
      hooks,
      images: this.#images,
      volumes: this.#volumes,
      onEnding: uid => this.#standing.ending.condemn(uid, this.#observed),
      files: this.#files,
      node: this.#engine.node,
      terminationMessages: this.#statuses.terminationMessages,
      tell: this.#events.tell.bind(this.#events),
    });
  }

  async #look(): Promise<void> {
    const { acting, ending } = this.#standing;
    const pods = [...this.#wishes.now.pods, ...acting.pods];
    await this.#statuses.look({ pods, observed: this.#observed, ending: ending.byUid });
  }

  #show(): void {
    const { acting, standIns, ending } = this.#standing;
    const shown = [...this.#wishes.now.pods, ...acting.pods];
    this.#reports = this.#statuses.show({
      desired: this.#wishes.now,
      standIns,
      observed: this.#isObserved ? this.#observed : null,
      memory: this.#dispatcher.patience.memory,
      now: this.#options.clock.now(),
      node: this.#engine.node,
      runtimeName: this.#engine.name,
      recursiveReadOnly: this.#engine.node.features?.recursiveReadOnly ?? false,
      backOffMaxMs: this.#backOffMaxMs,
      health: this.#prober.health(),
      startingHooks: this.#dispatcher.postStarting,
      stops: this.#dispatcher.stops.all,
      completions: this.#completions.of(shown),
      ending: ending.byUid,
    });
    this.#news.tell([this.#areKnown, this.#reports, this.conditions()], () => {
      // What was waited for may just have become ready.
      if (this.#wishes.now.pods.some(({ rejection }) => rejection !== null)) this.#waker.wakeUp();
    });
  }
}

/** Starts at once; sources must have been opened. */
export const startPods = (options: PodsOptions): Pods => new Reconciler(options);
