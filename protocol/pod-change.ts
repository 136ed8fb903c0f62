/**
 * What a change of manifests does to the pods of a node: by the identities that the node goes by itself (`pod-identity.ts`), so that what is
 * said beforehand is what happens. A ConfigMap is no part of them: a pod that mounts one stays. What lies on the node's own disk
 * (`flotilla.dev/restart-on-change`) is not known here. Pure.
 */
import { isPod, type BundleManifest } from './bundle-manifest.js';
import { NO_BINDINGS, type ImageBindings } from './image-binding.js';
import { containerHashes, sandboxHash } from './pod-identity.js';
import { watchedBy, watchedVolumes } from './pod-restart-on-change.js';
import { allContainers, podNamespace, type ValidPod } from './pod.js';

export interface PodSet {
  /** Valid Pods, and what lies beside them. */
  readonly manifests: readonly BundleManifest[];
  /** Left out: images are bound to nothing. */
  readonly bindings?: ImageBindings;
}

export interface PodChange {
  /** As in the manifest, without the node's suffix. */
  readonly pod: string;
  readonly is: 'starts' | 'stops' | 'restarts' | 'stays';
  /** Of one that restarts while its sandbox stays: containers that begin, end, or begin anew, sorted. Null: all of it. */
  readonly containers: readonly string[] | null;
}

/** The node plays no part: it is the same before and after. */
const ANYWHERE = { node: '', source: 'file' } as const;

/** By name. Both sets are of one namespace and bundle; null: nothing is there. */
export function podChanges(before: PodSet | null, after: PodSet | null): PodChange[] {
  const [old, now] = [podsOf(before), podsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().map(key => {
    const [was, is] = [old.get(key), now.get(key)];
    const pod = (is ?? was)?.metadata.name ?? '';
    if (was === undefined) return { pod, is: 'starts', containers: null };
    if (is === undefined) return { pod, is: 'stops', containers: null };
    if (sandboxHash(was, ANYWHERE) !== sandboxHash(is, ANYWHERE)) {
      return { pod, is: 'restarts', containers: null };
    }
    const containers = changedContainers(
      madeFrom(was, before?.bindings),
      madeFrom(is, after?.bindings),
    );
    return containers.length === 0
      ? { pod, is: 'stays', containers: null }
      : { pod, is: 'restarts', containers };
  });
}

function podsOf(set: PodSet | null): Map<string, ValidPod> {
  const pods = (set?.manifests ?? []).filter(isPod) as readonly ValidPod[];
  return new Map(pods.map(pod => [`${podNamespace(pod)}/${pod.metadata.name}`, pod]));
}

/** By container: what makes it another. */
function madeFrom(pod: ValidPod, bindings: ImageBindings = NO_BINDINGS): Map<string, string> {
  const hashes = containerHashes(pod, bindings);
  const watched = watchedVolumes(pod);
  return new Map(
    allContainers(pod).map(container => {
      const files = watchedBy(watched, container).map(({ name, path }) => `${name} ${path}`);
      return [container.name, [hashes.get(container.name), ...files].join('\n')];
    }),
  );
}

function changedContainers(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter(name => before.get(name) !== after.get(name)).sort();
}
