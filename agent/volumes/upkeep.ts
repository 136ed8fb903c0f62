/**
 * What volumes need while their pods run: files that follow labels, ConfigMaps, Secrets and the connection (kubelet behaviour row 135,
 * within seconds), and emptyDirs held to their sizeLimit (row 134, pain P22). Order of calls only.
 */
import {
  ageEvictions,
  EVICTED,
  evictionMessage,
  isEvicted,
  noteEviction,
  withEvictions,
  withoutWaits,
  type Evictions,
} from './evictions.js';
import type { EvictionMemory } from './eviction-memory.js';
import type { PodVolumes } from './volumes.js';
import type { CompletionBook } from '../pods/completion-book.js';
import type { Desired, DesiredPod } from '../pods/desired.js';
import { mountFailed, rejected, type PodEvent } from '../pods/pod-events.js';
import { podIdentity } from '../pods/pod-spec.js';
import type { NodeCapacity } from '../pods/field-values.js';
import type { PodIdentity } from '../runtime/runtime.js';
import { parseQuantityWhole } from '../../protocol/quantity.js';
import type { Clock, Log } from '../../protocol/ports.js';

export interface UpkeepOptions {
  readonly volumes: PodVolumes;
  /** Who waits for its turn after an eviction. */
  readonly evictions: EvictionMemory;
  /** Who is not to begin again, has ended for good: it stays Failed over restarts of the agent (P17). */
  readonly completions: Pick<CompletionBook, 'fail'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tell: (pod: PodIdentity, event: PodEvent) => void;
  /** A pod is to be ended: look again. */
  readonly onChange: () => void;
}

/** Between two measurements of all limited volumes; longer when measuring takes long. */
const MEASURE_EVERY_MS = 10_000;
const MEASURE_EVERY_MAX_MS = 600_000;
/** At most this part of the time is spent measuring. */
const MEASURE_SHARE = 200;

function hasLimit({ pod }: DesiredPod): boolean {
  return (pod.spec.volumes ?? []).some(
    ({ emptyDir }) =>
      emptyDir !== undefined &&
      (emptyDir.medium ?? '') === '' &&
      parseQuantityWhole(emptyDir.sizeLimit ?? '0') > 0,
  );
}

export class VolumeUpkeep {
  readonly #options: UpkeepOptions;
  readonly #ending = new AbortController();
  #evictions: Evictions;
  /** By uid: what the last refresh said; empty when all went well. */
  readonly #problems = new Map<string, string>();
  /** Those whose volumes are set up. */
  #living: readonly DesiredPod[] = [];
  #node: NodeCapacity | null = null;
  #refreshing: Promise<void> | null = null;
  /** A look came after the refresh began that goes on now. */
  #isStale = false;
  #measuring: Promise<void> | null = null;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#evictions = options.evictions.before;
  }

  /**
   * Call it after each merge. `present`: uids with something on the engine or on the disk; null = nobody has looked yet.
   * `standIns`: uids of what goes on in the place of what is wanted.
   */
  judge(
    desired: Desired,
    present: ReadonlySet<string> | null,
    standIns: ReadonlySet<string> = new Set(),
  ): Desired {
    const now = this.#options.clock.now();
    if (present !== null) {
      // What a source that has not spoken yet may still want is not forgotten.
      const kept = desired.complete ? [] : [...this.#evictions.keys()];
      const wanted = new Set([...desired.pods.map(({ uid }) => uid), ...standIns, ...kept]);
      this.#note(ageEvictions(this.#evictions, { wanted, present, now }));
    }
    return withEvictions(desired, this.#evictions, now);
  }

  /** Without those that are being ended; what runs in the place of another waits for nothing. */
  withoutEvicted(desired: Desired): Desired {
    const isEnding = ({ uid }: DesiredPod) => this.#evictions.get(uid)?.endedAt === null;
    if (!desired.pods.some(isEnding)) return desired;
    return { ...desired, pods: desired.pods.filter(pod => !isEnding(pod)) };
  }

  /** What of these pods only waits may begin at once. */
  retry(pods: readonly DesiredPod[]): void {
    this.#note(withoutWaits(this.#evictions, new Set(pods.map(({ uid }) => uid))));
  }

  #note(evictions: Evictions): void {
    this.#evictions = evictions;
    this.#options.evictions.save(evictions);
  }

  /** Starts what is to be done for these pods and returns at once. */
  look(desired: Desired, prepared: ReadonlySet<string>, node: NodeCapacity): void {
    this.#living = desired.pods.filter(({ uid }) => prepared.has(uid));
    this.#node = node;
    this.freshen();
    if (this.#measuring !== null || !this.#living.some(hasLimit)) return;
    this.#measuring = this.#measure().finally(() => (this.#measuring = null));
  }

  /** Something changed that no look brings: the files of those that were looked at last are brought up to date. Returns at once. */
  freshen(): void {
    if (this.#node === null) return;
    this.#isStale = true;
    this.#refreshing ??= this.#keepFresh(this.#node);
  }

  /** What was found stale is brought up to date before. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all([this.#refreshing, this.#measuring]);
  }

  /** What is wanted may become another while a refresh goes on: it is done again then, and not with the next look. */
  async #keepFresh(node: NodeCapacity): Promise<void> {
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await this.#refresh(node);
      }
    } finally {
      this.#refreshing = null;
    }
  }

  async #refresh(node: NodeCapacity): Promise<void> {
    const { volumes, tell } = this.#options;
    for (const pod of this.#living) {
      let message = '';
      try {
        await volumes.refresh(pod, node);
      } catch (error) {
        message = error instanceof Error ? error.message : String(error);
      }
      if (message === (this.#problems.get(pod.uid) ?? '')) continue;
      this.#problems.set(pod.uid, message);
      if (message !== '') tell(podIdentity(pod), mountFailed(message));
    }
    const living = new Set(this.#living.map(({ uid }) => uid));
    for (const uid of this.#problems.keys()) if (!living.has(uid)) this.#problems.delete(uid);
  }

  async #measure(): Promise<void> {
    const { clock, onChange } = this.#options;
    while (!this.#ending.signal.aborted && this.#living.some(hasLimit)) {
      const from = clock.monotonic();
      let isOver = false;
      for (const pod of this.#living.filter(hasLimit)) isOver = (await this.#check(pod)) || isOver;
      if (isOver) onChange();
      const took = clock.monotonic() - from;
      const pause = Math.max(MEASURE_EVERY_MS, took * MEASURE_SHARE);
      await clock.sleep(Math.min(MEASURE_EVERY_MAX_MS, pause), this.#ending.signal);
    }
  }

  /** True when the pod is to be ended. */
  async #check(pod: DesiredPod): Promise<boolean> {
    const { volumes, completions, clock, log, tell } = this.#options;
    const { uid } = pod;
    const [overrun] = await volumes.overruns(pod);
    const now = clock.now();
    if (overrun === undefined || isEvicted(this.#evictions, uid, now)) return false;
    const message = evictionMessage(overrun.volume, overrun.sizeLimit);
    if (pod.pod.spec.restartPolicy === 'Never') {
      const why = { reason: EVICTED, message };
      if (!completions.fail(pod, why, now)) return false;
      tell(podIdentity(pod), rejected(why));
    } else this.#note(noteEviction(this.#evictions, { uid, message }, now));
    log.warn('a pod is evicted', { uid, volume: overrun.volume, usedBytes: overrun.usedBytes });
    return true;
  }
}
