/** The conditions of a Node: what it says itself, and what the hub concludes of it. Pure. */
import type { NodeCondition } from 'kubernetes-types/core/v1.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import { isStandingCondition } from '../enrolment/standing-conditions.js';
import type { NodeObject } from '../objects.js';
import { RESTORING } from '../recovery/restored-store.js';
import type { ReporterRecord } from '../store/store.js';
import { AHEAD_OF_HUB } from './ahead-of-hub.js';
import { HISTORY_REWRITTEN, historyFault, JOURNAL_INTACT } from './history-watch.js';

interface Told {
  readonly node: NodeObject;
  readonly reporter: ReporterRecord;
  /** Null: nothing new. */
  readonly status: StatusDocument | null;
  /** What the status speaks of and this hub never made, with what to do; null: nothing. */
  readonly ahead?: string | null;
  /** RFC 3339, the hub's clock. */
  readonly now: string;
}

function seconds(at: string): string {
  return `${at.slice(0, 19)}Z`;
}

/**
 * Ready first, then the agent's own, and how the node stands with the fleet; a time of
 * transition moves only with the status.
 */
export function conditionsOf(told: Told): NodeCondition[] {
  const { node, status, reporter, now } = told;
  const before = node.status.conditions ?? [];
  const standing = before.filter(isStandingCondition);
  const own = status
    ? status.conditions
        .filter(c => !isOfHub(c))
        .map(c => ({
          type: c.type,
          status: c.status,
          reason: c.reason,
          message: c.message,
          lastTransitionTime: seconds(c.lastTransitionTime),
        }))
    : before.filter(c => !isOfHub(c));
  const was = before.find(c => c.type === 'Ready');
  const engine = own.find(c => c.type === 'ContainerRuntime');
  const spoken = status !== null || node.status.flotilla.reportedAt !== null;
  const ready = readiness({
    online: reporter.online,
    spoken,
    engineDown: engine?.status === 'False',
    was,
    now,
  });
  const heartbeat = status ? seconds(now) : (was?.lastHeartbeatTime ?? seconds(now));
  const ofHub = before.filter(c => c.type === RESTORING);
  const history = historyCondition({ node, status, now });
  return [
    { type: 'Ready', lastHeartbeatTime: heartbeat, ...ready },
    ...[...own, ...standing, ...ofHub, ...history, ...aheadCondition(told)],
  ];
}

function isUnmoved({ node: { status: before }, status }: Told): boolean {
  const { epoch, generation } = before.flotilla;
  return status?.epoch === epoch && status.generation === generation;
}

function aheadCondition(told: Told): NodeCondition[] {
  const was = (told.node.status.conditions ?? []).filter(({ type }) => type === AHEAD_OF_HUB);
  if (!told.status) return was;
  // Assignments made since may reach its number: until it accepts one of them, they are refused as other content.
  const message = told.ahead ?? null;
  if (message === null) return isUnmoved(told) ? was : [];
  const since = was[0]?.lastTransitionTime ?? seconds(told.now);
  const condition = { type: AHEAD_OF_HUB, status: 'True', reason: 'UnknownGeneration' } as const;
  return [{ ...condition, message, lastTransitionTime: since }];
}

/** What the hub concludes itself: the node's word of it does not count. */
function isOfHub(condition: Pick<NodeCondition, 'type'>): boolean {
  const own = ['Ready', JOURNAL_INTACT, RESTORING, AHEAD_OF_HUB];
  return own.includes(condition.type) || isStandingCondition(condition);
}

/** Stays until the journal is begun anew: nothing that a node says later makes it the history that it was. */
function historyCondition({
  node: { status: before },
  status,
  now,
}: Pick<Told, 'node' | 'status' | 'now'>): NodeCondition[] {
  const was = before.conditions?.filter(({ type }) => type === JOURNAL_INTACT) ?? [];
  if (!status || (was.length > 0 && status.journal === before.flotilla.journal)) return was;
  const message = historyFault(before.flotilla, status);
  if (message === null) return [];
  const condition = { type: JOURNAL_INTACT, status: 'False', reason: HISTORY_REWRITTEN } as const;
  return [{ ...condition, message, lastTransitionTime: seconds(now) }];
}

interface ReadinessInput {
  readonly online: boolean;
  readonly spoken: boolean;
  readonly engineDown: boolean;
  readonly was: NodeCondition | undefined;
  readonly now: string;
}

function readiness({ online, spoken, engineDown, was, now }: ReadinessInput) {
  const [status, reason] = !online
    ? (['Unknown', 'NodeStatusUnknown'] as const)
    : !spoken
      ? (['Unknown', 'NodeStatusNeverUpdated'] as const)
      : engineDown
        ? (['False', 'ContainerRuntimeDown'] as const)
        : (['True', 'AgentReady'] as const);
  const since = was?.status === status ? String(was.lastTransitionTime) : seconds(now);
  const message = {
    NodeStatusUnknown: `not connected since ${since}; its pods run on, what is shown of them is as old`,
    NodeStatusNeverUpdated: 'the agent is connected and has not reported yet',
    ContainerRuntimeDown: 'the agent is connected, its container engine does not answer',
    AgentReady: 'the agent is connected and reports',
  }[reason];
  return { status, reason, message, lastTransitionTime: since };
}
