/** Where tools look for the output of a kubelet's containers (row 205). Pure. */
import { join } from 'node:path';
import type { PodIdentity } from './runtime.js';

/** A file name on Linux is at most 255 bytes long. */
const FILE_NAME_MAX = 255;

/** `<podLogs>/<ns>_<pod>_<uid>/<container>/<restart>.log` */
export function podLogPath(
  podLogs: string,
  pod: PodIdentity,
  container: { readonly name: string; readonly attempt: number },
): string {
  const directory = [pod.namespace, pod.name, pod.uid].join('_');
  return join(podLogs, directory, container.name, `${container.attempt}.log`);
}

/** False when one of its names is longer than a file's may be. */
export function fitsFileSystem(path: string): boolean {
  return path.split('/').every(name => Buffer.byteLength(name) <= FILE_NAME_MAX);
}

/** `<pod>_<ns>_<container>-<id>.log`, cut in front of the ending as the kubelet cuts it. */
export function containerLogName(
  pod: PodIdentity,
  container: { readonly name: string; readonly id: string },
): string {
  const name = `${pod.name}_${pod.namespace}_${container.name}-${container.id}`;
  return `${name.slice(0, FILE_NAME_MAX - '.log'.length)}.log`;
}
