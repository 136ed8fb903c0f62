/**
 * Remembers which pods end and since when, and what of them has begun to end, so that it ends fully although its manifest
 * came back (kubelet behaviour row 67). Decides nothing.
 */
import type { DesiredPod } from './desired.js';
import type { EndingPod } from './pod-reports.js';
import type { EngineId, ObservedPods } from '../runtime/runtime.js';

export interface EndingInput {
  /** Every source has spoken. */
  readonly complete: boolean;
  /** Uids that are wanted, or go on in the place of what is. */
  readonly kept: ReadonlySet<string>;
  /** By uid: what pods were made from. */
  readonly versions: ReadonlyMap<string, DesiredPod>;
  readonly observed: ObservedPods;
  /** Uids with a sandbox or container on the engine. */
  readonly running: ReadonlySet<string>;
  readonly now: number;
}

export class EndingPods {
  #ending: ReadonlyMap<string, EndingPod> = new Map();
  readonly #condemned = new Set<EngineId>();
  /** Of the round before, by uid: its sources have spoken of it. */
  #wasKept: ReadonlySet<string> = new Set();

  /** By uid: those on the engine that no source wants and that do not go on either. */
  get byUid(): ReadonlyMap<string, EndingPod> {
    return this.#ending;
  }

  /** Of those that are known. */
  manifests(): DesiredPod[] {
    return [...this.#ending.values()].flatMap(({ desired }) => desired ?? []);
  }

  /** Engine ids of what has begun to end for good and is still there. */
  get condemned(): ReadonlySet<EngineId> {
    return this.#condemned;
  }

  condemn(uid: string, { sandboxes, containers }: ObservedPods): void {
    for (const { pod, id } of [...sandboxes, ...containers]) {
      if (pod.uid === uid) this.#condemned.add(id);
    }
  }

  note({ complete, kept, versions, observed, running, now }: EndingInput): void {
    const isEnding = (uid: string) => !kept.has(uid) && (complete || this.#wasKept.has(uid));
    const ending = [...running].filter(isEnding).map((uid): [string, EndingPod] => {
      const since = this.#ending.get(uid)?.since ?? now;
      return [uid, { desired: versions.get(uid) ?? null, since }];
    });
    this.#ending = new Map(ending);
    this.#wasKept = new Set([...kept, ...this.#ending.keys()]);
    const there = new Set([...observed.sandboxes, ...observed.containers].map(({ id }) => id));
    for (const id of this.#condemned) if (!there.has(id)) this.#condemned.delete(id);
  }
}
