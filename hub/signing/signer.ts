/**
 * What a person names with `--key`: a key file, or a key of the ssh-agent. Both sign the same way, and take their time:
 * a passphrase or a touch may be asked for.
 */
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { CliError } from '../../protocol/cli-error.js';
import type { EnvelopeSignature } from '../../protocol/documents/envelope.js';
import {
  envelopeOf,
  payloadType,
  preAuthEncoding,
  type DocumentKind,
} from '../../protocol/envelope.js';
import { keyId, rawPublicKey, signerOf, verifySignature } from '../../protocol/keys.js';
import { isEncryptedKey, publicKeyOfPem, readKeyFile, type AskPassphrase } from './key-file.js';
import { parsePublicKey, type WrittenPublicKey } from './public-key.js';
import { agentKeys, chooseAgentKey, signWithAgent } from './ssh-agent.js';

export interface KeyAccess {
  /** Asked only for a key file that is encrypted. */
  readonly passphrase: AskPassphrase;
  /** `--key-file`: the age key that opens the keys of a hub. */
  readonly identityFile?: string | undefined;
  /** `SSH_AUTH_SOCK`. */
  readonly agentSocket: string | undefined;
}

/** A key that signs somewhere; it never leaves that place. */
export interface KeySigner {
  /** Raw Ed25519, hex. */
  readonly publicKey: string;
  /** Where the key is, for a person. */
  readonly where: string;
  /** 64 bytes over exactly these. Throws `CliError`. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

const AGENT = /^ssh-agent(?::(.*))?$/s;

/**
 * The signer that a spec means: the path of a private key, `ssh-agent` (its only key), or `ssh-agent:` with the beginning
 * of a key id, a comment or a `SHA256:` fingerprint. Throws `CliError`.
 */
export async function readSigner(spec: string, access: KeyAccess): Promise<KeySigner> {
  const selector = AGENT.exec(spec);
  if (selector) {
    const { agentSocket } = access;
    const key = chooseAgentKey(await agentKeys(agentSocket), selector[1] ?? '');
    return {
      publicKey: key.publicKey,
      where: `ssh-agent (${key.comment === '' ? 'no comment' : key.comment})`,
      sign: message => signWithAgent(agentSocket, key.publicKey, message),
    };
  }
  const signer = signerOf(await readKeyFile(spec, access.passphrase, access.identityFile));
  return {
    publicKey: signer.publicKey,
    where: spec,
    sign: async message => signer.sign(message),
  };
}

/**
 * The public key that a spec means: 64 hex digits, an `ssh-ed25519 …` line, a file that holds either or a `PUBLIC KEY` PEM, a
 * private key file (for one with a passphrase, the `.pub` beside it), or a key of the ssh-agent as for `readSigner`. No
 * passphrase is asked for. Throws `CliError`.
 */
export async function readPublicKey(
  spec: string,
  access: Pick<KeyAccess, 'agentSocket'>,
): Promise<WrittenPublicKey> {
  const selector = AGENT.exec(spec);
  if (selector) return chooseAgentKey(await agentKeys(access.agentSocket), selector[1] ?? '');
  const written = parsePublicKey(spec);
  if (written) return written;
  const text = publicText(spec);
  const found = parsePublicKey(text);
  if (found) return found;
  const pem = publicKeyOfPem(text);
  if (/-----BEGIN PUBLIC KEY-----/.test(text) && pem !== null) {
    return { publicKey: pem, comment: '' };
  }
  if (!text.includes('-----BEGIN')) {
    throw new CliError(
      'refused',
      `${spec}: no Ed25519 key in it (64 hex digits, an ssh-ed25519 line, or PEM)`,
    );
  }
  const beside = `${spec}.pub`;
  const isSaidBeside = lstatSync(beside, { throwIfNoEntry: false }) !== undefined;
  if (isSaidBeside && isEncryptedKey(spec)) return readPublicKey(beside, access);
  const key = await readKeyFile(spec, async what => {
    const hint = `its public key is looked for in ${beside}`;
    throw new CliError('refused', `${what} is encrypted, and ${beside} is missing`, hint);
  });
  return { publicKey: rawPublicKey(key), comment: '' };
}

function publicText(path: string): string {
  try {
    if (statSync(path).size > 64 * 1024) throw new CliError('refused', `${path}: not a key`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file, and not a public key' : (code ?? message);
    throw new CliError('refused', `${path}: ${why}`);
  }
}

/** One more signature for a payload. Checked before it is given out: an agent may answer anything. */
export async function signPayload(
  kind: DocumentKind,
  payload: Uint8Array,
  signer: KeySigner,
): Promise<EnvelopeSignature> {
  const message = preAuthEncoding(payloadType(kind), payload);
  const signature = await signer.sign(message);
  if (!verifySignature(signer.publicKey, message, signature)) {
    throw new CliError('failed', `${signer.where}: the signature does not fit the key`);
  }
  return {
    keyid: keyId(signer.publicKey),
    sig: Buffer.from(signature).toString('base64'),
  };
}

/** The envelope of payload bytes, signed by each signer in turn. */
export async function sealWith(
  kind: DocumentKind,
  payload: Uint8Array,
  signers: readonly KeySigner[],
): Promise<Buffer> {
  const signatures: EnvelopeSignature[] = [];
  for (const signer of signers) signatures.push(await signPayload(kind, payload, signer));
  return envelopeOf(kind, payload, signatures);
}
