/**
 * A pod's times as they are told by a node whose clock is wrong: each that the engine or the agent
 * read from that clock is put right. Times inside texts stay. Pure.
 */
import type { ContainerState, ContainerStatus, Pod } from 'kubernetes-types/core/v1.js';

/** Milliseconds since 1970 to the same, put right. */
export type PutRight = (at: number) => number;

const NAMES: ReadonlySet<string> = new Set([
  'startTime',
  'startedAt',
  'finishedAt',
  'lastTransitionTime',
  'lastProbeTime',
  'creationTimestamp',
  'deletionTimestamp',
]);

export function toldTimes(pod: Pod, putRight: PutRight): Pod {
  const { metadata, status } = pod;
  if (!status) return { ...pod, ...(metadata && { metadata: timesOf(metadata, putRight) }) };
  const containers = (list: ContainerStatus[] | undefined) =>
    list?.map(one => ({
      ...one,
      ...(one.state && { state: stateTimes(one.state, putRight) }),
      ...(one.lastState && { lastState: stateTimes(one.lastState, putRight) }),
    }));
  const init = containers(status.initContainerStatuses);
  const app = containers(status.containerStatuses);
  const conditions = status.conditions?.map(one => timesOf(one, putRight));
  return {
    ...pod,
    ...(metadata && { metadata: timesOf(metadata, putRight) }),
    status: {
      ...timesOf(status, putRight),
      ...(conditions && { conditions }),
      ...(init && { initContainerStatuses: init }),
      ...(app && { containerStatuses: app }),
    },
  };
}

function stateTimes(state: ContainerState, putRight: PutRight): ContainerState {
  const { running, terminated } = state;
  return {
    ...state,
    ...(running && { running: timesOf(running, putRight) }),
    ...(terminated && { terminated: timesOf(terminated, putRight) }),
  };
}

/** Those of its own members that are times; seconds stay seconds, as Kubernetes writes them. */
function timesOf<T extends object>(value: T, putRight: PutRight): T {
  const entries = Object.entries(value).map(([name, member]: [string, unknown]) => {
    if (!NAMES.has(name) || typeof member !== 'string') return [name, member];
    const at = Date.parse(member);
    if (Number.isNaN(at)) return [name, member];
    const text = new Date(putRight(at)).toISOString();
    return [name, member.includes('.') ? text : text.replace(/\.\d+Z$/, 'Z')];
  });
  return Object.fromEntries(entries) as T;
}
