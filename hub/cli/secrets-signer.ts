/** Who signs what was sealed: the hub, or the operator with a key of the root's role for secrets. */
import { CliError } from '../../protocol/cli-error.js';
import { keyId } from '../../protocol/keys.js';
import type { Sealing } from '../ports.js';
import { passphraseFor } from '../signing/passphrase.js';
import type { KeySigner } from '../signing/signer.js';
import type { Context } from './context.js';

export interface SecretsKey {
  /** `--key`: a file, or `ssh-agent`. */
  readonly key?: string | undefined;
  readonly passphraseFile?: string | undefined;
}

/** Null: the hub signs. Throws `CliError` when the key that is needed is not given, or is another one. */
export async function secretsSigner(
  { terminal, env }: Context,
  { secretKeys }: Sealing,
  { key, passphraseFile }: SecretsKey,
): Promise<KeySigner | null> {
  if (secretKeys === null) {
    if (key === undefined) return null;
    throw new CliError(
      'refused',
      "the hub signs secrets: the fleet's root has no role for them",
      'leave the key out',
    );
  }
  if (key === undefined) {
    throw new CliError(
      'refused',
      "the fleet's root keeps the key that signs secrets off the hub",
      'pass --key FILE (flotilla apply: --secrets-key FILE), or --key ssh-agent',
    );
  }
  // What reads keys of people takes its time to load, and few applies need one.
  const { readSigner } = await import('../signing/signer.js');
  const askSecret = (question: string) => terminal.askSecret(question);
  const passphrase = passphraseFor({ file: passphraseFile, askSecret });
  const signer = await readSigner(key, { passphrase, agentSocket: env['SSH_AUTH_SOCK'] });
  if (secretKeys.includes(keyId(signer.publicKey))) return signer;
  throw new CliError(
    'refused',
    `${signer.where}: this key has no place in the root's role for secrets`,
    `the keys that have: ${secretKeys.map(id => id.slice(0, 16)).join(', ')}`,
  );
}
