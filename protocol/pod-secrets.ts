/** Which Secrets a pod cannot begin without: what a bundle names in its signed document. Pure. */
import { allContainers, type ValidPod } from './pod.js';

interface Named {
  readonly name?: string;
  readonly optional?: boolean;
}

const nameOf = (reference: Named | undefined): string[] =>
  reference === undefined || reference.optional === true || !reference.name ? [] : [reference.name];

/** Those that are not `optional`, once each, sorted. A pull is tried without its Secrets too, as on a kubelet. */
export function secretNames(pods: readonly ValidPod[]): string[] {
  const names = pods.flatMap(pod => [
    ...(pod.spec.volumes ?? []).flatMap(({ secret, projected }) => {
      const { secretName: name = '', optional = false } = secret ?? {};
      const sources = (projected?.sources ?? []).flatMap(source => nameOf(source.secret));
      return [...nameOf({ name, optional }), ...sources];
    }),
    ...allContainers(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.flatMap(({ valueFrom }) => nameOf(valueFrom?.secretKeyRef)),
      ...envFrom.flatMap(({ secretRef }) => nameOf(secretRef)),
    ]),
  ]);
  return [...new Set(names)].sort();
}
