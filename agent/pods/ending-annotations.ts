/**
 * What a container takes along about its own end: its preStop hook with ports by number, and its place in the order of the
 * stop. Read again by `runtime/container-ending.ts`. Kubelet behaviour rows 72, 112, 115. Pure.
 */
import { PRE_STOP_ANNOTATION, STOP_ORDER_ANNOTATION } from '../runtime/container-ending.js';
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

export function endingAnnotations(pod: ValidPod, container: Container): Record<string, string> {
  const preStop = container.lifecycle?.preStop;
  const order = stopOrder(pod, container);
  return {
    ...(preStop === undefined
      ? {}
      : { [PRE_STOP_ANNOTATION]: JSON.stringify(withPortNumber(preStop, container)) }),
    ...(order === 0 ? {} : { [STOP_ORDER_ANNOTATION]: String(order) }),
  };
}
