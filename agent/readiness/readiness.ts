/**
 * Looks whether this node could start alone (no network, a clock at 1970, no hub), and whether it could take each bundle back: when
 * something changed that matters, and every five minutes; the engine is asked for the images, and for nothing while nothing changes.
 * Writes nothing. What is found is a condition of the node, and what a rollout may require (`activation/`, `intake/stage.ts`).
 */
import type { Clock, Log } from '../../protocol/ports.js';
import { Alarm } from '../intake/alarm.js';
import { bundleKey } from '../intake/decide.js';
import { previousDigest } from '../journal/previous.js';
import type { BundleName, SourceCondition } from '../ports.js';
import { RuntimeError } from '../runtime/runtime.js';
import {
  aloneCondition,
  isOver,
  isUnknown,
  undoCondition,
  type Fault,
  type Unknown,
} from './faults.js';
import { Gather, type Found, type GatherParts } from './gather.js';

const LOOK_MS = 300_000;
/** While something is missing. */
const LOOK_AGAIN_MS = 60_000;
/** What changes together is looked at once. */
const GATHER_MS = 500;

export interface ReadinessParts extends GatherParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: () => void;
}

const NOT_YET: Unknown = {
  unknown: { reason: 'NotLookedYet', message: 'it is being looked at' },
};
export class Readiness {
  readonly #parts: ReadinessParts;
  readonly #gather: Gather;
  readonly #alarm: Alarm;
  #found: Found = { alone: NOT_YET, revisions: new Map(), undo: NOT_YET, begun: null };
  #seen = '';
  #looking: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  /** Since the last look began. */
  #areImagesOther = false;
  #isClosed = false;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
    this.#gather = new Gather(parts);
    this.#alarm = new Alarm(parts.clock, () => void this.look());
    this.changed();
  }

  conditions(): SourceCondition[] {
    return [aloneCondition(this.#found.alone), undoCondition(this.#found.undo, this.#found.begun)];
  }

  /** Why the revision that lies there could not be started alone; null: it could. Of other bundles nothing counts. */
  aloneFault(bundle: BundleName, active: string): Fault | null {
    const { alone, revisions } = this.#found;
    if (isUnknown(alone)) return alone.unknown;
    const own = revisions.get(active);
    return own === undefined ? NOT_YET.unknown : (alone.node[0] ?? own[0] ?? null);
  }

  /**
   * Why the node could not come back from `next` once that is in its place; null: it could, or nothing was ever healthy here, so that
   * there is nothing to go back to.
   */
  undoFault(bundle: BundleName, next: string): Fault | null {
    const { journal } = this.#parts;
    const record = journal.bundles().find(one => bundleKey(one) === bundleKey(bundle));
    if (record === undefined) return null;
    const target = previousDigest({ ...record, active: next }, this.#gather.givenUp(bundle));
    if (target === null) return null;
    const { alone, revisions } = this.#found;
    const own = revisions.get(target);
    if (own === undefined) return isUnknown(alone) ? alone.unknown : NOT_YET.unknown;
    return own[0] ?? this.#gather.forbidden(bundle, target);
  }

  /** Something may have changed. Cheap; call it as often as you like. */
  changed(): void {
    if (this.#isClosed || this.#signature() === this.#seen) return;
    this.#alarm.setBefore(this.#parts.clock.monotonic() + GATHER_MS);
  }

  /** The engine's images changed. */
  imagesChanged(): void {
    this.#areImagesOther = true;
    if (!this.#isClosed) this.#alarm.setBefore(this.#parts.clock.monotonic() + GATHER_MS);
  }

  /** Resolves after a look that began after this call. Never rejects. */
  look(): Promise<void> {
    if (this.#looking === null) {
      const looking = this.#lookOnce().finally(() => (this.#looking = null));
      return (this.#looking = looking);
    }
    this.#next ??= this.#looking.then(() => {
      this.#next = null;
      return this.look();
    });
    return this.#next;
  }

  close(): void {
    this.#isClosed = true;
    this.#alarm.close();
  }

  async #lookOnce(): Promise<void> {
    if (this.#isClosed) return;
    const { clock, log, onChange } = this.#parts;
    const before = { told: JSON.stringify(this.#told()), conditions: this.conditions() };
    this.#seen = this.#signature();
    this.#areImagesOther = false;
    try {
      const found = await this.#gather.look();
      this.#found = found;
    } catch (error) {
      if (this.#isClosed) return;
      const known = error instanceof RuntimeError;
      if (!known) log.error('readiness could not be judged', { error });
      const { message } = error as Error;
      const reason = known ? error.code : 'InternalError';
      const unknown: Unknown = { unknown: { reason, message } };
      this.#found = { alone: unknown, revisions: new Map(), undo: unknown, begun: null };
    }
    if (this.#isClosed) return;
    const isWell = this.conditions().every(({ status }) => status === 'True');
    this.#alarm.set(clock.monotonic() + (isWell ? LOOK_MS : LOOK_AGAIN_MS));
    this.#log(before.conditions);
    if (JSON.stringify(this.#told()) !== before.told) onChange();
    // What changed while it was looked at.
    if (this.#areImagesOther) this.imagesChanged();
    this.changed();
  }

  /** Each reason once, for who reads the log at the device. */
  #log(before: readonly SourceCondition[]): void {
    for (const [index, { type, status, reason, message }] of this.conditions().entries()) {
      if (before[index]?.status === status && before[index].reason === reason) continue;
      const fields = { type, reason, message };
      if (status === 'False') this.#parts.log.warn('this node lacks something', fields);
      else if (before[index]?.status === 'False')
        this.#parts.log.info('it lacks nothing now', fields);
    }
  }

  #told() {
    return [this.conditions(), [...this.#found.revisions]];
  }

  /** What decides about the answer and is known without asking anybody. A disk that refuses to say it is looked at. */
  #signature(): string {
    try {
      return this.#plainSignature();
    } catch (error) {
      return (error as Error).message;
    }
  }

  #plainSignature(): string {
    const { journal, root, pods } = this.#parts;
    const bundles = journal
      .bundles()
      .map(({ namespace, name, active, healthy, previous, state }) => {
        return [namespace, name, active, healthy, previous, state === 'removing'];
      });
    const reports = (pods() ?? []).map(({ pod: { metadata, status } }) => {
      return [metadata?.uid, isOver(status?.phase)];
    });
    return JSON.stringify([bundles, reports, root().version, journal.accepted()?.digest]);
  }
}
