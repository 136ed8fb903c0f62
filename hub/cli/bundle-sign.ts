/** `flotilla bundle sign`: a person reads what a bundle asks for, and adds a signature over the same bytes. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { keyId } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { acceptBundleFile } from '../signing/accept-bundle.js';
import { SIGNATURES_MAX, type BundleFile } from '../signing/bundle-file.js';
import { passphraseFor } from '../signing/passphrase.js';
import { countBundleSignatures } from '../signing/signature-count.js';
import { readPublicKey, readSigner, signPayload, type KeyAccess } from '../signing/signer.js';
import { readBundlePath, writeBundlePath } from './bundle-path.js';
import { describeBundleFile, describeChanges, describeSignatures } from './bundle-text.js';
import { agree, YES } from './consent.js';
import type { Context } from './context.js';
import { readTrustedRoot, rootText } from './trusted-root.js';

interface SignOptions {
  key: string;
  passphraseFile?: string;
  keyFile?: string;
  root?: string;
  since?: string;
  yes?: boolean;
}

export function signCommand(context: Context): Command {
  return new Command('sign')
    .summary('add a signature to a bundle file')
    .description(
      'Shows what is in the bundle, asks, and adds a signature to the file. Several people sign the same file in turn, each on ' +
        'their own machine. Signing twice with one key changes nothing.',
    )
    .argument('<file>', 'bundle file')
    .requiredOption(
      '--key <key>',
      'private key file, ssh-agent, or ssh-agent:<key id | comment | SHA256:…>',
    )
    .option('--passphrase-file <file>', 'read the passphrase from a file instead of the terminal')
    .option('--key-file <file>', "age key that opens the hub's keys, where the key is one of them")
    .option('--root <file>', 'refuse a key that this root does not name; count the signatures')
    .option('--since <old>', 'bundle file of the former revision: show what changed')
    .option(...YES)
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla bundle sign web.bundle --key ~/keys/release.key --root root.json --since old.bundle\n' +
        '  flotilla bundle sign web.bundle --key ssh-agent:anna@desk --yes',
    )
    .action((path: string, options: SignOptions) => sign(context, path, options));
}

async function sign(context: Context, path: string, options: SignOptions): Promise<void> {
  const file = await readBundlePath(path);
  const root = options.root === undefined ? null : readTrustedRoot(options.root);
  const access: KeyAccess = {
    agentSocket: context.env['SSH_AUTH_SOCK'],
    identityFile: options.keyFile,
    passphrase: passphraseFor({
      file: options.passphraseFile,
      askSecret: question => context.terminal.askSecret(question),
    }),
  };
  await show(context, { file, root, since: options.since });
  // Asked before the passphrase where that can be; a key in clear needs no .pub beside it.
  const known = await readPublicKey(options.key, access).catch(() => null);
  if (known && !isNewSigner(context, { file, root, publicKey: known.publicKey, path })) return;
  await agree(context, `Sign ${path}?`, { given: options.yes });
  const signer = await readSigner(options.key, access);
  if (!isNewSigner(context, { file, root, publicKey: signer.publicKey, path })) return;
  const signature = await signPayload('bundle', file.payload, signer);
  // Somebody else may have signed while this person read.
  const now = await readBundlePath(path);
  if (now.digest !== file.digest) {
    throw new CliError('refused', `${path} was replaced meanwhile; nothing was written`);
  }
  const others = now.signatures.filter(({ keyid }) => keyid !== signature.keyid);
  const signed = { ...now, signatures: [...others, signature] };
  await writeBundlePath(path, signed);
  context.terminal.print(`Signed ${path} with ${signature.keyid} (${signer.where})`);
  context.terminal.print(tally(signed, root));
}

async function show(
  { terminal }: Context,
  shown: { file: BundleFile; root: TrustedRoot | null; since: string | undefined },
): Promise<void> {
  const { file, root, since } = shown;
  const { namespace, name } = file.document;
  const lines = describeBundleFile(file);
  const count = root && countBundleSignatures(root.document, { ...file, namespace, name });
  lines.push(...describeSignatures(file, count));
  if (root) lines.push(`By            ${rootText(root)}`);
  if (since !== undefined) {
    const before = await readBundlePath(since);
    if (before.document.namespace !== namespace || before.document.name !== name) {
      throw new CliError('refused', `--since ${since}: of another bundle`);
    }
    lines.push(...describeChanges(before, file));
  }
  for (const line of lines) terminal.print(line);
}

interface SignerFacts {
  readonly file: BundleFile;
  readonly root: TrustedRoot | null;
  readonly publicKey: string;
  readonly path: string;
}

/** False if the key signed already, said to the person; throws `CliError` when its signature would count for nothing. */
function isNewSigner({ terminal }: Context, { file, root, publicKey, path }: SignerFacts): boolean {
  const id = keyId(publicKey);
  const { namespace, name, fleet } = file.document;
  const count = root && countBundleSignatures(root.document, { ...file, namespace, name });
  if (root && fleet !== root.document.fleet) {
    throw new CliError(
      'refused',
      `${path} is of fleet ${fleet}, the root of ${root.document.fleet}`,
    );
  }
  if (root && !count?.role?.keys.includes(id)) {
    throw new CliError(
      'refused',
      `key ${id} is not among the release keys for ${namespace}/${name} in ${rootText(root)}`,
    );
  }
  const isThere = file.signatures.some(({ keyid }) => keyid === id);
  const isBad = count?.verdicts.some(({ keyid, verdict }) => keyid === id && verdict === 'bad');
  if (isThere && !isBad) {
    terminal.print(`${path} is signed with ${id} already; nothing was changed`);
    terminal.print(tally(file, root));
    return false;
  }
  if (!isThere && file.signatures.length >= SIGNATURES_MAX) {
    throw new CliError('refused', `${path} has ${SIGNATURES_MAX} signatures, which is the most`);
  }
  return true;
}

function tally(file: BundleFile, root: TrustedRoot | null): string {
  if (!root) {
    const { length } = file.signatures;
    return `${length} signature${length === 1 ? '' : 's'}; --root FILE says how many it takes`;
  }
  const { namespace, name } = file.document;
  const { have, need } = countBundleSignatures(root.document, { ...file, namespace, name });
  const count = `${have} of ${need} signatures that the root wants`;
  const verdict = acceptBundleFile(file, root);
  if (verdict.ok) return `${count}: enough`;
  return have < need ? count : `${count}, but ${verdict.refusal.detail}`;
}
