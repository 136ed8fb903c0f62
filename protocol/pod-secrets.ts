/** Which Secrets a pod names, and where: those that it cannot begin without, and those that become variables. Pure. */
import { allContainers, type Container, type ValidPod } from './pod.js';

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

export interface SecretUse {
  readonly secret: string;
  /** Of the field, from `spec`. */
  readonly path: string;
}

function envUses({ env = [], envFrom = [] }: Container, at: string): SecretUse[] {
  return [
    ...envFrom.map(({ secretRef }, index) => ({
      secret: secretRef?.name ?? '',
      path: `${at}.envFrom[${index}].secretRef`,
    })),
    ...env.map(({ valueFrom }, index) => ({
      secret: valueFrom?.secretKeyRef?.name ?? '',
      path: `${at}.env[${index}].valueFrom.secretKeyRef`,
    })),
  ].filter(({ secret }) => secret !== '');
}

/** Secrets that would become environment variables of a container. */
export function secretEnvUses({ spec }: Pick<ValidPod, 'spec'>): SecretUse[] {
  return (['initContainers', 'containers'] as const).flatMap(list =>
    (spec[list] ?? []).flatMap((one, index) => envUses(one, `spec.${list}[${index}]`)),
  );
}

/** Why that is a bad place for a value. */
export const SECRET_ENV_WHY =
  'the engine keeps environment variables in clear on its disk and shows them in "docker inspect"';
