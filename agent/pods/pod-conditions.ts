/**
 * The conditions of a pod in the kubelet's order and words (behaviour rows 193, 194; `pkg/kubelet/status`). Pure.
 */
import type { Phase } from './pod-status.js';
import type { ContainerStatus, PodCondition } from '../../protocol/pod.js';

export interface ConditionsInput {
  readonly phase: Phase;
  readonly containerStatuses: readonly ContainerStatus[];
  readonly hasSandbox: boolean;
  readonly previous: readonly PodCondition[];
  /** RFC 3339, for a condition that changed. */
  readonly now: string;
}

interface Finding {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

const TRUE: Finding = { status: 'True' };

function containersReady({ phase, containerStatuses }: ConditionsInput): Finding {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const unready = containerStatuses.filter(({ ready }) => !ready).map(({ name }) => name);
  if (unready.length === 0) return TRUE;
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

/** `lastTransitionTime` moves only when the status does. */
export function conditionsOf(input: ConditionsInput): PodCondition[] {
  const ready = containersReady(input);
  const findings: [string, Finding][] = [
    ['PodReadyToStartContainers', input.hasSandbox ? TRUE : { status: 'False' }],
    ['Initialized', input.phase === 'Succeeded' ? { ...TRUE, reason: 'PodCompleted' } : TRUE],
    ['Ready', ready],
    ['ContainersReady', ready],
    ['PodScheduled', TRUE],
  ];
  return findings.map(([type, finding]) => {
    const before = input.previous.find(condition => condition.type === type);
    const lastTransitionTime =
      before?.status === finding.status ? (before.lastTransitionTime ?? input.now) : input.now;
    return { type, ...finding, lastTransitionTime };
  });
}
