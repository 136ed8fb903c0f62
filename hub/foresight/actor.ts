/** A node as a rehearsal has it: it is told, takes its time, and says what came of it once it is connected. Changes with its own calls alone. */
import { openAt, type Window } from '../../protocol/maintenance-window.js';
import type { Fate } from '../rollout/fate.js';
import type { RevisionName } from '../rollout/waves/rollout-object.js';
import type { FleetNode, Word } from '../rollout/waves/stand.js';
import { isOnlineAt, nextChange, type Replay } from './replay.js';

/** What becomes of the revision there, drawn beforehand: the same whenever it is told. */
export interface Temper {
  readonly fails: boolean;
  /** From being told to the verdict, windows and `minReadySeconds` included only as they come. */
  readonly takesMs: number;
}

interface Way {
  readonly to: RevisionName;
  /** Milliseconds since 1970; infinite: never. */
  readonly startsAt: number;
  readonly endsAt: number;
}

export class Actor {
  readonly name: string;
  readonly #node: FleetNode;
  readonly #isHeld: boolean;
  readonly #replay: Replay;
  readonly #temper: Temper;
  readonly #windows: readonly Window[];
  readonly #digest: string;
  #assigned: RevisionName | null;
  #active: string | null;
  #way: Way | null = null;
  /** What it would say. */
  #word: Word | null;
  #heard: Word | null;
  #isOnline: boolean;
  #livedTo: number;
  #verdict: { readonly at: number; readonly isHealthy: boolean } | null = null;

  constructor(of: {
    readonly node: FleetNode;
    readonly isHeld: boolean;
    readonly replay: Replay;
    readonly temper: Temper;
    readonly windows: readonly Window[];
    /** Of the revision that is rehearsed. */
    readonly digest: string;
    readonly now: number;
  }) {
    const { node } = of;
    this.name = node.name;
    this.#node = node;
    this.#isHeld = of.isHeld;
    this.#replay = of.replay;
    this.#temper = of.temper;
    this.#windows = of.windows;
    this.#digest = of.digest;
    this.#assigned = node.assigned;
    this.#active = node.word?.active ?? null;
    this.#word = node.word;
    this.#heard = node.word;
    this.#isOnline = node.isOnline;
    this.#livedTo = of.now;
    if (node.assigned?.digest === of.digest) this.#judge(of.now);
    if (this.#isToBegin() && node.isOnline) this.#begin(of.now);
  }

  /** As it was heard; null: it did not give one on the revision. */
  get verdict(): { readonly at: number; readonly isHealthy: boolean } | null {
    return this.#verdict;
  }

  seen(): FleetNode {
    const { name, labels, barrier } = this.#node;
    const isOnline = this.#isOnline;
    return { name, labels, barrier, isOnline, assigned: this.#assigned, word: this.#heard };
  }

  assign(offer: RevisionName | null, at: number): void {
    this.#assigned = offer;
    this.#way = null;
    if (this.#isOnline) this.#begin(at);
  }

  /** To that moment; time does not go back. */
  live(at: number): void {
    this.#isOnline = isOnlineAt(this.#replay, at);
    if (this.#isOnline && this.#isToBegin()) this.#begin(at);
    this.#progress(at);
    if (!this.#isOnline) return;
    this.#heard = this.#word;
    this.#judge(at);
  }

  /** When something happens that may matter; `isAwaited`: its coming and going does. */
  nextAt(at: number, isAwaited: boolean): number {
    const isThere = this.#assigned?.digest === this.#digest && this.#heard === this.#word;
    if (this.#way === null && isThere && !this.#isToBegin()) return Infinity;
    const flips =
      isAwaited || this.#way !== null ? (nextChange(this.#replay, at) ?? Infinity) : Infinity;
    const way = this.#way;
    if (way === null || !this.#isOnline) return flips;
    return Math.min(flips, way.startsAt > at ? way.startsAt : way.endsAt);
  }

  /** With nobody watching: what was assigned is all that there is. */
  liveUntil(end: number): void {
    for (let at = this.#nextMoment(); at <= end; at = this.#nextMoment()) {
      this.live(at);
      if (this.#verdict !== null) return;
    }
  }

  #nextMoment(): number {
    return Math.max(this.nextAt(this.#livedTo, true), this.#livedTo + 1);
  }

  /** It was told, and is neither there nor on its way. */
  #isToBegin(): boolean {
    if (this.#assigned === null || this.#way !== null) return false;
    const { digest = '', fate = 'underWay' } = this.#word ?? {};
    return digest !== this.#assigned.digest || fate === 'underWay' || fate === 'window';
  }

  #begin(at: number): void {
    const to = this.#assigned;
    if (to === null) {
      this.#word = null;
      this.#active = null;
      return;
    }
    if (this.#active === to.digest && this.#word?.digest !== to.digest) {
      this.#say(to.digest, 'healthy');
      return;
    }
    if (this.#isHeld) return this.#say(to.digest, 'held');
    const isOf = to.digest === this.#digest;
    const opens = isOf && this.#windows.length > 0 ? openAt([this.#windows], at) : at;
    const startsAt = opens ?? Infinity;
    this.#way = { to, startsAt, endsAt: startsAt + this.#temper.takesMs };
    this.#say(to.digest, startsAt > at ? 'window' : 'underWay');
  }

  #progress(at: number): void {
    this.#livedTo = at;
    const way = this.#way;
    if (way === null || at < way.startsAt) return;
    if (at < way.endsAt) return this.#say(way.to.digest, 'underWay');
    this.#way = null;
    const fails = this.#temper.fails && way.to.digest === this.#digest;
    if (!fails) this.#active = way.to.digest;
    this.#say(way.to.digest, fails ? 'failed' : 'healthy');
  }

  #say(digest: string, fate: Fate): void {
    this.#word = { digest, active: this.#active, fate, isFormer: false };
  }

  /** By what the hub has heard. */
  #judge(at: number): void {
    const { digest = '', fate = 'underWay' } = this.#heard ?? {};
    const isVerdict = fate === 'healthy' || fate === 'failed';
    if (digest !== this.#digest || !isVerdict || this.#verdict !== null) return;
    this.#verdict = { at, isHealthy: fate === 'healthy' };
  }
}
