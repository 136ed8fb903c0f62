/** What the status says of clocks and of a silent hub, in conditions. Pure. */
import type { RootDocument } from '../../protocol/documents/root.js';
import { ageText } from '../../protocol/columns.js';
import type { SourceCondition } from '../ports.js';
import type { NodeTime } from './node-time.js';

/** Certificates, registries and logs suffer from a clock that is off by more. */
const SKEW_MS = 60_000;

export function clockConditions(
  { clock: state, offset, floor }: NodeTime,
  { clock, root }: { readonly clock: number; readonly root: Pick<RootDocument, 'expires'> },
): SourceCondition[] {
  const advice = 'set it, or run an NTP client';
  const skewed = (reason: string, message: string): SourceCondition[] => [
    { type: 'ClockSkewed', status: 'True', reason, message: `${message}; ${advice}` },
  ];
  if (offset !== null && Math.abs(offset) >= SKEW_MS) {
    const side = offset > 0 ? 'behind' : 'ahead of';
    const told = 'times that are reported have been corrected';
    return skewed(
      'DiffersFromHub',
      `the clock is ${ageText(Math.abs(offset))} ${side} the hub; ${told}`,
    );
  }
  if (offset !== null) return [];
  if (clock < floor) {
    const proven = new Date(floor).toISOString();
    return skewed(
      'BelowFloor',
      `the clock says a time before ${proven}, which signed documents prove`,
    );
  }
  if (state !== 'suspect') return [];
  return skewed(
    'BeyondRoot',
    `the clock says a time after ${root.expires}, when the root in force ends`,
  );
}

export function silenceCondition(silentMs: number): SourceCondition {
  const message = `no fresh answer of the hub for ${ageText(silentMs)} of uptime; pods run on`;
  return { type: 'HubSilent', status: 'True', reason: 'NoFreshAnswer', message };
}
