/**
 * When a member asks the hub for a new certificate, and how long it waits between tries. The node's
 * own clock is not trusted alone: what the broker answers counts as much (security.md 1.6, 1.8).
 * Pure; time and chance are arguments.
 */

export interface Upkeep {
  /** A person has yet to approve this node. */
  readonly isPending: boolean;
  /** A renewal or rotation was begun and cut off. */
  readonly isOpen: boolean;
  /** Milliseconds since 1970; null without a certificate. */
  readonly renewAfter: number | null;
  /** By this node's clock, and not before what signed documents prove. */
  readonly now: number;
  /** Since the hub gave the last certificate to this life of the agent; null: it gave none yet. */
  readonly renewedAgoMs: number | null;
  /** A broker that was reached did not let the node in, or was not to be trusted. */
  readonly isRefused: boolean;
  /** The root in force pins an authority whose certificate the hub has not yet given to this node. */
  readonly lacksAuthority: boolean;
  /** How long no broker was reached; 0 while connected. */
  readonly unreachableMs: number;
}

export type UpkeepReason =
  'Pending' | 'Unfinished' | 'Refused' | 'Authority' | 'Due' | 'Unreachable';

/** The brokers may have moved: the hub tells where they are. */
const UNREACHABLE_MS = 600_000;
const SPREAD_MS = 14 * 86_400_000;
const AGAIN_MS = 60 * 86_400_000;

/** Null: all is well. `chance`: the same for one life of the agent, so that a fleet spreads. */
export function upkeepReason(state: Upkeep, chance: number): UpkeepReason | null {
  if (state.isPending) return 'Pending';
  if (state.isOpen) return 'Unfinished';
  if (state.isRefused) return 'Refused';
  if (state.lacksAuthority) return 'Authority';
  if (isDue(state, chance)) return 'Due';
  return state.unreachableMs >= UNREACHABLE_MS ? 'Unreachable' : null;
}

/** By a clock that stands in 2099 every certificate is due: a new one is not asked for at once. */
function isDue({ renewAfter, now, renewedAgoMs }: Upkeep, chance: number): boolean {
  if (renewAfter === null || now < renewAfter + chance * SPREAD_MS) return false;
  return renewedAgoMs === null || renewedAgoMs >= AGAIN_MS;
}

const FIRST_MS = 3_000;
/** A root that pins another authority reaches the whole fleet at once, and the hub makes a certificate for each node. */
const AUTHORITY_MS = 300_000;
const RETRY_MIN_MS = 30_000;
const RETRY_MAX_MS = 6 * 3_600_000;
const POLL_MIN_MS = 2_000;
const POLL_MAX_MS = 60_000;

/** Until the next try; `tries`: those since all was well. Half of it is certain, half is chance. */
export function upkeepDelayMs(reason: UpkeepReason, tries: number, chance: number): number {
  if (tries === 0) return Math.round(chance * (reason === 'Authority' ? AUTHORITY_MS : FIRST_MS));
  const [least, most] =
    reason === 'Pending' ? [POLL_MIN_MS, POLL_MAX_MS] : [RETRY_MIN_MS, RETRY_MAX_MS];
  const whole = Math.min(most, least * 2 ** Math.min(tries - 1, 20));
  return Math.round(whole / 2 + (whole / 2) * chance);
}

const PAUSE_MIN_MS = 120_000;
/** What lies back further is forgotten. */
export const GRANTS_KEPT_MS = 86_400_000;

/**
 * How long a doubt waits after `granted` certificates that nothing but doubts brought: whoever holds the broker can raise one at any
 * moment, and must not have the hub sign and the device write as often.
 */
export function doubtPauseMs(granted: number): number {
  if (granted === 0) return 0;
  return Math.min(RETRY_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(granted - 1, 20));
}

/**
 * Whether a failed connection says that the broker was there and the two did not trust each other:
 * the words of MQTT's CONNACK, of OpenSSL and of Node. A broken or absent connection says nothing.
 */
export function isBrokerRefusal(reason: string): boolean {
  return /not authorized|identifier rejected|user ?name|certificate|\balert\b|altnames/i.test(
    reason,
  );
}

/**
 * Whether the hub's words, over a connection that the root pins, say that this node is no member any more. Words that are not known
 * here cost the hint, and nothing else.
 */
export function isShutOut({
  status,
  message,
}: {
  status: number | null;
  message: string;
}): boolean {
  return status === 403 && /is revoked|not signed by the identity key of a node/.test(message);
}
