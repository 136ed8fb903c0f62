/**
 * What is wanted now: the sources merged, then judged by admission, then told to whoever hears events. Keeps the wishes of
 * the moment; order of calls only.
 */
import { mergeSources, NOTHING_DESIRED, type Desired, type DesiredPod } from './desired.js';
import type { CompletionBook } from './completion-book.js';
import type { Completions } from './completion.js';
import type { EventTeller } from './event-teller.js';
import { openObjectMemory, type ObjectMemory } from './object-memory.js';
import type { PodsOptions } from './pods.js';
import type { NodeFacts } from './pod-spec.js';
import type { PodReport } from '../ports.js';
import type { ObservedPods } from '../runtime/runtime.js';
import { withHostFiles } from './restart-on-change.js';
import { openEvictionMemory } from '../volumes/eviction-memory.js';
import { HostFiles } from '../volumes/host-files.js';
import { VolumeUpkeep } from '../volumes/upkeep.js';
import type { PodVolumes } from '../volumes/volumes.js';
import { watchedVolumes } from '../../protocol/pod-restart-on-change.js';

export interface WishesWorld {
  readonly observed: ObservedPods;
  /** False before the first look at the engine. */
  readonly isObserved: boolean;
  /** Of the round before. */
  readonly reports: readonly PodReport[];
  readonly node: NodeFacts;
  /** Has the last word on whether a pod may begin. */
  readonly refuse?: (pod: DesiredPod) => DesiredPod;
  /** Uids of what goes on in the place of what is wanted. */
  readonly standIns: ReadonlySet<string>;
  /** Uids with a directory on this node. */
  readonly podData: ReadonlySet<string>;
  readonly completions: Completions;
}

export interface WishesTools {
  readonly events: EventTeller;
  readonly volumes: PodVolumes;
  readonly completions: Pick<CompletionBook, 'fail'>;
  /** The wishes changed by themselves: merge again. */
  readonly onChange: () => void;
}

/** Uids that have something on the engine. */
export function uidsOf({ sandboxes, containers }: ObservedPods): ReadonlySet<string> {
  return new Set([...sandboxes, ...containers].map(one => one.pod.uid));
}

/** By uid: the hashes of its newest containers by name. */
function madeOf({ containers }: ObservedPods): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const made = new Map<string, Map<string, string>>();
  const oldestFirst = containers.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
  for (const { pod, name, hash } of oldestFirst) {
    const hashes = made.get(pod.uid) ?? new Map<string, string>();
    made.set(pod.uid, hashes.set(name, hash));
  }
  return made;
}

export class Wishes {
  readonly #options: PodsOptions;
  readonly #events: EventTeller;
  readonly #upkeep: VolumeUpkeep;
  readonly #hostFiles: HostFiles;
  #merged: Desired = NOTHING_DESIRED;
  #now: Desired = NOTHING_DESIRED;
  readonly #objects: ObjectMemory;
  #conflicts: ReadonlySet<string> = new Set();
  #wasBlind = true;
  readonly #unsubscribe: () => void;

  constructor(options: PodsOptions, { events, volumes, completions, onChange }: WishesTools) {
    this.#options = options;
    this.#events = events;
    const { clock, log } = options;
    const tell: EventTeller['tell'] = (pod, event) => events.tell(pod, event);
    const evictions = openEvictionMemory(options.dataDir, log);
    this.#objects = openObjectMemory(options.dataDir, log);
    this.#hostFiles = new HostFiles({ clock, log, onChange });
    const keeping = { evictions, completions };
    this.#upkeep = new VolumeUpkeep({ volumes, ...keeping, clock, log, tell, onChange });
    this.#unsubscribe = options.onFilesChange?.(() => this.#upkeep.freshen()) ?? (() => undefined);
  }

  get now(): Desired {
    return this.#now;
  }

  /** Before the first merge with new sources: reads the files that pods are restarted for. */
  followHostFiles(): Promise<void> {
    const pods = this.#options.sources.flatMap(source => source.snapshot().pods);
    const watched = pods.flatMap(({ manifest }) => watchedVolumes(manifest));
    return this.#hostFiles.follow(watched.map(({ path }) => path));
  }

  /** Asks the sources again. */
  merge(world: WishesWorld): Desired {
    const { observed, isObserved, reports, node, podData, completions, standIns, refuse } = world;
    const { sources, clock, admission } = this.#options;
    const now = clock.now();
    const running = uidsOf(observed);
    this.#merged = mergeSources({
      snapshots: sources.map(source => source.snapshot()),
      previous: this.#merged,
      running,
      made: madeOf(observed),
      wasBlind: this.#wasBlind,
      remembered: this.#objects.before,
      nodeName: node.name,
      now,
    });
    this.#noteObjects(this.#merged);
    const wanted = withHostFiles(this.#merged, this.#hostFiles.digests);
    this.#wasBlind = !isObserved;
    // Before the first look at the engine nobody knows which pods have begun.
    const engine = node.features;
    const admitted =
      admission === undefined || engine === null
        ? wanted
        : admission.admit(wanted, { reports, observed, completions, engine, now });
    const present = isObserved ? new Set([...running, ...podData]) : null;
    const judged = this.#upkeep.judge(admitted, present, standIns);
    this.#now = refuse === undefined ? judged : { ...judged, pods: judged.pods.map(refuse) };
    if (isObserved) this.#events.tallies.notePresent(this.#now, running);
    return this.#now;
  }

  /** Call it after each merge: looks after the volumes of what is acted on, and tells what stands. */
  lookAfter(acting: Desired, { podData, node }: Pick<WishesWorld, 'podData' | 'node'>): void {
    if (node.features !== null) this.#upkeep.look(acting, podData, node);
    this.#events.tellStanding(this.#now, acting.pods);
  }

  /** Without those that are being ended for what they used. */
  withoutEvicted(acting: Desired): Desired {
    return this.#upkeep.withoutEvicted(acting);
  }

  /** A source that has not spoken yet may still have the other one. */
  #noteObjects({ complete, objectChoices, conditions }: Desired): void {
    const told = this.#conflicts;
    const conflicts = conditions.filter(({ type }) => type === 'ObjectConflict');
    this.#conflicts = new Set(conflicts.map(({ message }) => message));
    for (const detail of this.#conflicts) {
      if (!told.has(detail)) this.#options.log.warn('two documents of one name', { detail });
    }
    if (complete) this.#objects.save(objectChoices);
  }

  /** What of these pods waits because of what they did may begin at once. */
  retry(pods: Desired['pods']): void {
    this.#upkeep.retry(pods);
  }

  /** Ends what goes on beside the wishes. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.#upkeep.close(), this.#hostFiles.close()]);
  }

  /** Those of this `namespace/name`, with or without the node's suffix; all for null. */
  named(key: string | null): Desired['pods'] {
    const suffix = `-${this.#options.node.name.toLowerCase()}`;
    return this.#now.pods.filter(
      pod => key === null || pod.key === key || pod.key === `${key}${suffix}`,
    );
  }
}
