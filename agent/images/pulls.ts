/**
 * Pulls of the whole node: the same image with the same credentials once however many ask, different ones side by side up to a
 * limit (the kubelet pulls one after the other, row 124). Decides nothing about when to pull.
 */
import { podKeyrings } from './credentials.js';
import { readCredentialsFile } from './credentials-file.js';
import type { DesiredPod } from '../pods/desired.js';
import type { ImageStore } from '../runtime/images.js';
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
}

interface SharedPull {
  readonly result: Promise<ImageInfo>;
  readonly giveUp: AbortController;
  waiters: number;
}

class NodeImagePulls implements ImagePulls {
  readonly #options: ImagePullsOptions;
  readonly #underWay = new Map<string, SharedPull>();
  readonly #waiting: (() => void)[] = [];
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
    const result = this.#inTurn(() =>
      this.#options.store.pullImage(image, { auth, signal: giveUp.signal }),
    );
    // Nobody may be left to hear of it.
    result.catch(() => undefined);
    const shared = { result, giveUp, waiters: 0 };
    this.#underWay.set(key, shared);
    return shared;
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
