/**
 * Whether a node is connected to its hub, from what it knows of the two halves of the way: its own link to a broker, and the hub behind
 * that broker. A broker alone is no hub. Pure.
 */

/** Why it is, or is not; in one word for programs. */
export type ConnectionReason =
  | 'Connected'
  | 'NotJoined'
  | 'LinkDown'
  | 'HubUnknown'
  | 'HubOffline'
  | 'NotHeard'
  | 'NoAnswer'
  | 'AgentEnds';

/** What a status said is answered for within this time, or the hub counts as gone. Longer than two tries of the report (`resend.ts`). */
export const ANSWER_WITHIN_MS = 120_000;

export interface ConnectionFacts {
  readonly isLinkUp: boolean;
  /** By the hub's signed presence, on this connection; null: the broker has none. */
  readonly hubOnline: boolean | null;
  /** It said something that it cannot have said before this connection, after it was offline last. */
  readonly isHeard: boolean;
  /** For how long a status has been without a confirmation; null: none is. Milliseconds. */
  readonly unansweredMs: number | null;
}

export function connectionReason(facts: ConnectionFacts): ConnectionReason {
  const { isLinkUp, hubOnline, isHeard, unansweredMs } = facts;
  if (!isLinkUp) return 'LinkDown';
  if (hubOnline === null) return 'HubUnknown';
  if (!hubOnline) return 'HubOffline';
  if (!isHeard) return 'NotHeard';
  return unansweredMs !== null && unansweredMs >= ANSWER_WITHIN_MS ? 'NoAnswer' : 'Connected';
}

const SENTENCES: Readonly<Record<ConnectionReason, string>> = {
  Connected: 'the hub is online and answers',
  NotJoined: 'this node has not joined a hub',
  LinkDown: 'there is no connection to a broker',
  HubUnknown: 'the broker has no word of the hub',
  HubOffline: 'the hub is offline',
  NotHeard: 'the hub has not answered on this connection yet',
  NoAnswer: `the hub has not confirmed a status for ${ANSWER_WITHIN_MS / 1000} s`,
  AgentEnds: 'the agent ends',
};

export function connectionSentence(reason: ConnectionReason): string {
  return SENTENCES[reason];
}
