/**
 * Whether pods of a bundle ask not to be disturbed now (protocol/pod-update-lock.ts): asked with each pass before its files change.
 * What is waited for is bounded, by a clock that nobody sets, and ended by whoever wants the revision now. Remembers since when it waits.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { LOCKED, UPDATES_LOCKED } from '../../protocol/bundle-reasons.js';
import type { ActivateNow } from '../../protocol/documents/assignment.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { updateLockOf, type UpdateLock } from '../../protocol/pod-update-lock.js';
import { hasNameOf } from '../activation/standing.js';
import type { Journal, OwnedFile } from '../journal/journal.js';
import { overrideOf, type Override } from '../journal/overrides.js';
import type { BundleName, PodReport, SourceCondition } from '../ports.js';
import type { ReadUpdateLock } from '../volumes/update-locks.js';
import { bundleKey } from './decide.js';
import type { Passage } from './window-gate.js';

export interface LockGateParts {
  readonly readLock: ReadUpdateLock;
  /** Null until the pods of this start are known. */
  readonly pods: () => readonly PodReport[] | null;
  readonly journal: Pick<Journal, 'site' | 'record'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Pick<Log, 'info'>;
}

/** What is to change, and who may want it now. */
export interface Disturbance extends BundleName {
  /** Of the revision that comes, that goes back, or that is removed. */
  readonly digest: string;
  readonly attempt: number;
  readonly now?: ActivateNow;
  /** The way back is waited for by itself, and goes by what was said of it since the revision was given up. */
  readonly isReturn?: boolean;
  /** Pods of the bundle that run, with the files whose content goes or becomes another. */
  readonly pods: readonly { readonly pod: Pod; readonly file: OwnedFile }[];
}

/** Its pods' files are not looked at more often. */
const LOOK_MS = 5_000;
/** An answer of the node's file system is awaited. */
const ANSWER_MS = 250;
/** Nobody tells how the pods are: then no lock is known either. */
const UNKNOWN_MAX_MS = 60_000;
const NAMED = 3;

/** How long something was waited for, over windows that close and whatever else stands in the way in between. */
interface Spent {
  readonly of: string;
  readonly ms: number;
  /** Monotonic: when it was asked about last; null: not in the last pass. */
  readonly at: number | null;
}

interface Wait {
  readonly of: string;
  readonly message: string;
  /** It waited for long enough. */
  readonly isOver: boolean;
  /** Whether it is over will be known in a moment. */
  readonly isAsking?: boolean;
}

export class LockGate {
  readonly #parts: LockGateParts;
  readonly #waits = new Map<string, Wait>();
  readonly #spent = new Map<string, Spent>();
  #asked = new Set<string>();
  readonly #begunAt: number;

  constructor(parts: LockGateParts) {
    this.#parts = parts;
    this.#begunAt = parts.clock.monotonic();
  }

  /** `by`: it may although a lock is there. */
  judge(wanted: Disturbance): Passage {
    const key = waitKey(wanted, wanted.isReturn === true);
    const before = this.#waits.get(key);
    this.#waits.delete(key);
    this.#asked.add(key);
    const locks = wanted.pods.flatMap(({ pod, file }) => {
      const lock = updateLockOf(pod);
      return lock === null ? [] : [{ lock, file }];
    });
    if (locks.length === 0) return this.#free(key);
    const at = this.#parts.clock.monotonic();
    const reports = this.#parts.pods();
    if (reports === null) {
      if (at - this.#begunAt >= UNKNOWN_MAX_MS) return NONE;
      const message = 'its pods are not known yet';
      this.#waits.set(key, { of: '', message, isOver: false });
      return { hold: { reason: '', message }, by: null };
    }
    const looks = locks.map(({ lock, file }) => this.#look(reports, { lock, file }));
    const of = `${wanted.digest} ${wanted.attempt}`;
    if (looks.includes('looking')) return this.#asking(key, of, before);
    const held = looks.filter(one => one !== 'looking').filter(one => one !== null);
    if (held.length === 0) return this.#free(key);
    const spentMs = this.#spend(key, of, at);
    const open = held.filter(({ lock }) => spentMs < lock.timeoutMs);
    if (open.length === 0) {
      if (before?.isOver !== true || before.of !== of) this.#overdue(wanted, held);
      this.#waits.set(key, { of, message: '', isOver: true });
      return NONE;
    }
    const by = this.#overrideOf(wanted);
    if (by !== null) return { hold: null, by: { ...by, past: 'lock' } };
    const message = open.slice(0, NAMED).map(textOf).join('; ');
    this.#waits.set(key, { of, message, isOver: false });
    return { hold: { reason: LOCKED, message }, by: null };
  }

  /** What is known stands until the answer is there. */
  #asking(key: string, of: string, before: Wait | undefined): Passage {
    const isKnown = before?.of === of && !before.isOver;
    const wait = before?.of === of ? before : { of: '', message: '', isOver: false };
    this.#waits.set(key, { ...wait, isAsking: true });
    return { hold: { reason: isKnown ? LOCKED : '', message: wait.message }, by: null };
  }

  /** No lock is there: the next one is waited for from its beginning. */
  #free(key: string): Passage {
    this.#spent.delete(key);
    return NONE;
  }

  #spend(key: string, of: string, at: number): number {
    const before = this.#spent.get(key);
    const ms = before?.of === of ? before.ms + (before.at === null ? 0 : at - before.at) : 0;
    this.#spent.set(key, { of, ms, at });
    return ms;
  }

  /** Whether something of it waits for a lock. */
  isHeld(bundle: BundleName): boolean {
    return [false, true].some(
      isReturn => this.#waits.get(waitKey(bundle, isReturn))?.isOver === false,
    );
  }

  /** What keeps it from being switched or removed, as its pods say; null: nothing does. */
  lockOn(bundle: BundleName): string | null {
    const { of, message, isOver } = this.#waits.get(waitKey(bundle, false)) ?? {};
    return of === undefined || of === '' || isOver === true ? null : (message ?? null);
  }

  /** Everything that is to change is asked about between this and `endPass`. */
  beginPass(): void {
    this.#asked = new Set();
  }

  /** What nobody asked about waits for nothing. */
  endPass(): void {
    for (const key of this.#waits.keys()) if (!this.#asked.has(key)) this.#waits.delete(key);
    for (const [key, spent] of this.#spent) {
      if (!this.#asked.has(key)) this.#spent.set(key, { ...spent, at: null });
    }
  }

  conditions(): SourceCondition[] {
    const told = [...this.#waits].filter(([, { of, isOver }]) => of !== '' && !isOver);
    if (told.length === 0) return [];
    const texts = told.map(([key, { message }]) => `bundle ${key.split(' ')[0] ?? ''}: ${message}`);
    const message = texts.join('; ').slice(0, 1024).toWellFormed();
    return [{ type: UPDATES_LOCKED, status: 'True', reason: LOCKED, message }];
  }

  /** Milliseconds until it is worth asking again; null: nothing waits. */
  againInMs(): number | null {
    const waits = [...this.#waits.values()];
    if (waits.some(({ isAsking }) => isAsking)) return ANSWER_MS;
    return waits.some(({ isOver }) => !isOver) ? LOOK_MS : null;
  }

  #look(
    reports: readonly PodReport[],
    { lock, file }: { readonly lock: UpdateLock; readonly file: OwnedFile },
  ): HeldLock | 'looking' | null {
    const report = reports.find(
      one =>
        one.bundle !== null &&
        bundleKey(one.bundle) === bundleKey(file) &&
        one.manifestDigest === file.manifest &&
        hasNameOf(one, file),
    );
    const since = report === undefined ? null : this.#parts.readLock(report, lock);
    if (since === null || since === 'looking') return since;
    return { pod: file.pod, lock, since: since === 'unanswered' ? null : since };
  }

  /** It was waited for long enough: said, for the app may not expect it. */
  #overdue({ namespace, name }: BundleName, held: readonly HeldLock[]): void {
    const { journal, log } = this.#parts;
    const message = `is not held back any longer: ${held.slice(0, NAMED).map(textOf).join('; ')}`;
    log.info('update lock overdue', { bundle: bundleKey({ namespace, name }), message });
    const involved = { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' } as const;
    journal.record({ type: 'Warning', reason: 'UpdateLockOverdue', message, involved });
  }

  /** The person at the device goes before the hub. */
  #overrideOf(wanted: Disturbance): Override | null {
    const overrides = this.#parts.journal.site().overrides();
    const now = wanted.isReturn === true && wanted.now?.back !== true ? null : wanted.now;
    return overrideOf(overrides, wanted, { used: false }) ?? now ?? null;
  }
}

const NONE: Passage = { hold: null, by: null };

/** What comes and the way back wait side by side, each for its own time. */
function waitKey(bundle: BundleName, isReturn: boolean): string {
  return `${bundleKey(bundle)}${isReturn ? ' back' : ''}`;
}

interface HeldLock {
  readonly pod: string;
  readonly lock: UpdateLock;
  /** Milliseconds since 1970; null: the volume does not answer. */
  readonly since: number | null;
}

function textOf({ pod, lock, since }: HeldLock): string {
  if (since === null)
    return `pod ${pod} may ask not to be disturbed: its volume does not answer (${whereOf(lock)})`;
  const at = `${new Date(since).toISOString().slice(0, 19)}Z`;
  return `pod ${pod} asks not to be disturbed since ${at} (${whereOf(lock)})`;
}

function whereOf(lock: UpdateLock): string {
  const most = `${lock.timeoutMs / 60_000} min`;
  return `${lock.volume}/${lock.path}; for ${most} at most`;
}
