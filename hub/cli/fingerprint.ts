/**
 * Tells the same operator whether a Secret changed, and the hub nothing: an HMAC of the values under a key that is derived from the
 * private key of the kubeconfig, which never leaves this machine. A plain hash could be guessed. Pure.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import type { SecretContent } from '../../protocol/secret-content.js';

/** Null without a private key: nobody can tell then. */
export function fingerprintOf(
  privateKey: string | undefined,
  context: readonly string[],
  content: SecretContent,
): string | null {
  if (privateKey === undefined) return null;
  const key = Buffer.from(hkdfSync('sha256', privateKey, '', 'flotilla secret fingerprint', 32));
  const hmac = createHmac('sha256', key).update(JSON.stringify([...context, content.type]));
  for (const [name, bytes] of [...content.data].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hmac.update(JSON.stringify([name, bytes.byteLength])).update(bytes);
  }
  key.fill(0);
  return hmac.digest('hex');
}
