/** Which Secrets a pod names, and where: those that it cannot begin without, and those that become variables. Pure. */
import type { Container, ValidPod } from './pod.js';

export interface SecretUse {
  readonly secret: string;
  /** Of the field, from `spec`. */
  readonly path: string;
  /** `pull`: for the registry; a pull is tried without it too, as on a kubelet. */
  readonly as: 'files' | 'variable' | 'pull';
  /** The pod begins without it. */
  readonly optional: boolean;
}

type PodWithSpec = Pick<ValidPod, 'spec'>;

function use(
  as: SecretUse['as'],
  path: string,
  reference: { readonly name?: string; readonly optional?: boolean } | undefined,
): SecretUse[] {
  const { name = '', optional = as === 'pull' } = reference ?? {};
  return name === '' ? [] : [{ secret: name, path, as, optional }];
}

function volumeUses({ spec }: PodWithSpec): SecretUse[] {
  return (spec.volumes ?? []).flatMap(({ secret, projected }, index) => {
    const at = `spec.volumes[${index}]`;
    const { secretName: name = '', optional = false } = secret ?? {};
    return [
      ...use('files', `${at}.secret.secretName`, { name, optional }),
      ...(projected?.sources ?? []).flatMap((source, number) =>
        use('files', `${at}.projected.sources[${number}].secret.name`, source.secret),
      ),
    ];
  });
}

function envUses({ env = [], envFrom = [] }: Container, at: string): SecretUse[] {
  return [
    ...envFrom.flatMap(({ secretRef }, index) =>
      use('variable', `${at}.envFrom[${index}].secretRef`, secretRef),
    ),
    ...env.flatMap(({ valueFrom }, index) =>
      use('variable', `${at}.env[${index}].valueFrom.secretKeyRef`, valueFrom?.secretKeyRef),
    ),
  ];
}

/** Secrets that would become environment variables of a container. */
export function secretEnvUses({ spec }: PodWithSpec): SecretUse[] {
  return (['initContainers', 'containers'] as const).flatMap(list =>
    (spec[list] ?? []).flatMap((one, index) => envUses(one, `spec.${list}[${index}]`)),
  );
}

/** Every place of a pod that names a Secret. */
export function secretUses(pod: PodWithSpec): SecretUse[] {
  const pulls = (pod.spec.imagePullSecrets ?? []).flatMap((reference, index) =>
    use('pull', `spec.imagePullSecrets[${index}].name`, reference),
  );
  return [...volumeUses(pod), ...secretEnvUses(pod), ...pulls];
}

/** Those that are not `optional`, once each, sorted. A pull is tried without its Secrets too, as on a kubelet. */
export function secretNames(pods: readonly PodWithSpec[]): string[] {
  const uses = pods.flatMap(secretUses).filter(({ optional }) => !optional);
  return [...new Set(uses.map(({ secret }) => secret))].sort();
}

/** Why that is a bad place for a value. */
export const SECRET_ENV_WHY =
  'the engine keeps environment variables in clear on its disk and shows them in "docker inspect"';
