/**
 * How large an emptyDir in memory may grow: what it asks for, within what the pod and the node may use (kubelet
 * behaviour row 133, `calculateEmptyDirMemorySize`). Pure.
 */
import type { Container, EmptyDirVolumeSource, ValidPod } from '../../protocol/pod.js';
import { parseQuantityWhole } from '../../protocol/quantity.js';

const limitOf = ({ resources }: Container) =>
  parseQuantityWhole(resources?.limits?.['memory'] ?? 0);
const isSidecar = ({ restartPolicy }: Container) => restartPolicy === 'Always';
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** 0 when one of the containers has no limit. Init containers run one after the other, sidecars all along. */
export function podMemoryLimit({ spec }: ValidPod): number {
  const { initContainers = [], containers } = spec;
  if ([...initContainers, ...containers].some(one => limitOf(one) === 0)) return 0;
  const sidecars = sum(initContainers.filter(isSidecar).map(limitOf));
  const whileStarting = initContainers.map((one, index) => {
    const before = sum(initContainers.slice(0, index).filter(isSidecar).map(limitOf));
    return before + limitOf(one);
  });
  return Math.max(sidecars + sum(containers.map(limitOf)), ...whileStarting);
}

/** Bytes; 0 when nothing limits it. `nodeMemoryBytes` is 0 where it is not known. */
export function memoryVolumeSize(
  { sizeLimit = '0' }: EmptyDirVolumeSource,
  pod: ValidPod,
  nodeMemoryBytes: number,
): number {
  const limits = [parseQuantityWhole(sizeLimit), podMemoryLimit(pod), nodeMemoryBytes];
  const given = limits.filter(limit => limit > 0);
  return given.length === 0 ? 0 : Math.min(...given);
}
