/**
 * Why a pod may not begin with a sealed Secret: as a variable where the node's owner does not allow that (Docker keeps variables in
 * clear on its disk and shows them in `docker inspect`), or as files where the agent cannot keep them in memory. Secrets that a
 * person put into the static pod directory lie on the disk already and are not meant. Pure.
 */
import type { DesiredPod, Rejection } from '../pods/desired.js';
import { SECRET_ENV_WHY, secretEnvUses, type SecretUse } from '../../protocol/pod-secrets.js';
import { podNamespace } from '../../protocol/pod.js';
import { usedVolumes } from '../volumes/used-volumes.js';

export interface SecretLimits {
  /** `allowSecretEnv` of the node's configuration. */
  readonly allowSecretEnv: boolean;
  /** Why the agent cannot mount on this node; null when it can. */
  readonly mountProblem: string | null;
}

const ENV_WHY =
  `${SECRET_ENV_WHY}; ` +
  'mount the Secret as a volume, or set allowSecretEnv: true in the configuration of this node';

type Place = Pick<SecretUse, 'secret' | 'path'>;

function volumeUses({ pod }: DesiredPod): Place[] {
  return usedVolumes(pod).flatMap(({ volume: { secret, projected }, index }) => [
    ...(secret === undefined
      ? []
      : [{ secret: secret.secretName ?? '', path: `spec.volumes[${index}].secret` }]),
    ...(projected?.sources ?? []).flatMap((source, number) =>
      source.secret === undefined
        ? []
        : [
            {
              secret: source.secret.name ?? '',
              path: `spec.volumes[${index}].projected.sources[${number}].secret`,
            },
          ],
    ),
  ]);
}

/** The gate of admission. */
export function secretGate(limits: SecretLimits): (desired: DesiredPod) => Rejection | null {
  return desired => {
    const { pod, objects } = desired;
    const namespace = podNamespace(pod);
    const isSealed = ({ secret: name }: Place) =>
      objects.find({ kind: 'Secret', namespace, name })?.sealed !== undefined;
    const rejection = (reason: string, message: string): Rejection => {
      return { phase: 'Failed', reason, message, againAt: null };
    };
    if (!limits.allowSecretEnv) {
      const found = secretEnvUses(pod).find(isSealed);
      if (found !== undefined) {
        const message = `${found.path}: secret "${found.secret}" may not become an environment variable here: ${ENV_WHY}`;
        return rejection('SecretEnvNotAllowed', message);
      }
    }
    if (limits.mountProblem === null) return null;
    const found = volumeUses(desired).find(isSealed);
    if (found === undefined) return null;
    const message = `${found.path}: a sealed Secret is kept in memory only, which is not possible here: ${limits.mountProblem}`;
    return rejection('VolumeNotOnThisEngine', message);
  };
}
