/** The keys of a simulated device, where the agent keeps them. */
import { ensureNodeKeys } from '../../agent/membership/identity.js';
import { spkiOf } from '../../agent/membership/refresh.js';
import { rawPublicKey, signerOf, type Signer } from '../../protocol/keys.js';

export interface DeviceKeys {
  readonly signer: Signer;
  /** Raw X25519, hex. */
  readonly sealingKey: string;
  /** SubjectPublicKeyInfo, base64. */
  readonly tlsKey: string;
}

/** Makes what is missing. */
export function readIdentityKeys(dataDir: string): DeviceKeys {
  const { identity, sealing, tls } = ensureNodeKeys(dataDir);
  return { signer: signerOf(identity), sealingKey: rawPublicKey(sealing), tlsKey: spkiOf(tls) };
}
