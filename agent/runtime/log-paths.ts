/** Where tools look for the output of a kubelet's containers (row 205). Pure. */
import { join } from 'node:path';
import type { PodIdentity } from './runtime.js';

/** A file name on Linux is at most 255 bytes long. */
const FILE_NAME_MAX = 255;

/** All logs of one pod lie in it. */
export function podLogDirectory(podLogs: string, pod: PodIdentity): string {
  return join(podLogs, [pod.namespace, pod.name, pod.uid].join('_'));
}

/** `<podLogs>/<ns>_<pod>_<uid>/<container>/<restart>.log` */
export function podLogPath(
  podLogs: string,
  pod: PodIdentity,
  container: { readonly name: string; readonly attempt: number },
): string {
  return join(podLogDirectory(podLogs, pod), container.name, `${container.attempt}.log`);
}

/** `<pod>_<ns>_<container>-<id>.log`, cut in front of the ending as the kubelet cuts it. */
export function containerLogName(
  pod: PodIdentity,
  container: { readonly name: string; readonly id: string },
): string {
  const name = `${pod.name}_${pod.namespace}_${container.name}-${container.id}`;
  return `${name.slice(0, FILE_NAME_MAX - '.log'.length)}.log`;
}
