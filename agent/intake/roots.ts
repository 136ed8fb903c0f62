/**
 * The walk along the chain of roots: which version is needed next, and what came before the root
 * that it needs. Topics are not ordered among each other, so an assignment may arrive ahead of the
 * root whose keys signed it. Holds state, does no I/O.
 */
import type { Refusal } from '../../protocol/refusal.js';
import type { Address, Topics } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot } from '../../protocol/verify-root.js';

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

export class RootWalk {
  readonly #topics: Topics;
  readonly #node: string;
  #next: number | null = null;
  #root: Buffer | null = null;
  #assignment: { readonly payload: Buffer; readonly genuine: boolean } | null = null;

  constructor(topics: Topics, node: string) {
    this.#topics = topics;
    this.#node = node;
  }

  /** The version that has to be fetched, or null. */
  next(): number | null {
    return this.#next;
  }

  offer(payload: Buffer, current: TrustedRoot): RootOutcome {
    const opened = openNextRoot(payload, current);
    if (opened.ok) {
      if (opened.value.digest === current.digest) return { is: 'known' };
      this.#next = null;
      return { is: 'accepted', root: opened.value };
    }
    if (opened.refusal.code !== 'RootRequired') return { is: 'refused', refusal: opened.refusal };
    this.#root = payload;
    this.#next = current.document.version + 1;
    return { is: 'held' };
  }

  /** After a step: what waited for it, to be looked at again. */
  release(): Held[] {
    const held: Held[] = [];
    if (this.#root) {
      held.push({ address: { kind: 'root' }, topic: this.#topics.root(), payload: this.#root });
    }
    if (this.#assignment) held.push(this.#asHeld(this.#assignment.payload));
    this.#root = null;
    this.#assignment = null;
    return held;
  }

  /**
   * Keeps an assignment that a later root may make good. True when that root is on its way, so that
   * this is not a refusal yet.
   */
  hold({ code }: Refusal, payload: Buffer, current: TrustedRoot): boolean {
    if (code === 'RootRequired') {
      this.#assignment = { payload, genuine: true };
      this.#next ??= current.document.version + 1;
      return true;
    }
    if (code !== 'BadSignature') return false;
    if (!this.#assignment?.genuine) this.#assignment = { payload, genuine: false };
    return this.#next !== null;
  }

  /** Signed properly and waiting for its root. */
  heldAssignment(): Held | null {
    return this.#assignment?.genuine ? this.#asHeld(this.#assignment.payload) : null;
  }

  dropAssignment(): void {
    this.#assignment = null;
  }

  #asHeld(payload: Buffer): Held {
    const topic = this.#topics.node(this.#node, 'assignment');
    return { address: { kind: 'assignment', node: this.#node }, topic, payload };
  }
}
