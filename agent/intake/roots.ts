/**
 * The walk along the chain of roots: which version is needed next, and what came before the root
 * that it needs. Topics are not ordered among each other, so an assignment or the hub's presence may
 * arrive ahead of the root whose keys signed it; and the newest root may be signed by keys that only
 * those in between name. At most 1,024 steps on one connection. Holds state, does no I/O.
 */
import type { Refusal } from '../../protocol/refusal.js';
import type { Address, Topics } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { claimedRootVersion, openNextRoot } from '../../protocol/verify-root.js';

/** TUF 5.3.3: an endless chain must not keep a node busy for ever. */
export const STEPS_MAX = 1024;

export interface Held {
  readonly address: Address;
  readonly topic: string;
  readonly payload: Buffer;
}

export type RootOutcome =
  | { readonly is: 'accepted'; readonly root: TrustedRoot }
  | { readonly is: 'known' }
  /** A version in between must come first. */
  | { readonly is: 'held' }
  | { readonly is: 'refused'; readonly refusal: Refusal };

/** What came ahead of the root that its signature, or its demand, needs. */
interface Waiting {
  readonly payload: Buffer;
  /** Signed properly under the root in force. */
  readonly genuine: boolean;
  readonly refusal: Refusal;
}

/** How often a root that nobody vouches for makes the node ask for the one before it. */
const ASKS_MAX = 3;

/** Between two looks for a root that nothing but foreign signatures speaks for: anybody can make those. */
const SUSPECT_MS = { first: 120_000, most: 3_600_000 };

export class RootWalk {
  readonly #topics: Topics;
  readonly #node: string;
  #next: number | null = null;
  #root: Waiting | null = null;
  /** For a root that is not known to be genuine. */
  #asks = 0;
  #assignment: Waiting | null = null;
  #hub: Buffer | null = null;
  #steps = 0;
  /** Looks for a root that only a foreign signature spoke for, since one came. */
  #suspicions = 0;
  /** Monotonic, milliseconds. */
  #suspectedUntil = Number.NEGATIVE_INFINITY;

  constructor(topics: Topics, node: string) {
    this.#topics = topics;
    this.#node = node;
  }

  /** The version that has to be fetched, or null. */
  next(): number | null {
    return this.#steps < STEPS_MAX ? this.#next : null;
  }

  /** Another connection: the count of steps begins anew. */
  reconnected(): void {
    this.#steps = 0;
  }

  offer(payload: Buffer, current: TrustedRoot): RootOutcome {
    const opened = openNextRoot(payload, current);
    if (opened.ok) {
      if (opened.value.digest === current.digest) return { is: 'known' };
      this.#next = null;
      this.#suspicions = 0;
      this.#suspectedUntil = Number.NEGATIVE_INFINITY;
      this.#steps++;
      return { is: 'accepted', root: opened.value };
    }
    const { refusal } = opened;
    const next = current.document.version + 1;
    const isAhead =
      refusal.code === 'RootRequired' ||
      (refusal.code === 'BadSignature' && (claimedRootVersion(payload) ?? 0) > next);
    if (!isAhead) return { is: 'refused', refusal };
    if (this.#root?.payload.equals(payload) !== true) this.#asks = 0;
    this.#root = { payload, refusal, genuine: refusal.code === 'RootRequired' };
    this.#next = next;
    return { is: 'held' };
  }

  /** After a step: what waited for it, to be looked at again. */
  release(): Held[] {
    const held: Held[] = [];
    if (this.#root) held.push(this.#rootAsHeld(this.#root.payload));
    if (this.#hub) {
      held.push({ address: { kind: 'hub' }, topic: this.#topics.hub(), payload: this.#hub });
    }
    if (this.#assignment) held.push(this.#asHeld(this.#assignment.payload));
    this.#root = null;
    this.#hub = null;
    this.#assignment = null;
    return held;
  }

  /**
   * Keeps an assignment that a later root may make good. True when that root is on its way, so that
   * this is not a refusal yet.
   */
  hold(refusal: Refusal, payload: Buffer, current: TrustedRoot): boolean {
    const { code } = refusal;
    if (code === 'RootRequired') {
      this.#assignment = { payload, refusal, genuine: true };
      this.#next ??= current.document.version + 1;
      return true;
    }
    if (code !== 'BadSignature') return false;
    if (!this.#assignment?.genuine) this.#assignment = { payload, refusal, genuine: false };
    return this.#next !== null;
  }

  /** The same for the hub's presence: the newest one that a later root may make good. */
  holdHub(payload: Buffer): boolean {
    this.#hub = payload;
    return this.#next !== null;
  }

  /**
   * Something that only the hub says is signed by a key that the root in force does not name: a root may have been lost on its way.
   * True: the next one is to be looked for now, as one that nobody vouches for; `now` monotonic, in milliseconds.
   */
  suspect(current: TrustedRoot, now: number): boolean {
    if (this.#next !== null || now < this.#suspectedUntil) return false;
    const pauseMs = SUSPECT_MS.first * 2 ** Math.min(this.#suspicions++, 9);
    this.#suspectedUntil = now + Math.min(SUSPECT_MS.most, pauseMs);
    this.#asks = 0;
    this.#next = current.document.version + 1;
    return true;
  }

  /**
   * The next root was waited for in vain: what waits with it, to be told as refused. A root that nobody vouches for is
   * given up after a few times: whoever made it must not keep the node asking.
   */
  overdue(): (Held & { readonly refusal: Refusal })[] {
    const { refusal } = this.#assignment ?? {};
    const waiting = [
      ...(this.#assignment && refusal
        ? [{ ...this.#asHeld(this.#assignment.payload), refusal }]
        : []),
      ...(this.#root
        ? [{ ...this.#rootAsHeld(this.#root.payload), refusal: this.#root.refusal }]
        : []),
    ];
    const isVouchedFor = this.#root?.genuine === true || this.#assignment?.genuine === true;
    if (!isVouchedFor && ++this.#asks >= ASKS_MAX) {
      this.#root = null;
      this.#next = null;
    }
    return waiting;
  }

  dropAssignment(): void {
    this.#assignment = null;
  }

  #rootAsHeld(payload: Buffer): Held {
    return { address: { kind: 'root' }, topic: this.#topics.root(), payload };
  }

  #asHeld(payload: Buffer): Held {
    const topic = this.#topics.node(this.#node, 'assignment');
    return { address: { kind: 'assignment', node: this.#node }, topic, payload };
  }
}
