/**
 * Whether a bundle that is staged may take its place now, by its windows and by who stands at the device: asked with each pass, so that a window that opened while the machine was
 * off is as good as any, and one that closed is closed. Remembers what it said last of each bundle; decides by activation/windows.ts.
 */
import { HELD, WINDOW } from '../../protocol/bundle-reasons.js';
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleDocument, MaintenanceWindow } from '../../protocol/documents/bundle.js';
import { windowHold, type WindowHold, type WindowTime } from '../activation/windows.js';
import type { Journal } from '../journal/journal.js';
import { heldName, holdOn, type HoldRecord } from '../journal/holds.js';
import { askedBy, overrideOf, type Override } from '../journal/overrides.js';
import type { BundleName, SourceCondition } from '../ports.js';
import { bundleKey } from './decide.js';

/** A clock may be set, and a machine may sleep: looked at again at least this often. */
const LOOK_MS = 60_000;

export interface WindowGateParts {
  /** Of the node's own configuration. */
  readonly own: readonly MaintenanceWindow[];
  readonly time: () => WindowTime;
  readonly journal: Pick<Journal, 'site'>;
  /** A window that something waits for passed by: the status says so. */
  readonly onMoved: () => void;
}

export interface Passage {
  /** Why it may not; null: it may. */
  readonly hold: null | { readonly reason: string; readonly message: string };
  /** It may although no window is open. */
  readonly by: Override | null;
}

export const FREE: Passage = { hold: null, by: null };

const MESSAGE_MAX = 1024;

function heldText(hold: HoldRecord): string {
  return `held at the device since ${new Date(hold.at).toISOString()} by ${askedBy(hold)}`;
}

interface Held extends WindowHold {
  readonly digest: string;
}

export class WindowGate {
  readonly #parts: WindowGateParts;
  readonly #held = new Map<string, Held>();

  constructor(parts: WindowGateParts) {
    this.#parts = parts;
  }

  judge(assigned: AssignedBundle, { strategy }: Pick<BundleDocument, 'strategy'>): Passage {
    const { own, time } = this.#parts;
    const before = this.#held.get(bundleKey(assigned));
    this.#held.delete(bundleKey(assigned));
    const held = this.holdOn(assigned);
    if (held !== null) return { hold: { reason: HELD, message: heldText(held) }, by: null };
    const hold = windowHold({ bundle: strategy.maintenanceWindows ?? [], own }, time());
    if (hold === null) return FREE;
    const by = this.#overrideOf(assigned);
    if (by !== null) return { hold: null, by };
    this.#held.set(bundleKey(assigned), { ...hold, digest: assigned.digest });
    if (before !== undefined && before.opensAt !== hold.opensAt) this.#parts.onMoved();
    return { hold: { reason: WINDOW, message: hold.message }, by: null };
  }

  /** Who keeps it as it is, at the device; null: nobody. */
  holdOn(bundle: BundleName): HoldRecord | null {
    return holdOn(this.#parts.journal.site().holds(), bundle);
  }

  /** What a person at the device holds. */
  conditions(): SourceCondition[] {
    const holds = this.#parts.journal.site().holds();
    if (holds.length === 0) return [];
    const texts = holds.map(one => `${heldName(one)}: ${heldText(one)}`);
    const message = texts.join('; ').slice(0, MESSAGE_MAX).toWellFormed();
    return [{ type: 'BundlesHeld', status: 'True', reason: 'HeldAtDevice', message }];
  }

  /** Those that are not listed wait for nothing. */
  keepOnly(assigned: readonly AssignedBundle[]): void {
    const digests = new Map(assigned.map(one => [bundleKey(one), one.digest]));
    for (const [key, { digest }] of this.#held)
      if (digests.get(key) !== digest) this.#held.delete(key);
  }

  /** What was said last of a bundle that waits for a window. */
  holdOf(bundle: BundleName): WindowHold | null {
    return this.#held.get(bundleKey(bundle)) ?? null;
  }

  /** Milliseconds until it is worth asking again; null: nothing waits. */
  againInMs(): number | null {
    if (this.#held.size === 0) return null;
    const { now } = this.#parts.time();
    // One that is past and was not asked about since waits for something else as well.
    const openings = [...this.#held.values()].flatMap(({ opensAt }) => opensAt ?? []);
    return Math.min(LOOK_MS, ...openings.map(at => at - now).filter(ms => ms > 0));
  }

  /** The person at the device goes before the hub. */
  #overrideOf(assigned: AssignedBundle): Override | null {
    const overrides = this.#parts.journal.site().overrides();
    return overrideOf(overrides, assigned, { used: false }) ?? assigned.now ?? null;
  }
}
