/**
 * Whether a bundle's revision may take its place now, by the bundle's maintenance windows and by the node's own, which narrow them. A
 * node that does not know the time has no window open: whoever stands at it may say otherwise. Pure.
 */
import type { MaintenanceWindow } from '../../protocol/documents/bundle.js';
import { NEVER_OPEN, openAt, readWindows, windowText } from '../../protocol/maintenance-window.js';
import { zonedText } from '../../protocol/zone-time.js';

export interface WindowTime {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Somebody vouched for it, or the machine has a clock that runs while it is off. */
  readonly isKnown: boolean;
}

export interface WindowLists {
  /** Empty: at any time. */
  readonly bundle: readonly MaintenanceWindow[];
  readonly own: readonly MaintenanceWindow[];
}

export interface WindowHold {
  readonly message: string;
  /** Milliseconds since 1970; null: nobody knows, or never. */
  readonly opensAt: number | null;
}

const NAMED = 2;

/** Null: it may. */
export function windowHold({ bundle, own }: WindowLists, time: WindowTime): WindowHold | null {
  if (bundle.length === 0 && own.length === 0) return null;
  const which = [
    ...(bundle.length > 0 ? [namesOf(bundle)] : []),
    ...(own.length > 0 ? [`this node's own: ${namesOf(own)}`] : []),
  ].join('; ');
  if (!time.isKnown) {
    const message = `this node does not know the time, so that no maintenance window opens here (${which})`;
    return { message: `${message}; flotilla-agent activate --now`, opensAt: null };
  }
  const opensAt = openAt([readWindows(bundle), readWindows(own)], time.now);
  if (opensAt === time.now) return null;
  const zone = (bundle[0] ?? own[0])?.timeZone ?? 'UTC';
  const message =
    opensAt === null
      ? `${NEVER_OPEN} (${which})`
      : `its maintenance window opens at ${zonedText(zone, opensAt)} (${which})`;
  return { message, opensAt };
}

function namesOf(windows: readonly MaintenanceWindow[]): string {
  const more = windows.length - NAMED;
  const named = windows.slice(0, NAMED).map(windowText).join(', or ');
  return more > 0 ? `${named}, or ${more} more` : named;
}
