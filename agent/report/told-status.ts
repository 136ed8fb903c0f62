/**
 * A pod's status as it may travel: without the last words of containers, which are container output and stay on the
 * node until they can be sealed to the hub. Pure.
 */
import type { ContainerState, ContainerStatus, PodStatus } from 'kubernetes-types/core/v1.js';
import { INIT_CONTAINER_GONE } from '../pods/container-state.js';

/** Stands for what a container left; `flotilla-agent pods -o json` on the node shows it. */
export const KEPT_ON_NODE = '<kept on the node>';

/** Of runs that never ran or are gone: their messages are the engine's and the agent's own. */
const WITHOUT_OUTPUT: ReadonlySet<string> = new Set([
  'ContainerCannotRun',
  'ContainerStatusUnknown',
]);

function toldState(state: ContainerState): ContainerState {
  const { terminated } = state;
  const { message = '', reason = '' } = terminated ?? {};
  const isOwn = WITHOUT_OUTPUT.has(reason) || message === INIT_CONTAINER_GONE;
  if (terminated === undefined || message === '' || isOwn) return state;
  return { ...state, terminated: { ...terminated, message: KEPT_ON_NODE } };
}

function toldContainers(statuses: readonly ContainerStatus[]): ContainerStatus[] {
  return statuses.map(status => ({
    ...status,
    ...(status.state === undefined ? {} : { state: toldState(status.state) }),
    ...(status.lastState === undefined ? {} : { lastState: toldState(status.lastState) }),
  }));
}

export function toldStatus(status: PodStatus): PodStatus {
  const { initContainerStatuses: init, containerStatuses: app } = status;
  return {
    ...status,
    ...(init === undefined ? {} : { initContainerStatuses: toldContainers(init) }),
    ...(app === undefined ? {} : { containerStatuses: toldContainers(app) }),
  };
}
