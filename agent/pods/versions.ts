/**
 * What the pods on the engine were made from: the version of each that took effect last, kept until it is gone and, where
 * there is a store, over restarts of the agent. So what runs on while an edit is held is looked after as before, and
 * what ends is shown whole (kubelet behaviour row 71 done better).
 *
 * One write for each version that takes effect and one when its pod is gone. A disk that refuses holds nothing up.
 */
import { NO_CONFIG_OBJECTS } from './config-objects.js';
import { CONFIG_HASH, type DesiredPod } from './desired.js';
import { isAlive, type Instances } from './plan-views.js';
import { instancesOf } from './pod-reports.js';
import type { ObservedPods } from '../runtime/runtime.js';
import type { Log } from '../../protocol/ports.js';

/** By uid, in words of `encodeVersion`; a call returns after it is durable. */
export interface VersionStore {
  all(): ReadonlyMap<string, string>;
  remember(uid: string, version: string): void;
  forget(uids: readonly string[]): void;
}

export interface VersionsWorld {
  /** What is acted on. */
  readonly acting: readonly DesiredPod[];
  /** Uids that are wanted, or run on in the place of what is. */
  readonly kept: ReadonlySet<string>;
  readonly observed: ObservedPods;
  /** False before the first look at the engine. */
  readonly isObserved: boolean;
  /** True while a step for this uid may be under way. */
  readonly isBusyWith: (uid: string) => boolean;
}

/** Differs between any two that are not to be told apart by a restart of the agent. */
function keyOf({ uid, source, origin, manifestDigest, pod, ...hashes }: DesiredPod): string {
  const { sandboxHash, containerHashes } = hashes;
  const configHash = pod.metadata.annotations?.[CONFIG_HASH];
  const parts = [uid, source, origin, manifestDigest, configHash, sandboxHash];
  return JSON.stringify([...parts, ...containerHashes]);
}

/** One and the same manifest, as far as it makes a difference. */
export function isSameVersion(a: DesiredPod, b: DesiredPod): boolean {
  const contents = (one: DesiredPod) => keyOf({ ...one, origin: '', source: 'file' });
  return contents(a) === contents(b);
}

/** Something of it has run, and all that is alive is of this version. */
export function runsAs(
  { sandboxHash, containerHashes }: DesiredPod,
  { sandboxes, containers }: Instances,
): boolean {
  const isOwn = ({ name, hash }: { name: string; hash: string }) =>
    containerHashes.get(name) === hash;
  return (
    sandboxes.every(one => !one.ready || one.hash === sandboxHash) &&
    containers.filter(isAlive).every(isOwn) &&
    containers.some(one => one.startedAt !== null && isOwn(one))
  );
}

/** Without what only holds for the moment. */
function plain({ heldEdit: _held, refusedEdit: _refused, ...pod }: DesiredPod): DesiredPod {
  return { ...pod, rejection: null };
}

export function encodeVersion(pod: DesiredPod): string {
  const { objects: _objects, containerHashes, bindings, ...rest } = plain(pod);
  const maps = { containerHashes: [...containerHashes], bindings: [...bindings] };
  return JSON.stringify({ version: 1, ...rest, ...maps });
}

/** Null for what is not of this agent's making. */
export function decodeVersion(text: string): DesiredPod | null {
  try {
    const {
      version,
      containerHashes,
      bindings = [],
      ...rest
    } = JSON.parse(text) as Omit<DesiredPod, 'containerHashes' | 'bindings' | 'objects'> & {
      version: unknown;
      containerHashes: [string, string][];
      bindings?: [string, string[]][];
    };
    const isWhole = typeof rest.key === 'string' && Array.isArray(rest.pod.spec.containers);
    if (version !== 1 || !isWhole) return null;
    const maps = { containerHashes: new Map(containerHashes), bindings: new Map(bindings) };
    return { ...rest, ...maps, objects: NO_CONFIG_OBJECTS };
  } catch {
    return null;
  }
}

export class Versions {
  readonly #store: VersionStore | null;
  readonly #log: Log;
  readonly #known = new Map<string, DesiredPod>();
  /** Uids of those of which something has run. */
  readonly #ran = new Set<string>();
  /** By uid: the key of what is on the disk. */
  readonly #saved = new Map<string, string>();
  #isRefused = false;

  constructor(store: VersionStore | null, log: Log) {
    this.#store = store;
    this.#log = log;
    for (const [uid, text] of store?.all() ?? []) {
      const pod = decodeVersion(text);
      this.#saved.set(uid, pod === null ? '' : keyOf(pod));
      if (pod === null) continue;
      this.#known.set(uid, pod);
      this.#ran.add(uid);
    }
  }

  /** By uid. Of a pod that is just being made: what it is to become. */
  get all(): ReadonlyMap<string, DesiredPod> {
    return this.#known;
  }

  /** Of these something has run. */
  get ran(): ReadonlyMap<string, DesiredPod> {
    return new Map([...this.#known].filter(([uid]) => this.#ran.has(uid)));
  }

  /** Call it with each merge. */
  note({ acting, kept, observed, isObserved, isBusyWith }: VersionsWorld): void {
    const takenEffect: DesiredPod[] = [];
    for (const pod of acting) {
      const known = this.#known.get(pod.uid);
      const hasBegun = runsAs(pod, instancesOf(observed, pod.uid));
      if (hasBegun) {
        takenEffect.push(pod);
        this.#ran.add(pod.uid);
      }
      if (known === undefined || hasBegun || isSameVersion(known, pod)) {
        this.#known.set(pod.uid, plain(pod));
      }
    }
    // Nobody knows what is gone before the engine was looked at.
    if (isObserved) this.#dropGone(kept, observed, isBusyWith);
    this.#save(takenEffect);
  }

  #dropGone(
    kept: ReadonlySet<string>,
    { sandboxes, containers }: ObservedPods,
    isBusyWith: (uid: string) => boolean,
  ): void {
    const there = new Set([...sandboxes, ...containers].map(one => one.pod.uid));
    for (const uid of this.#known.keys()) {
      if (kept.has(uid) || there.has(uid) || isBusyWith(uid)) continue;
      this.#known.delete(uid);
      this.#ran.delete(uid);
    }
  }

  #save(takenEffect: readonly DesiredPod[]): void {
    if (this.#store === null) return;
    const gone = [...this.#saved.keys()].filter(uid => !this.#known.has(uid));
    const changed = takenEffect.filter(pod => this.#saved.get(pod.uid) !== keyOf(pod));
    try {
      for (const pod of changed) {
        this.#store.remember(pod.uid, encodeVersion(pod));
        this.#saved.set(pod.uid, keyOf(pod));
      }
      if (gone.length > 0) this.#store.forget(gone);
      for (const uid of gone) this.#saved.delete(uid);
      this.#isRefused = false;
    } catch (error) {
      if (!this.#isRefused) this.#log.error('what pods were made from cannot be saved', { error });
      this.#isRefused = true;
    }
  }
}
