/**
 * The next root becomes the hub's own: on disk and in the store before anything is signed under it, published with it.
 * Refused where the hub could not go on: a root that names another hub key or other authorities.
 */
import { keyId, type Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { Store } from '../store/store.js';
import { hubPaths } from './config.js';
import { pinOf } from './pki.js';
import { writePrivateFile } from './private-files.js';

export interface OwnKeys {
  readonly hubSigner: Signer;
  /** PEM. */
  readonly authority: string;
}

/** Why this hub cannot speak under that root, or null. */
export function rootFaultFor(
  { document }: TrustedRoot,
  { hubSigner, authority }: OwnKeys,
): string | null {
  const { version, roles, tls } = document;
  if (!roles.hub.keys.includes(keyId(hubSigner.publicKey))) {
    return `root ${version} names another hub key: restore a backup that holds that key, or make a root that names this one`;
  }
  if (!tls.includes(pinOf(authority))) {
    return `root ${version} pins another authority: restore a backup that holds it`;
  }
  return null;
}

/** The root was verified as the next of the chain. Calling it again is safe. */
export async function adoptRoot(dataDir: string, store: Store, next: TrustedRoot): Promise<void> {
  const { envelope, digest, document } = next;
  const topics = topicsOf(document.fleet);
  writePrivateFile(hubPaths(dataDir).root, envelope);
  await store.commit({ kind: 'hub', name: 'root' }, [
    { type: 'root', record: { version: document.version, digest, envelope } },
    { type: 'publish', topic: topics.root(), payload: envelope },
    { type: 'publish', topic: topics.root(document.version), payload: envelope },
  ]);
}
