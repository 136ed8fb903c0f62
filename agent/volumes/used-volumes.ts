/**
 * Which of a pod's volumes its containers use. As the kubelet does, what nobody mounts is neither made nor waited for
 * (`pkg/kubelet/volumemanager/populator`, kubelet behaviour row 140). Pure.
 */
import { allContainers, fileKeyRef, type ValidPod, type Volume } from '../../protocol/pod.js';

/** In the order of the manifest, with the place that each has there. */
export function usedVolumes(pod: ValidPod): readonly { volume: Volume; index: number }[] {
  const used = new Set(
    allContainers(pod).flatMap(({ volumeMounts = [], env = [] }) => [
      ...volumeMounts.map(({ name }) => name),
      ...env.flatMap(variable => fileKeyRef(variable)?.volumeName ?? []),
    ]),
  );
  return (pod.spec.volumes ?? [])
    .map((volume, index) => ({ volume, index }))
    .filter(({ volume }) => used.has(volume.name));
}
