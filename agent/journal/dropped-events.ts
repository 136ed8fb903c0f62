/**
 * What a full outbox had to drop, counted by reason, as an event of its own that takes the place of the last one dropped: it comes to
 * the hub before all that is left, under a number that nothing else bears. Pure.
 */
import type { NewEvent } from '../ports.js';

export interface DroppedEvents {
  readonly count: number;
  /** Milliseconds since 1970 by the system clock, of the first and the last of them. */
  readonly from: number;
  readonly to: number;
  /** How many of which reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Different reasons that are told apart; what comes later counts with the rest. */
const REASONS_MAX = 12;
const REST = 'others';

export const EVENTS_DROPPED = 'EventsDropped';

/** With one more. */
export function withDropped(
  before: DroppedEvents | null,
  { at, reason }: { readonly at: number; readonly reason: string },
): DroppedEvents {
  const reasons = { ...before?.reasons };
  const isKnown = Object.hasOwn(reasons, reason);
  const name = isKnown || Object.keys(reasons).length < REASONS_MAX ? reason : REST;
  reasons[name] = (Object.hasOwn(reasons, name) ? (reasons[name] ?? 0) : 0) + 1;
  return { count: (before?.count ?? 0) + 1, from: before?.from ?? at, to: at, reasons };
}

/** `why`: what there was no room in. */
export function droppedEvent(
  dropped: DroppedEvents,
  { node, why }: { readonly node: string; readonly why: string },
): NewEvent {
  const { count, from, to, reasons } = dropped;
  const kinds = Object.entries(reasons)
    .sort(([a, one], [b, other]) => Number(a === REST) - Number(b === REST) || other - one)
    .map(([reason, times]) => `${times} ${reason}`);
  const events = count === 1 ? '1 event' : `${count} events`;
  const span = `from ${seconds(from)} to ${seconds(to)} by this node's clock`;
  return {
    type: 'Warning',
    reason: EVENTS_DROPPED,
    message: `${events} ${span}: given up before the hub had confirmed them, because ${why}: ${kinds.join(', ')}`,
    involved: { kind: 'Node', namespace: '', name: node, uid: '', fieldPath: '' },
  };
}

function seconds(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
