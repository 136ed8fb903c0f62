/**
 * Pods that were ended because a volume outgrew its limit, and when they may begin again.
 *
 * The kubelet's eviction skips static pods (behaviour row 134) or leaves them dead (pain P22); here such a pod is ended
 * with its data, shown as Failed with reason Evicted, and begun anew after 10 s, doubling to 300 s while it goes on;
 * ten minutes in peace make it 10 s again. With restartPolicy Never it has ended for good. Pure.
 */
import type { Desired } from '../pods/desired.js';

/** The reason of a pod that was ended for what it used; it had begun, so it was not rejected. */
export const EVICTED = 'Evicted';

const FIRST_MS = 10_000;
const MAX_MS = 300_000;
const PEACE_MS = 600_000;

export interface Eviction {
  /** The kubelet's sentence. */
  readonly message: string;
  /** How many in a row. */
  readonly count: number;
  /** When nothing of the pod was left; null as long as it is being ended. */
  readonly endedAt: number | null;
}

/** By uid. */
export type Evictions = ReadonlyMap<string, Eviction>;

export function evictionMessage(volume: string, sizeLimit: string): string {
  return `Usage of EmptyDir volume "${volume}" exceeds the limit "${sizeLimit}".`;
}

function mayBeginAt({ endedAt, count }: Eviction): number {
  return (endedAt ?? Infinity) + Math.min(MAX_MS, FIRST_MS * 2 ** (count - 1));
}

/** True while the pod is being ended or waits. */
export function isEvicted(evictions: Evictions, uid: string, now: number): boolean {
  const eviction = evictions.get(uid);
  return eviction !== undefined && now < mayBeginAt(eviction);
}

export function noteEviction(
  evictions: Evictions,
  { uid, message }: Pick<Eviction, 'message'> & { readonly uid: string },
  now: number,
): Evictions {
  const before = evictions.get(uid);
  const isAgain = before !== undefined && now - mayBeginAt(before) < PEACE_MS;
  const count = isAgain ? before.count + 1 : 1;
  return new Map([...evictions, [uid, { message, count, endedAt: null }]]);
}

/** Notes which pods are gone, and forgets those that are not wanted or have had their peace. */
export function ageEvictions(
  evictions: Evictions,
  {
    wanted,
    present,
    now,
  }: {
    readonly wanted: ReadonlySet<string>;
    /** Uids that have something on the engine or on the disk. */
    readonly present: ReadonlySet<string>;
    readonly now: number;
  },
): Evictions {
  if (evictions.size === 0) return evictions;
  const kept = [...evictions].flatMap(([uid, eviction]): [string, Eviction][] => {
    const isBusy = present.has(uid);
    if (eviction.endedAt === null) {
      if (isBusy) return [[uid, eviction]];
      return wanted.has(uid) ? [[uid, { ...eviction, endedAt: now }]] : [];
    }
    if (!wanted.has(uid)) return [];
    // A clock that was put back holds nothing up for longer.
    const aged = { ...eviction, endedAt: Math.min(eviction.endedAt, now) };
    return now - mayBeginAt(aged) < PEACE_MS ? [[uid, aged]] : [];
  });
  return new Map(kept);
}

/** Those of these pods that only wait may begin at once. */
export function withoutWaits(evictions: Evictions, uids: ReadonlySet<string>): Evictions {
  const isWaiting = ({ endedAt }: Eviction) => endedAt !== null;
  return new Map([...evictions].filter(([uid, one]) => !(uids.has(uid) && isWaiting(one))));
}

/**
 * The wishes without the pods that are being ended for good measure; those that wait carry a rejection. What else
 * rejects a pod stays in front.
 */
export function withEvictions(desired: Desired, evictions: Evictions, now: number): Desired {
  if (evictions.size === 0) return desired;
  const pods = desired.pods.flatMap(pod => {
    const eviction = evictions.get(pod.uid);
    if (eviction === undefined || now >= mayBeginAt(eviction)) return [pod];
    if (eviction.endedAt === null) return [];
    const { message } = eviction;
    const againAt = mayBeginAt(eviction);
    const rejection = { phase: 'Failed', reason: EVICTED, message, againAt } as const;
    return [{ ...pod, rejection: pod.rejection ?? rejection }];
  });
  return { ...desired, pods };
}
