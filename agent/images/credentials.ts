/**
 * Which credentials a pod brings for its pulls: the Secrets that it names, read as keyrings. No password is ever part of a
 * message. Pure.
 */
import type { ConfigObjects } from '../pods/config-objects.js';
import { wipe } from '../secrets/opened-bytes.js';
import {
  CredentialsError,
  readDockercfg,
  readDockerConfigJson,
  type Keyring,
} from '../../protocol/registry-credentials.js';

export interface PodKeyrings {
  readonly keyrings: readonly Keyring[];
  /** Names of Secrets that are not there or cannot be read: the pull is tried without them, as on a kubelet. */
  readonly missing: readonly string[];
  /** Why, for each that is there and cannot be read. */
  readonly errors: readonly string[];
}

const READERS: Readonly<Record<string, readonly [string, typeof readDockercfg]>> = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson', readDockerConfigJson],
  'kubernetes.io/dockercfg': ['.dockercfg', readDockercfg],
};

/** What `spec.imagePullSecrets` names. */
export function podKeyrings(
  names: readonly string[],
  namespace: string,
  objects: ConfigObjects,
): PodKeyrings {
  const keyrings: Keyring[] = [];
  const missing: string[] = [];
  const errors: string[] = [];
  for (const name of names) {
    const secret = objects.find({ kind: 'Secret', namespace, name });
    const [key, read] = READERS[secret?.type ?? ''] ?? [];
    const bytes = key === undefined ? undefined : secret?.data.get(key);
    if (secret !== null && (read === undefined || bytes === undefined)) {
      errors.push(
        `Secret ${namespace}/${name} is of type "${secret.type}": image pull secrets have the key ` +
          '".dockerconfigjson" and the type kubernetes.io/dockerconfigjson (or the older .dockercfg)',
      );
    }
    if (read === undefined || bytes === undefined) {
      missing.push(name);
      continue;
    }
    try {
      const text = Buffer.from(bytes).toString('utf8');
      wipe(bytes);
      keyrings.push(read(text, `Secret ${namespace}/${name}`));
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      missing.push(name);
      errors.push(error.message);
    }
  }
  return { keyrings, missing, errors };
}
