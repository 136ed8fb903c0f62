/**
 * What is wanted now: the sources merged, then judged by admission, then told to whoever hears events. Keeps the wishes of
 * the moment; order of calls only.
 */
import type { Completions } from './completion.js';
import { mergeSources, NOTHING_DESIRED, type Desired } from './desired.js';
import type { EventTeller } from './event-teller.js';
import type { PodsOptions } from './pods.js';
import type { NodeFacts } from './pod-spec.js';
import type { PodReport } from '../ports.js';
import type { ObservedPods } from '../runtime/runtime.js';

export interface WishesWorld {
  readonly observed: ObservedPods;
  /** Of the round before. */
  readonly reports: readonly PodReport[];
  readonly node: NodeFacts;
  readonly completions: Completions;
}

/** Uids that have something on the engine. */
export function uidsOf({ sandboxes, containers }: ObservedPods): ReadonlySet<string> {
  return new Set([...sandboxes, ...containers].map(one => one.pod.uid));
}

export class Wishes {
  readonly #options: PodsOptions;
  readonly #events: EventTeller;
  #now: Desired = NOTHING_DESIRED;

  constructor(options: PodsOptions, events: EventTeller) {
    this.#options = options;
    this.#events = events;
  }

  get now(): Desired {
    return this.#now;
  }

  /** Asks the sources again. */
  merge({ observed, reports, node, completions }: WishesWorld): Desired {
    const { sources, clock, admission } = this.#options;
    const now = clock.now();
    const merged = mergeSources({
      snapshots: sources.map(source => source.snapshot()),
      previous: this.#now,
      running: uidsOf(observed),
      nodeName: node.name,
      now,
    });
    // Before the first look at the engine nobody knows which pods have begun.
    const engine = node.features;
    this.#now =
      admission === undefined || engine === null
        ? merged
        : admission.admit(merged, { reports, observed, completions, engine, now });
    this.#events.tellStanding(this.#now);
    return this.#now;
  }

  /** Those of this `namespace/name`, with or without the node's suffix; all for null. */
  named(key: string | null): Desired['pods'] {
    const suffix = `-${this.#options.node.name.toLowerCase()}`;
    return this.#now.pods.filter(
      pod => key === null || pod.key === key || pod.key === `${key}${suffix}`,
    );
  }
}
