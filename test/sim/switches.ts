/**
 * Held against every switch of a node in the moment in which it is written down: no revision takes the place of another outside of its
 * windows, or where somebody holds it, unless a person wanted it now.
 */
import type { HoldRecord } from '../../agent/journal/holds.js';
import type { Transition } from '../../agent/journal/journal.js';
import type { Override } from '../../agent/journal/overrides.js';
import { rootDocument } from '../support/fleet.js';
import { manifestsOf, type Content } from './content.js';
import type { Device } from './device.js';
import { isOpen } from './windows.js';

/** Within what the root of a simulated fleet says of time; else it is no time at all. */
const [ISSUED, EXPIRES] = [rootDocument().issued, rootDocument().expires].map(Date.parse) as [
  number,
  number,
];

/** A clock that is wrong is believed where it runs on without power and what it says is possible. */
function clockOf({ hasRealTimeClock, clockOffMs }: Device, wallNow: number): number[] {
  const clock = wallNow + clockOffMs;
  return hasRealTimeClock && clock >= ISSUED && clock <= EXPIRES ? [clock] : [];
}

/** What a node knows of the time it measured on the way to its hub and back, in a minute at the most. */
const TIME_IS_OFF_MS = 30_000;

export interface Switched {
  readonly to: Transition;
  readonly by: Override | undefined;
  /** Digest of what lies there; the same as what is switched to: again, at a higher attempt. */
  readonly active: string | null;
  readonly holds: readonly HoldRecord[];
}

export class Switches {
  /** Digests that somebody at the hub did not want to wait for. */
  readonly #hastened = new Set<string>();
  readonly #revisions: ReadonlyMap<string, Content>;
  readonly #wallNow: () => number;
  readonly #breaks: (what: string) => void;

  constructor(parts: {
    readonly revisions: ReadonlyMap<string, Content>;
    readonly wallNow: () => number;
    readonly breaks: (what: string) => void;
  }) {
    this.#revisions = parts.revisions;
    this.#wallNow = parts.wallNow;
    this.#breaks = parts.breaks;
  }

  hasten(digest: string): void {
    this.#hastened.add(digest);
  }

  judge(device: Device, { to, by, active, holds }: Switched): void {
    const what = `${device.name}: ${to.name}:${to.revision}`;
    const next = to.state === 'removing' ? null : to.digest;
    const disturbed = by === undefined ? this.#changed(active, next) : [];
    for (const pod of device.locks.held().filter(one => disturbed.includes(one))) {
      this.#breaks(`${what} disturbs ${pod}, which asks for time`);
    }
    if (active === next) return;
    const isHeld = holds.some(({ name }) => name === '' || name === to.name);
    if (isHeld || device.holds.has(to.name)) {
      this.#breaks(`${what} is switched to although it is held`);
    }
    if (next === null) return;
    if (by !== undefined) {
      const isWanted = this.#hastened.has(to.digest) || device.hastened.has(to.digest);
      if (!isWanted) this.#breaks(`${what} is switched to at once, which nobody asked for`);
      return;
    }
    const { windows = [] } = this.#revisions.get(to.digest) ?? {};
    const isIn = [this.#wallNow(), ...clockOf(device, this.#wallNow())].some(time =>
      [-TIME_IS_OFF_MS, 0, TIME_IS_OFF_MS].some(
        off => isOpen(windows, time + off) && isOpen(device.ownWindows, time + off),
      ),
    );
    if (isIn) return;
    const at = new Date(this.#wallNow()).toISOString();
    this.#breaks(`${what} is switched to at ${at}, outside of its windows`);
  }
  /** Names of pods whose manifests go or become others. */
  #changed(active: string | null, next: string | null): string[] {
    const manifestsIn = (digest: string | null) => {
      const content = digest === null ? undefined : this.#revisions.get(digest);
      return content ? manifestsOf(content).map(pod => [pod, JSON.stringify(pod)] as const) : [];
    };
    const kept = new Set(manifestsIn(next).map(([, text]) => text));
    return manifestsIn(active).flatMap(([{ metadata }, text]) =>
      kept.has(text) ? [] : [metadata?.name ?? ''],
    );
  }
}
