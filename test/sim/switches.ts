/**
 * Held against every switch of a node in the moment in which it is written down: no revision takes the place of another outside of its
 * windows, or where somebody holds it, unless a person wanted it now.
 */
import type { HoldRecord } from '../../agent/journal/holds.js';
import type { Transition } from '../../agent/journal/journal.js';
import type { Override } from '../../agent/journal/overrides.js';
import type { Content } from './content.js';
import type { Device } from './device.js';
import { isOpen } from './windows.js';

/** What a node knows of the time it measured on the way to its hub and back, in a minute at the most. */
const TIME_IS_OFF_MS = 30_000;

export interface Switched {
  readonly to: Transition;
  readonly by: Override | undefined;
  /** Lies there already: the same again, at a higher attempt. */
  readonly isThere: boolean;
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

  judge(device: Device, { to, by, isThere, holds }: Switched): void {
    if (isThere || to.state === 'removing') return;
    const what = `${device.name}: ${to.name}:${to.revision}`;
    if (holds.some(({ name }) => name === '' || name === to.name)) {
      this.#breaks(`${what} is switched to although it is held`);
    }
    if (by !== undefined) {
      const isWanted = this.#hastened.has(to.digest) || device.hastened.has(to.digest);
      if (!isWanted) this.#breaks(`${what} is switched to at once, which nobody asked for`);
      return;
    }
    const { windows = [] } = this.#revisions.get(to.digest) ?? {};
    const clock = this.#wallNow() + (device.hasRealTimeClock ? device.clockOffMs : 0);
    const isIn = [this.#wallNow(), clock].some(time =>
      [-TIME_IS_OFF_MS, 0, TIME_IS_OFF_MS].some(
        off => isOpen(windows, time + off) && isOpen(device.ownWindows, time + off),
      ),
    );
    if (isIn) return;
    const at = new Date(this.#wallNow()).toISOString();
    this.#breaks(`${what} is switched to at ${at}, outside of its windows`);
  }
}
