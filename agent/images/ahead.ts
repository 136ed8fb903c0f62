/**
 * Images of a revision that is still being staged: looked up and pulled before anything is touched, so that neither a registry
 * that does not answer nor a full disk takes from the node what it has. Asks again by itself; says so when something changed.
 */
import { objectsFor, type ConfigObject } from '../pods/config-objects.js';
import type { BundleName } from '../ports.js';
import type { ImageStore } from '../runtime/images.js';
import { RuntimeError } from '../runtime/runtime.js';
import { boundReference, type ImageBindings } from '../../protocol/image-binding.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { ValidPod } from '../../protocol/pod.js';
import { findBoundImage, pullBoundImage } from './bound-image.js';
import { mib, RESERVE_BYTES } from './limits.js';
import { neededImages, type NeededImage } from './needed.js';
import type { ImagePulls, PullState } from './pulls.js';

const RETRY_MS = 10_000;
const RETRY_MAX_MS = 300_000;
/** What was seen so lately is still there: a person, or another program, removes images at any time. */
const FRESH_MS = 30_000;
/** An engine may take long to answer: what was asked before a switch counts for the switch. */
const ASKED_MS = 600_000;

export interface ImagesAheadOptions {
  readonly store: Pick<ImageStore, 'imageStatus' | 'imageFilesystem'>;
  readonly pulls: ImagePulls;
  /** Sealed Secrets; those of pull credentials are among them. */
  readonly objects: () => readonly ConfigObject[];
  readonly clock: Clock;
  readonly log: Log;
  /** Something is there, or cannot be had. */
  readonly onChange: () => void;
}

export interface ImageHold {
  /** Empty: nothing is known yet, and soon will be. */
  readonly reason: string;
  readonly message: string;
}

/** A revision whose images are awaited. */
export interface AwaitedRevision {
  readonly bundle: BundleName;
  readonly digest: string;
  readonly pods: readonly ValidPod[];
  readonly bindings: ImageBindings;
  /** It ran here before, and is to run again: what is here is enough, whatever a registry has by now. */
  readonly isReturn?: boolean;
}

/** What is staged next, and what is gone back to, of one bundle: neither disturbs the other. */
function slotOf({ namespace, name }: BundleName, isReturn: boolean): string {
  return `${namespace}/${name}${isReturn ? ' back' : ''}`;
}

interface AwaitedImage {
  readonly is: 'awaited' | 'there' | 'failed';
  readonly why: ImageHold;
  /** Monotonic time, milliseconds. */
  readonly at: number;
  /** As whom it is being pulled. */
  readonly pulling?: string;
}

interface Awaited {
  readonly digest: string;
  readonly end: AbortController;
  readonly images: Map<string, AwaitedImage>;
  /** Since when what `confirm` asks is on its way, monotonic; null: nothing is, or it was taken. */
  askedAt: number | null;
}

export class ImagesAhead {
  readonly #options: ImagesAheadOptions;
  readonly #awaited = new Map<string, Awaited>();
  #wake = new AbortController();

  constructor(options: ImagesAheadOptions) {
    this.#options = options;
  }

  /** Null: all of them are there. Begins to get what is not; calling it again begins nothing twice. */
  hold(revision: AwaitedRevision): ImageHold | null {
    const { bundle, digest, isReturn = false } = revision;
    const key = slotOf(bundle, isReturn);
    let awaited = this.#awaited.get(key);
    if (awaited?.digest !== digest) {
      this.#end(key);
      awaited = { digest, end: new AbortController(), images: new Map(), askedAt: null };
      this.#awaited.set(key, awaited);
      for (const needed of neededImages(revision)) void this.#get(needed, revision, awaited);
    }
    return holdOf(awaited);
  }

  /**
   * Before anything is touched, for what `hold` has let pass: whether all of it was seen just now. False: it is looked up again, `onChange`
   * follows, and `hold` knows what became of it. Nobody asked for it: true.
   */
  confirm(revision: AwaitedRevision): boolean {
    const awaited = this.#awaited.get(slotOf(revision.bundle, false));
    if (awaited?.digest !== revision.digest) return true;
    const now = this.#options.clock.monotonic();
    const isAsked = awaited.askedAt !== null && now - awaited.askedAt < ASKED_MS;
    awaited.askedAt = null;
    if (isAsked) return true;
    const oldest = now - FRESH_MS;
    const stale = neededImages(revision).filter(
      ({ key }) => (awaited.images.get(key)?.at ?? 0) < oldest,
    );
    // It was pulled when it was staged: what is here is enough.
    for (const needed of stale) void this.#get(needed, { ...revision, isReturn: true }, awaited);
    if (stale.length > 0) awaited.askedAt = now;
    return stale.length === 0;
  }

  /** As `hold` of what is staged, with how far the pull is; null too when nobody asked for it. Begins nothing. */
  pulling(bundle: BundleName): ImageHold | null {
    const awaited = this.#awaited.get(slotOf(bundle, false));
    if (awaited === undefined) return null;
    return holdOf(awaited, name => this.#options.pulls.progress(name));
  }

  /** Nobody waits any more: what is on its way for it alone is given up. */
  drop(bundle: BundleName): void {
    this.dropReturn(bundle);
    this.#end(slotOf(bundle, false));
  }

  /** It is back, or there is nothing to go back for any more. */
  dropReturn(bundle: BundleName): void {
    this.#end(slotOf(bundle, true));
  }

  #end(slot: string): void {
    this.#awaited.get(slot)?.end.abort();
    this.#awaited.delete(slot);
  }

  /** What failed is tried again now: somebody brought an image, or asks for it. */
  lookAgain(): void {
    const before = this.#wake;
    this.#wake = new AbortController();
    before.abort();
  }

  close(): void {
    for (const { end } of this.#awaited.values()) end.abort();
    this.#awaited.clear();
  }

  async #get(needed: NeededImage, of: AwaitedRevision, awaited: Awaited): Promise<void> {
    const { clock, log, onChange } = this.#options;
    const { signal } = awaited.end;
    const { image, key } = needed;
    const say = (is: AwaitedImage['is'], reason: string, message: string, pulling?: string) =>
      awaited.images.set(key, {
        ...{ is, why: { reason, message: `image "${image}": ${message}` }, at: clock.monotonic() },
        ...(pulling === undefined ? {} : { pulling }),
      });
    say('awaited', '', 'it is looked up');
    // Whoever asked gets his answer before anything changes.
    await Promise.resolve();
    const onPull = (pulling: string) => {
      // One that failed before is said to fail until it is there: each change is a write.
      if (awaited.images.get(key)?.is === 'failed') return;
      say('awaited', 'PullingImage', 'it is being pulled', pulling);
      onChange();
    };
    for (let waitMs = RETRY_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        const short = await this.#fetch(needed, of, { signal, onPull });
        if (short === null) {
          say('there', '', '');
          return onChange();
        }
        say('failed', 'DiskPressure', short);
      } catch (error) {
        if (signal.aborted) return;
        const known = error instanceof RuntimeError;
        if (!known) log.error('an image could not be looked after', { image, error });
        say('failed', known ? error.code : 'ErrImagePull', (error as Error).message);
      }
      onChange();
      await clock.sleep(waitMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /** Null: it is there; else why nothing was pulled. Throws `RuntimeError`. */
  async #fetch(
    needed: NeededImage,
    of: AwaitedRevision,
    { signal, onPull }: { readonly signal: AbortSignal; readonly onPull: (name: string) => void },
  ): Promise<string | null> {
    const { store, pulls, objects } = this.#options;
    const { image, digests, policy, pod } = needed;
    const found =
      digests === null
        ? await store.imageStatus(image)
        : await findBoundImage(store, image, digests);
    // What is bound cannot have changed at the registry.
    const isEnough = policy !== 'Always' || digests !== null || of.isReturn === true;
    if (found !== null && isEnough) return null;
    if (policy === 'Never') {
      throw new RuntimeError('ErrImageNeverPull', 'it is not here, with pull policy of Never');
    }
    const visible = objectsFor(objects(), of.bundle);
    const { auth, missing } = await pulls.credentials(image, { pod, objects: visible });
    // A Secret that a person put beside the pods is known to the pod runner alone: it pulls then.
    if (missing.length > 0) return null;
    const { path, availableBytes } = await store.imageFilesystem();
    if (availableBytes < RESERVE_BYTES) {
      const left = `${Math.floor(availableBytes / 1024 / 1024)} MiB`;
      return `${path} has ${left} left, nothing is pulled onto it`;
    }
    onPull(digests === null ? image : boundReference(image, digests[0] ?? ''));
    if (digests === null) await pulls.pull(image, auth, signal);
    else await pullBoundImage(pulls, { image, digests }, { auth, signal });
    return null;
  }
}

function holdOf(
  { images }: Awaited,
  progress: (name: string) => PullState | null = () => null,
): ImageHold | null {
  const all = [...images.values()];
  const there = all.filter(({ is }) => is === 'there').length;
  const first = all.find(({ is }) => is === 'failed') ?? all.find(({ is }) => is !== 'there');
  if (first === undefined) return null;
  const { why, pulling } = first;
  const state = pulling === undefined ? null : progress(pulling);
  const far = state === null ? '' : `, ${progressText(state)}`;
  const message = `${why.message}${far}; ${there} of ${all.length} images are here`;
  return { reason: why.reason, message };
}

function progressText({ percent, bytes }: PullState): string {
  return percent === null ? `${mib(bytes)} so far` : `${percent} % of ${mib(bytes)}`;
}
