/**
 * What probes say of containers, and who runs probes and hooks: the words between planning, status and the prober.
 * Kubelet behaviour rows 91 to 114. Types and their defaults only.
 */
import type { PodEvent } from './pod-events.js';
import type { EngineId, PodIdentity } from '../runtime/runtime.js';
import type { Container, LifecycleHandler } from '../../protocol/pod.js';

/** Why a probe wants a container to be killed (rows 96, 107, 108). */
export interface ProbeKill {
  readonly probe: 'liveness' | 'startup';
  /** A sentence for the event; never the output of the probe. */
  readonly message: string;
  /** Of the probe, in place of the pod's; null = the pod's holds (row 107). */
  readonly graceSeconds: number | null;
}

/** What the probes of one running container say together. */
export interface ContainerHealth {
  /** The startup probe has passed, or there is none. */
  readonly started: boolean;
  /** `started`, and the readiness probe's last word is yes, or there is none (rows 92, 93, 108). */
  readonly ready: boolean;
  readonly kill: ProbeKill | null;
}

/** By container id. A running container that is not in it: see `healthOf`. */
export type Health = ReadonlyMap<EngineId, ContainerHealth>;

/** What the probes of one running container say; before their first result the kubelet's values (row 92). */
export function healthOf(health: Health, id: EngineId, container: Container): ContainerHealth {
  const known = health.get(id);
  if (known !== undefined) return known;
  const started = container.startupProbe === undefined;
  return { started, ready: started && container.readinessProbe === undefined, kill: null };
}

/** One running container, as the prober has to know it. */
export interface ProbeTarget {
  readonly id: EngineId;
  readonly pod: PodIdentity;
  /** With defaults. */
  readonly container: Container;
  readonly startedAt: number;
  /** The pod's address; with the host's network that of the loopback (rows 105, 106). */
  readonly host: string;
  /** The pod is ending: liveness and startup stop, readiness goes on (row 109). */
  readonly ending: boolean;
}

export interface Prober {
  /** All containers that run now; those that are not named any more are forgotten. Twice is the same as once. */
  watch(targets: readonly ProbeTarget[]): void;
  health(): Health;
  /** Called after a value of `health` changed; the returned function ends it. */
  onChange(listener: () => void): () => void;
  /** Called for each event in the kubelet's words (Unhealthy, ProbeWarning), as often as it happens; never with output. */
  onEvent(listener: (pod: PodIdentity, event: PodEvent) => void): () => void;
  stop(): Promise<void>;
}

/** A hook that failed: the message says how, without the output of a program. */
export class HookError extends Error {
  override readonly name = 'HookError';
}

export interface HookTarget {
  readonly id: EngineId;
  /** Needed for named ports; null for a container whose manifest is not known any more. */
  readonly container: Container | null;
  readonly host: string;
}

export interface HookRunner {
  /** Resolves when the hook is done; throws `HookError`. Aborted = given up, without an error of its own. */
  run(handler: LifecycleHandler, target: HookTarget, signal: AbortSignal): Promise<void>;
}

/** For a runner of pods that has none. */
export const NO_PROBER: Prober = {
  watch: () => undefined,
  health: () => new Map(),
  onChange: () => () => undefined,
  onEvent: () => () => undefined,
  stop: () => Promise.resolve(),
};

/** For a runner of pods that has none: a hook that cannot be run has failed. */
export const NO_HOOKS: HookRunner = {
  run: () => Promise.reject(new HookError('hooks are not run here')),
};
