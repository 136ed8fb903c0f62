/**
 * What a container takes along about its own end: its preStop hook with ports by number, the grace, its place in the order
 * of the stop; and the round of its pod's restarts. Read again by `runtime/container-ending.ts`. Kubelet behaviour rows 72, 89, 112, 115. Pure.
 */
import {
  GRACE_ANNOTATION,
  PRE_STOP_ANNOTATION,
  ROUND_ANNOTATION,
  STOP_ORDER_ANNOTATION,
} from '../runtime/container-ending.js';
import type { Container, LifecycleHandler, ValidPod } from '../../protocol/pod.js';

/** Sidecars: the last one 1, the one before it 2; everything else 0. */
export function stopOrder({ spec }: ValidPod, { name }: Container): number {
  const sidecars = (spec.initContainers ?? []).filter(one => one.restartPolicy === 'Always');
  const at = sidecars.findIndex(one => one.name === name);
  return at === -1 ? 0 : sidecars.length - at;
}

function withPortNumber(handler: LifecycleHandler, container: Container): LifecycleHandler {
  const port = handler.httpGet?.port;
  if (handler.httpGet === undefined || typeof port !== 'string') return handler;
  const named = (container.ports ?? []).find(one => one.name === port)?.containerPort;
  return { ...handler, httpGet: { ...handler.httpGet, port: named ?? port } };
}

export function endingAnnotations(
  pod: ValidPod,
  container: Container,
  round: number,
): Record<string, string> {
  const preStop = container.lifecycle?.preStop;
  const grace = pod.spec.terminationGracePeriodSeconds;
  const order = stopOrder(pod, container);
  return {
    ...(preStop === undefined
      ? {}
      : { [PRE_STOP_ANNOTATION]: JSON.stringify(withPortNumber(preStop, container)) }),
    ...(grace === undefined ? {} : { [GRACE_ANNOTATION]: String(grace) }),
    ...(order === 0 ? {} : { [STOP_ORDER_ANNOTATION]: String(order) }),
    ...(round === 0 ? {} : { [ROUND_ANNOTATION]: String(round) }),
  };
}
