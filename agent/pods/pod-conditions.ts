/**
 * The conditions of a pod in the kubelet's order and words: behaviour rows 193, 194, `pkg/kubelet/status/generate.go`.
 * Pure.
 */
import { hasAppStarted, type Phase, type Statuses } from './pod-phase.js';
import { isSidecar } from './restart-rules.js';
import type { Container, PodCondition, PodSpec } from '../../protocol/pod.js';

export interface ConditionsInput {
  readonly spec: PodSpec;
  readonly phase: Phase;
  readonly statuses: Statuses;
  /** There is a sandbox whose network is up. */
  readonly hasSandbox: boolean;
  readonly previous: readonly PodCondition[];
  /** RFC 3339, for a condition that changed. */
  readonly now: string;
}

export interface Finding {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

type Case = Pick<ConditionsInput, 'spec' | 'phase' | 'statuses'>;

const TRUE: Finding = { status: 'True' };

function names(containers: readonly Container[]): string {
  return `[${containers.map(({ name }) => name).join(' ')}]`;
}

/** A sentence about those without a status and those whose status is not as it should be; empty when all is well. */
function complaint(
  containers: readonly Container[],
  statuses: Statuses,
  { word, isGood }: { word: string; isGood: (container: Container) => boolean },
): string {
  const unknown = containers.filter(({ name }) => !statuses.has(name));
  const bad = containers.filter(one => statuses.has(one.name) && !isGood(one));
  return [
    ...(unknown.length > 0 ? [`containers with unknown status: ${names(unknown)}`] : []),
    ...(bad.length > 0 ? [`containers with ${word} status: ${names(bad)}`] : []),
  ].join(', ');
}

/** Sidecars and app containers. */
export function containersReady({ spec, phase, statuses }: Case): Finding {
  const counted = [...(spec.initContainers ?? []).filter(isSidecar), ...spec.containers];
  const areKnown = counted.every(({ name }) => statuses.has(name));
  if (phase === 'Succeeded' && areKnown) return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const isGood = ({ name }: Container) => statuses.get(name)?.ready === true;
  const message = complaint(counted, statuses, { word: 'unready', isGood });
  return message === '' ? TRUE : { status: 'False', reason: 'ContainersNotReady', message };
}

export function initialized({ spec, phase, statuses }: Case): Finding {
  const containers = spec.initContainers ?? [];
  const areKnown = containers.every(({ name }) => statuses.has(name));
  if (phase === 'Succeeded' && areKnown) return { status: 'True', reason: 'PodCompleted' };
  if (hasAppStarted(spec, statuses)) return TRUE;
  const isGood = (one: Container) => {
    const status = statuses.get(one.name);
    return (isSidecar(one) ? status?.started : status?.ready) === true;
  };
  const message = complaint(containers, statuses, { word: 'incomplete', isGood });
  return message === '' ? TRUE : { status: 'False', reason: 'ContainersNotInitialized', message };
}

/** The condition with the time of its last change of status. */
export function conditionSince(
  type: string,
  finding: Finding,
  { previous, now }: Pick<ConditionsInput, 'previous' | 'now'>,
): PodCondition {
  const before = previous.find(condition => condition.type === type);
  const lastTransitionTime =
    before?.status === finding.status ? (before.lastTransitionTime ?? now) : now;
  return { type, ...finding, lastTransitionTime };
}

export function conditionsOf(input: ConditionsInput): PodCondition[] {
  const ready = containersReady(input);
  const findings: readonly [string, Finding][] = [
    ['PodReadyToStartContainers', { status: input.hasSandbox ? 'True' : 'False' }],
    ['Initialized', initialized(input)],
    ['Ready', ready],
    ['ContainersReady', ready],
    ['PodScheduled', TRUE],
  ];
  return findings.map(([type, finding]) => conditionSince(type, finding, input));
}
