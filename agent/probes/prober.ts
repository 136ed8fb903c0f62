/**
 * The loop of the probes: one timer for each probe that has something to do, none for the others.
 *
 * Decisions are `decide.ts`'s, answers those of `probe.ts`. What an aborted probe answers is not heard. A container that is not
 * watched any more is forgotten at once.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import type { ContainerHealth, Prober, ProbeTarget } from '../pods/health.js';
import type { PodEvent } from '../pods/pod-events.js';
import type { EngineId, PodIdentity } from '../runtime/runtime.js';
import { TIMER_MAX_MS, type ProbeAnswer, type ProbeRun } from './answer.js';
import {
  beginProbes,
  countResult,
  dueAt,
  hasProbes,
  healthOfProbes,
  isSameHealth,
  PROBE_KINDS,
  skipProbe,
  type Attempt,
  type ContainerProbes,
  type ProbeKind,
  type Remembered,
} from './decide.js';

export interface ProberOptions {
  readonly run: ProbeRun;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
  /** What was known of this run of the container before the agent was started again; null = nothing. */
  readonly remembered: (id: EngineId, startedAt: number) => Remembered | null;
}

/** One line of the kubelet's counter `prober_probe_total`. */
export interface ProbeTotal {
  readonly labels: {
    readonly probe_type: 'Startup' | 'Liveness' | 'Readiness';
    readonly result: 'successful' | 'failed' | 'unknown';
  };
  readonly count: number;
}

export interface CountingProber extends Prober {
  /** Since the agent's start; only what is not zero. */
  totals(): readonly ProbeTotal[];
  /** When each watched container was started, for what is to be remembered. */
  startedAt(id: EngineId): number | null;
}

const TYPE_NAMES = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

/** A container that is watched. */
interface Watched {
  target: ProbeTarget;
  probes: ContainerProbes;
  health: ContainerHealth;
  readonly gone: AbortController;
  /** Ends what a worker is at: its waiting or its probe. */
  readonly wake: Map<ProbeKind, AbortController>;
}

class ProbeLoop implements CountingProber {
  readonly #options: ProberOptions;
  readonly #agentStartedAt: number;
  readonly #watched = new Map<EngineId, Watched>();
  readonly #health = new Map<EngineId, ContainerHealth>();
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<(pod: PodIdentity, event: PodEvent) => void>();
  readonly #totals = new Map<string, ProbeTotal>();
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#agentStartedAt = options.clock.now();
  }

  watch(targets: readonly ProbeTarget[]): void {
    if (this.#isStopped) return;
    const ids = new Set(targets.map(({ id }) => id));
    for (const id of this.#watched.keys()) if (!ids.has(id)) this.#forget(id);
    for (const target of targets) {
      const watched = this.#watched.get(target.id);
      // Started again under the same id, by hand: a new run, of which nothing is known.
      if (watched !== undefined && watched.target.startedAt !== target.startedAt) {
        this.#forget(target.id);
      } else if (watched !== undefined) {
        this.#update(watched, target);
        continue;
      }
      if (hasProbes(target.container)) this.#begin(target);
    }
  }

  health(): ReadonlyMap<EngineId, ContainerHealth> {
    return this.#health;
  }

  totals(): readonly ProbeTotal[] {
    return [...this.#totals.values()];
  }

  startedAt(id: EngineId): number | null {
    return this.#watched.get(id)?.target.startedAt ?? null;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onEvent(listener: (pod: PodIdentity, event: PodEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { gone, wake } of this.#watched.values()) {
      gone.abort();
      for (const controller of wake.values()) controller.abort();
    }
    await Promise.all(this.#running);
  }

  #begin(target: ProbeTarget): void {
    const { clock, random, remembered } = this.#options;
    const now = clock.monotonic();
    const ranBefore = target.startedAt < this.#agentStartedAt;
    const probes = beginProbes(target.container, {
      startedAt: now - Math.max(0, clock.now() - target.startedAt),
      now,
      remembered: remembered(target.id, target.startedAt),
      jitter: ranBefore ? random : null,
    });
    const watched: Watched = {
      target,
      probes,
      health: healthOfProbes(probes),
      gone: new AbortController(),
      wake: new Map(),
    };
    this.#watched.set(target.id, watched);
    this.#health.set(target.id, watched.health);
    for (const kind of PROBE_KINDS) {
      if (probes.workers[kind] === undefined) continue;
      const working = this.#work(watched, kind).catch((error: unknown) => {
        this.#options.log.error('a probe stopped working', { container: target.id, kind, error });
      });
      this.#running.add(working);
      void working.then(() => this.#running.delete(working));
    }
  }

  #forget(id: EngineId): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    this.#watched.delete(id);
    this.#health.delete(id);
    watched.gone.abort();
    for (const controller of watched.wake.values()) controller.abort();
  }

  #update(watched: Watched, target: ProbeTarget): void {
    const turned = watched.target.ending !== target.ending;
    watched.target = target;
    if (!turned) return;
    // Row 109: what is under way of these two does not count any more.
    watched.wake.get('liveness')?.abort();
    watched.wake.get('startup')?.abort();
  }

  async #work(watched: Watched, kind: ProbeKind): Promise<void> {
    const { clock } = this.#options;
    while (!watched.gone.signal.aborted) {
      const wake = new AbortController();
      watched.wake.set(kind, wake);
      const at = dueAt(watched.probes, kind, watched.target.ending);
      const waitMs = at === null ? null : at - clock.monotonic();
      if (waitMs === null) await aborted(wake.signal);
      else if (waitMs > 0) await clock.sleep(Math.min(waitMs, TIMER_MAX_MS), wake.signal);
      else await this.#probe(watched, kind, wake.signal);
    }
  }

  async #probe(watched: Watched, kind: ProbeKind, signal: AbortSignal): Promise<void> {
    const { clock, run } = this.#options;
    const begunAt = clock.monotonic();
    const answer = await run(kind, watched.target, signal);
    if (signal.aborted) return;
    const attempt = { begunAt, now: clock.monotonic() };
    this.#tell(watched, kind, answer);
    this.#settle(watched, this.#counted(watched.probes, kind, { ...attempt, answer }));
  }

  #counted(
    probes: ContainerProbes,
    kind: ProbeKind,
    { answer, ...attempt }: Attempt & { readonly answer: ProbeAnswer },
  ): ContainerProbes {
    if (answer.is === 'nothing') {
      this.#count(kind, 'unknown');
      return skipProbe(probes, kind, attempt);
    }
    const isSuccess = answer.is === 'success' || answer.is === 'warning';
    this.#count(kind, isSuccess ? 'successful' : 'failed');
    return countResult(probes, kind, { ...attempt, result: isSuccess ? 'success' : 'failure' });
  }

  #settle(watched: Watched, probes: ContainerProbes): void {
    const opened = probes.isStarted && !watched.probes.isStarted;
    watched.probes = probes;
    if (opened) {
      watched.wake.get('liveness')?.abort();
      watched.wake.get('readiness')?.abort();
    }
    const health = healthOfProbes(probes);
    if (isSameHealth(health, watched.health)) return;
    watched.health = health;
    this.#health.set(watched.target.id, health);
    for (const listener of [...this.#listeners]) this.#notify(listener);
  }

  /** A listener that fails, with a full disk perhaps, must not end the probing. */
  #notify(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.log.error('what a probe said was not taken', { error });
    }
  }

  #count(kind: ProbeKind, result: ProbeTotal['labels']['result']): void {
    const key = `${kind} ${result}`;
    const count = (this.#totals.get(key)?.count ?? 0) + 1;
    this.#totals.set(key, { labels: { probe_type: TYPE_NAMES[kind], result }, count });
  }

  #tell(watched: Watched, kind: ProbeKind, answer: ProbeAnswer): void {
    if (answer.is === 'success' || answer.is === 'nothing') return;
    const { pod, container } = watched.target;
    const event: PodEvent = {
      ...eventOf(kind, answer),
      type: 'Warning',
      container: container.name,
    };
    for (const listener of [...this.#eventListeners]) this.#notify(() => listener(pod, event));
  }
}

function eventOf(
  kind: ProbeKind,
  answer: Exclude<ProbeAnswer, { is: 'success' }>,
): Pick<PodEvent, 'reason' | 'message'> {
  const name = TYPE_NAMES[kind];
  const { is, message } = answer;
  if (is === 'warning')
    return { reason: 'ProbeWarning', message: `${name} probe warning: ${message}` };
  const verb = is === 'error' ? 'errored and resulted in failure state' : 'failed';
  return { reason: 'Unhealthy', message: `${name} probe ${verb}: ${message}` };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>(resolve => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Watches nothing until it is told to. */
export function openProber(options: ProberOptions): CountingProber {
  return new ProbeLoop(options);
}
