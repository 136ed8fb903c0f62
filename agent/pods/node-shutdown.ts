/**
 * The graceful end of a node: pods end in groups, the less important before the more important, each group in its own
 * time; none begins meanwhile, and those that ended stay so until the agent starts again. Kubelet behaviour rows 186 to
 * 188 (`pkg/kubelet/nodeshutdown`), with the two system classes known by name (P16). Runs only when it is asked to.
 */
import { CONFIG_HASH, type DesiredPod, type Rejection } from './desired.js';
import { CRITICAL_PRIORITY, podPriority } from '../../protocol/pod-priority.js';
import type { Clock } from '../../protocol/ports.js';

/** Pods from this priority up, to the next period's, have so many seconds to end. */
export interface ShutdownPeriod {
  readonly priority: number;
  readonly seconds: number;
}

export const TERMINATED = {
  reason: 'Terminated',
  message: 'Pod was terminated in response to imminent node shutdown.',
} as const;

const REFUSAL: Rejection = {
  phase: 'Failed',
  reason: 'NodeShutdown',
  message: 'Pod was rejected as the node is shutting down.',
  againAt: null,
};

/** As `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods` say it; the latter is part of the former. */
export function shutdownPeriods(seconds: number, criticalSeconds: number): ShutdownPeriod[] {
  return [
    { priority: 0, seconds: Math.max(0, seconds - criticalSeconds) },
    { priority: CRITICAL_PRIORITY, seconds: Math.min(seconds, criticalSeconds) },
  ];
}

export interface ShutdownGroup {
  readonly uids: readonly string[];
  readonly seconds: number;
}

/** Lowest first; a pod below the lowest period ends with that one. Groups without pods take no time. */
export function shutdownGroups(
  pods: readonly Pick<DesiredPod, 'uid' | 'pod'>[],
  periods: readonly ShutdownPeriod[],
): ShutdownGroup[] {
  const ascending = periods.toSorted((a, b) => a.priority - b.priority);
  const indexOf = ({ pod }: Pick<DesiredPod, 'pod'>) => {
    const priority = podPriority(pod);
    return Math.max(
      0,
      ascending.findLastIndex(period => period.priority <= priority),
    );
  };
  return ascending
    .map(({ seconds }, index) => ({
      uids: pods.filter(pod => indexOf(pod) === index).map(({ uid }) => uid),
      seconds,
    }))
    .filter(({ uids }) => uids.length > 0);
}

function versionOf({ pod }: Pick<DesiredPod, 'pod'>): string | undefined {
  return pod.metadata.annotations?.[CONFIG_HASH];
}

export interface ShutdownWorld {
  readonly clock: Clock;
  readonly pods: readonly Pick<DesiredPod, 'uid' | 'pod'>[];
  /** Nothing of it runs any more. */
  readonly hasEnded: (uid: string) => boolean;
  /** Called once for each pod when its turn has come. */
  readonly end: (uid: string, seconds: number) => void;
  /** Resolves after the engine was looked at again, and at the latest after `ms`. */
  readonly nextLook: (ms: number) => Promise<void>;
}

export class NodeShutdown {
  /** By uid of those whose turn has come: until when, by the monotonic clock. */
  readonly #until = new Map<string, number>();
  /** By uid: which version there was. */
  #known: ReadonlyMap<string, string | undefined> | null = null;

  /** Resolves when all pods have ended or their time is over; a second call waits for nothing. */
  async run(periods: readonly ShutdownPeriod[], world: ShutdownWorld): Promise<void> {
    if (this.#known !== null) return;
    const { clock, pods, hasEnded, end, nextLook } = world;
    this.#known = new Map(pods.map(one => [one.uid, versionOf(one)]));
    for (const { uids, seconds } of shutdownGroups(pods, periods)) {
      const until = clock.monotonic() + seconds * 1000;
      for (const uid of uids) {
        this.#until.set(uid, until);
        end(uid, seconds);
      }
      // The first look shows what ran before.
      do await nextLook(Math.max(0, until - clock.monotonic()));
      while (!uids.every(hasEnded) && clock.monotonic() < until);
    }
  }

  /** By uid: seconds that are left. */
  graceLimits(monotonicMs: number): ReadonlyMap<string, number> {
    return new Map(
      [...this.#until].map(([uid, until]) => [uid, Math.max(0, (until - monotonicMs) / 1000)]),
    );
  }

  isEnding(uid: string): boolean {
    return this.#until.has(uid);
  }

  /** A pod, or a version of one, that came after the beginning may not begin (row 188). */
  refuse(pod: DesiredPod): DesiredPod {
    const known = this.#known;
    if (known === null || (known.has(pod.uid) && known.get(pod.uid) === versionOf(pod))) return pod;
    return { ...pod, rejection: REFUSAL };
  }
}
