/**
 * What is acted on at the moment, what ends, and what each was made from: from one round to the next, the versions over
 * restarts of the agent too. Order of calls only.
 */
import { actingWishes, standInsOf, type WaitingVersion } from './acting-wishes.js';
import type { Completions } from './completion.js';
import type { ConfigObject } from './config-objects.js';
import { NOTHING_DESIRED, type Desired, type DesiredPod } from './desired.js';
import { EndingPods } from './ending-pods.js';
import type { Patience } from './patience.js';
import { fetchingKey } from './plan.js';
import { Versions, type VersionStore } from './versions.js';
import type { Wishes } from './wishes.js';
import type { ObservedPods } from '../runtime/runtime.js';
import type { Log } from '../../protocol/ports.js';

export interface StandingWorld {
  readonly observed: ObservedPods;
  /** False before the first look at the engine. */
  readonly isObserved: boolean;
  /** Uids with a sandbox or container on the engine. */
  readonly running: ReadonlySet<string>;
  readonly completions: Completions;
  /** True while a step for this uid may be under way. */
  readonly isBusyWith: (uid: string) => boolean;
  readonly now: number;
}

export class Standing {
  readonly ending = new EndingPods();
  readonly #versions: Versions;
  readonly #patience: Patience;
  #acting: Desired = NOTHING_DESIRED;
  #waiting: readonly WaitingVersion[] = [];
  #objects: ReadonlySet<ConfigObject> = new Set();

  constructor(parts: {
    readonly store: VersionStore | undefined;
    readonly patience: Patience;
    readonly log: Log;
  }) {
    this.#versions = new Versions(parts.store ?? null, parts.log);
    this.#patience = parts.patience;
  }

  /** One pod per name. */
  get acting(): Desired {
    return this.#acting;
  }

  /** New versions that something acted on stands in for. */
  get waiting(): readonly WaitingVersion[] {
    return this.#waiting;
  }

  /** By uid: what pods were made from. */
  get versions(): ReadonlyMap<string, DesiredPod> {
    return this.#versions.all;
  }

  /** By key: what goes on in the place of what is wanted. */
  get standIns(): ReadonlyMap<string, DesiredPod> {
    return standInsOf(this.#acting);
  }

  /** By key of the plans: what workers are to lead to. */
  get aims(): ReadonlyMap<string, DesiredPod> {
    const acting = this.#acting.pods.map((pod): [string, DesiredPod] => [pod.key, pod]);
    const fetched = this.#waiting.map(({ pod }): [string, DesiredPod] => [fetchingKey(pod), pod]);
    return new Map([...acting, ...fetched]);
  }

  /** Call it after each merge. */
  look(wishes: Wishes, world: StandingWorld): void {
    const { observed, isObserved, running, completions, isBusyWith, now } = world;
    const desired = wishes.now;
    const { condemned } = this.ending;
    if (desired.objects.some(one => !this.#objects.has(one))) this.#patience.retryConfig();
    this.#objects = new Set(desired.objects);
    const { memory } = this.#patience;
    const { all: versions, ran } = this.#versions;
    const input = { desired, versions: ran, observed, condemned, memory, completions };
    const found = actingWishes(input);
    this.#acting = wishes.withoutEvicted(found.desired);
    this.#waiting = found.waiting;
    this.#patience.keepFetched(found.changing);
    const { pods } = this.#acting;
    const kept = new Set([...desired.pods, ...pods].map(({ uid }) => uid));
    this.#versions.note({ acting: pods, kept, observed, isObserved, isBusyWith });
    this.ending.note({ complete: desired.complete, kept, versions, observed, running, now });
  }
}
