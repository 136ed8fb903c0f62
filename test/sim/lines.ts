/**
 * What a pod is known by in simulated histories: its name, its image, and which of the volumes it has that a revision may give it or take
 * from it. Where the line is the same the manifest is, wherever it is read: in what was applied, in a file, on an engine. Pure.
 */
import { LOCK_PATH, type Content } from './content.js';
import type { Container } from './engine.js';
import { SECRET_PATH } from './secret-value.js';

/** What is told by its path; engines mount other things beside them. */
const TOLD_BY: ReadonlyMap<string, string> = new Map([
  [SECRET_PATH, 'reads a Secret'],
  [LOCK_PATH, 'may ask for time'],
]);

function line(pod: string, image: string, paths: readonly string[]): string {
  const has = [...TOLD_BY].flatMap(([path, words]) => (paths.includes(path) ? [words] : []));
  return [`${pod} ${image}`, ...has].join(', ');
}

/** One for each pod. */
export function linesOf({ pods, hasSecret, hasLock }: Content): string[] {
  const paths = [...(hasSecret ? [SECRET_PATH] : []), ...(hasLock ? [LOCK_PATH] : [])];
  return [...pods].map(([pod, image]) => line(pod, image, paths));
}

/** Of an owned file's text; null: it is no pod's. */
export function lineOfFile(text: string): string | null {
  const { kind, metadata, spec } = JSON.parse(text) as OwnedPod;
  if (kind !== 'Pod') return null;
  const [{ image = '', volumeMounts = [] } = {}] = spec.containers;
  return line(
    metadata.name,
    image,
    volumeMounts.map(({ mountPath }) => mountPath),
  );
}

interface OwnedPod {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly containers: readonly {
      readonly image: string;
      readonly volumeMounts?: readonly { readonly mountPath: string }[];
    }[];
  };
}

/** As it was made. */
export function lineOfContainer({ pod, image, spec }: Container, node: string): string {
  const paths = spec.mounts.map(({ containerPath }) => containerPath);
  return line(podName(pod.name, node), image, paths);
}

/** Without the node's suffix. */
function podName(name: string, node: string): string {
  return name.endsWith(`-${node}`) ? name.slice(0, -node.length - 1) : name;
}
