/**
 * Pulls of the whole node: the same image with the same credentials once however many ask, different ones side by side up to a
 * limit (the kubelet pulls one after the other, row 124). Decides nothing about when to pull.
 */
import { podKeyrings } from './credentials.js';
import { readCredentialsFile } from './credentials-file.js';
import type { DesiredPod } from '../pods/desired.js';
import { judgePull, tooLarge, type PullLimits } from './limits.js';
import type { ImageStore, PullProgress } from '../runtime/images.js';
import type { ImageInfo } from '../runtime/runtime.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { Log } from '../../protocol/ports.js';
import {
  authsFor,
  CredentialsError,
  type Keyring,
  type RegistryAuth,
} from '../../protocol/registry-credentials.js';

/** Registries rarely feed more at once to a small device. */
export const MAX_PARALLEL_IMAGE_PULLS = 3;

export interface ImagePullsOptions {
  readonly store: Pick<ImageStore, 'pullImage'>;
  readonly log: Log;
  /** At least 1. */
  readonly maxParallel?: number;
  /** The node's own credentials, in docker config.json form. */
  readonly registryCredentials?: string;
  /** Absent: whatever the registry sends. */
  readonly limits?: PullLimits;
  /** What `progress` gives became another. */
  readonly onProgress?: () => void;
  /** So many more bytes of layers came. */
  readonly onBytes?: (bytes: number) => void;
}

/** How far a pull is, in steps, so that each is worth telling. */
export interface PullState {
  /** Null: nobody knows how much there is. */
  readonly percent: number | null;
  /** To pull as a whole where that is known, else what came so far. */
  readonly bytes: number;
}

const PERCENT_STEP = 5;
const BYTES_STEP = 16 * 1024 * 1024;

/** `wholeBytes`: as the registry said before. The engine knows of a layer once its download begins. */
export function pullState({ doneBytes }: PullProgress, wholeBytes: number | null): PullState {
  if (wholeBytes === null || wholeBytes === 0) {
    return { percent: null, bytes: Math.floor(doneBytes / BYTES_STEP) * BYTES_STEP };
  }
  const percent = Math.min(100, (doneBytes / wholeBytes) * 100);
  return { percent: Math.floor(percent / PERCENT_STEP) * PERCENT_STEP, bytes: wholeBytes };
}

export interface PullCredentials {
  readonly auth: readonly RegistryAuth[];
  /** Pull secrets that the pod names and that cannot be had. */
  readonly missing: readonly string[];
}

export interface ImagePulls {
  /** Those of the pod's pull secrets, then those of the node. Never throws: what cannot be had is logged. */
  credentials(image: string, pod: Pick<DesiredPod, 'pod' | 'objects'>): Promise<PullCredentials>;
  /** As `ImageStore.pullImage`. The pull itself ends early only when nobody waits for it any more. */
  pull(image: string, auth: readonly RegistryAuth[], signal: AbortSignal): Promise<ImageInfo>;
  /** Of a pull of this reference; null: none is under way, or nothing came yet. */
  progress(image: string): PullState | null;
}

interface SharedPull {
  readonly image: string;
  state: PullState | null;
  readonly result: Promise<ImageInfo>;
  readonly giveUp: AbortController;
  waiters: number;
}

class NodeImagePulls implements ImagePulls {
  readonly #options: ImagePullsOptions;
  readonly #underWay = new Map<string, SharedPull>();
  readonly #waiting: (() => void)[] = [];
  /** Stopped for their size: of those nobody says it beforehand. */
  readonly #tooLarge = new Set<string>();
  #running = 0;
  #said = '';

  constructor(options: ImagePullsOptions) {
    this.#options = options;
  }

  async credentials(
    image: string,
    { pod, objects }: Pick<DesiredPod, 'pod' | 'objects'>,
  ): Promise<PullCredentials> {
    const names = (pod.spec.imagePullSecrets ?? []).flatMap(({ name = '' }) => name || []);
    const ofPod = podKeyrings(names, pod.metadata.namespace ?? '', objects);
    for (const error of ofPod.errors)
      this.#options.log.warn('a pull secret is not used', { error });
    const ofNode = await this.#ofNode();
    return { auth: authsFor(image, [...ofPod.keyrings, ...ofNode]), missing: ofPod.missing };
  }

  async pull(
    image: string,
    auth: readonly RegistryAuth[],
    signal: AbortSignal,
  ): Promise<ImageInfo> {
    signal.throwIfAborted();
    const key = `${image} ${sha256Hex(JSON.stringify(auth))}`;
    const shared = this.#underWay.get(key) ?? this.#begin(key, image, auth);
    shared.waiters++;
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_done, fail) => {
      leave = () => fail(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([shared.result, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      shared.waiters--;
      if (shared.waiters === 0) {
        // Whoever comes now begins anew; an answer that is there already is not disturbed by this.
        if (this.#underWay.get(key) === shared) this.#underWay.delete(key);
        shared.giveUp.abort();
      }
    }
  }

  #begin(key: string, image: string, auth: readonly RegistryAuth[]): SharedPull {
    const giveUp = new AbortController();
    const note = (state: PullState) => {
      const { percent, bytes } = shared.state ?? { percent: -1, bytes: -1 };
      if (state.percent === percent && state.bytes === bytes) return;
      shared.state = state;
      this.#options.onProgress?.();
    };
    const result = this.#inTurn(() => this.#pullOnce(image, { auth, giveUp, note }));
    // Nobody may be left to hear of it.
    result.catch(() => undefined);
    const shared: SharedPull = { image, state: null, result, giveUp, waiters: 0 };
    this.#underWay.set(key, shared);
    return shared;
  }

  async #pullOnce(
    image: string,
    of: {
      readonly auth: readonly RegistryAuth[];
      readonly giveUp: AbortController;
      readonly note: (state: PullState) => void;
    },
  ): Promise<ImageInfo> {
    const { store, limits } = this.#options;
    const { auth, giveUp, note } = of;
    const { signal } = giveUp;
    const maxBytes = limits?.maxBytes ?? null;
    const whole = limits === undefined ? null : await judgePull(limits, { image, auth, signal });
    // Else what was stopped would be fetched up to that point again and again.
    if (whole === null && maxBytes !== null && this.#tooLarge.has(image)) {
      throw tooLarge(maxBytes, null);
    }
    let came = 0;
    const onProgress = (progress: PullProgress) => {
      this.#options.onBytes?.(Math.max(0, progress.doneBytes - came));
      came = Math.max(came, progress.doneBytes);
      note(pullState(progress, whole));
      if (maxBytes === null || Math.max(progress.doneBytes, progress.knownBytes) <= maxBytes)
        return;
      this.#tooLarge.add(image);
      giveUp.abort(tooLarge(maxBytes, null));
    };
    const info = await store.pullImage(image, { auth, signal, onProgress });
    // An engine that says nothing of its progress: then what the registry said counts.
    if (came === 0) this.#options.onBytes?.(whole ?? 0);
    return info;
  }

  progress(image: string): PullState | null {
    const pulls = [...this.#underWay.values()].filter(one => one.image === image);
    return pulls.find(({ state }) => state !== null)?.state ?? null;
  }

  async #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const max = Math.max(1, this.#options.maxParallel ?? MAX_PARALLEL_IMAGE_PULLS);
    if (this.#running >= max) await new Promise<void>(go => this.#waiting.push(go));
    else this.#running++;
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      // The place passes to the next one.
      if (next) next();
      else this.#running--;
    }
  }

  async #ofNode(): Promise<readonly Keyring[]> {
    const { registryCredentials, log } = this.#options;
    if (registryCredentials === undefined) return [];
    try {
      const keyring = await readCredentialsFile(registryCredentials);
      this.#said = '';
      return [keyring];
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      if (this.#said !== error.message) log.warn('pulling without credentials', { error });
      this.#said = error.message;
      return [];
    }
  }
}

export function openImagePulls(options: ImagePullsOptions): ImagePulls {
  return new NodeImagePulls(options);
}
