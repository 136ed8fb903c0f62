/** The keys of a simulated device, where the agent keeps them. */
import { ensureNodeKeys } from '../../agent/membership/identity.js';
import { identityPaths, KEY_TYPES, readKey } from '../../agent/membership/private-keys.js';
import { spkiOf } from '../../agent/membership/refresh.js';
import { rawPublicKey, signerOf, type Signer } from '../../protocol/keys.js';

export interface DeviceKeys {
  readonly signer: Signer;
  /** Raw X25519, hex. */
  readonly sealingKey: string;
  /** SubjectPublicKeyInfo, base64. */
  readonly tlsKey: string;
}

/** Makes them where there are none; else nothing is written, for the disk may be full. */
export function readIdentityKeys(dataDir: string): DeviceKeys {
  const paths = identityPaths(dataDir);
  const [identity, sealing, tls] = [
    readKey(paths.identityKey, KEY_TYPES.identity),
    readKey(paths.sealingKey, KEY_TYPES.sealing),
    readKey(paths.tlsKey, KEY_TYPES.tls),
  ];
  if (!identity || !sealing || !tls) {
    ensureNodeKeys(dataDir);
    return readIdentityKeys(dataDir);
  }
  const signer = signerOf(identity);
  return { signer, sealingKey: rawPublicKey(sealing), tlsKey: spkiOf(tls) };
}
