/**
 * What a pod's volumes ask of the node that this node does not have: asked before anything of the pod is made. Pure.
 */
import { usedVolumes } from './used-volumes.js';
import type { DesiredPod, Rejection } from '../pods/desired.js';
import type { EngineFeatures } from '../runtime/runtime.js';
import type { ValidPod } from '../../protocol/pod.js';

export interface VolumeLimits {
  /** Why the agent cannot mount on this node; null when it can. */
  readonly mountProblem: string | null;
  /** Null while the engine has not told. */
  readonly engine: EngineFeatures | null;
}

function memoryLimit(pod: ValidPod, { mountProblem }: VolumeLimits): string | null {
  const found = usedVolumes(pod).find(({ volume }) => volume.emptyDir?.medium === 'Memory');
  if (found === undefined || mountProblem === null) return null;
  return `spec.volumes[${found.index}].emptyDir.medium: not on this engine: ${mountProblem}`;
}

function recursionLimit({ spec }: ValidPod, { engine }: VolumeLimits): string | null {
  if (engine === null || engine.recursiveReadOnly) return null;
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [number, { volumeMounts = [] }] of (spec[list] ?? []).entries()) {
      const index = volumeMounts.findIndex(one => one.recursiveReadOnly === 'Enabled');
      if (index === -1) continue;
      const path = `spec.${list}[${number}].volumeMounts[${index}].recursiveReadOnly`;
      return `${path}: not on this engine: it cannot make mounts read-only all the way down`;
    }
  }
  return null;
}

/** A sentence that begins with the field's path; null when the node has all that the pod asks for. */
export function volumeLimit(pod: ValidPod, limits: VolumeLimits): string | null {
  return memoryLimit(pod, limits) ?? recursionLimit(pod, limits);
}

/** The gate of admission. */
export function volumeGate(
  mountProblem: string | null,
): (pod: DesiredPod, context: { readonly engine: EngineFeatures | null }) => Rejection | null {
  return ({ pod }, { engine }) => {
    const message = volumeLimit(pod, { mountProblem, engine });
    return message === null
      ? null
      : { phase: 'Failed', reason: 'VolumeNotOnThisEngine', message, againAt: null };
  };
}
