/**
 * Seals the values of a Secret for nodes, on the machine where it is called: age files for X25519 recipients
 * (age-encryption.org/v1), which an ordinary `age -d` opens. Decides nothing.
 */
import { bech32 } from '@scure/base';
import { Encrypter } from 'age-encryption';
import {
  encodeSecretContent,
  SECRET_CONTENT_BYTES_MAX,
  type SecretContent,
  type SecretContext,
} from '../../protocol/secret-content.js';

/** More than an age file of the wire holds. */
export class SecretTooLarge extends Error {
  override readonly name = 'SecretTooLarge';
}

/** `age1…` of a raw X25519 public key in hex: what `age -r` takes. */
export function ageRecipient(publicKeyHex: string): string {
  return bech32.encodeFromBytes('age', Buffer.from(publicKeyHex, 'hex'));
}

/** The age file. Throws `SecretTooLarge`, and what age says of a key that is none. */
export async function sealFor(
  publicKeyHex: string,
  context: SecretContext,
  content: SecretContent,
): Promise<Buffer> {
  const plain = encodeSecretContent(context, content);
  try {
    if (plain.byteLength > SECRET_CONTENT_BYTES_MAX) {
      throw new SecretTooLarge(
        `the values are ${plain.byteLength} bytes with their names, the limit is ${SECRET_CONTENT_BYTES_MAX}`,
      );
    }
    const encrypter = new Encrypter();
    encrypter.addRecipient(ageRecipient(publicKeyHex));
    return Buffer.from(await encrypter.encrypt(plain));
  } finally {
    plain.fill(0);
  }
}
