/** `flotilla key`: keys of people who sign. They stay on the machine where they are made. */
import { hostname, userInfo } from 'node:os';
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { keyId, rawPublicKey } from '../../protocol/keys.js';
import { generatePrivateKey } from '../setup/keys.js';
import { refuseExisting, writeKeyFile } from '../signing/key-file.js';
import { newPassphrase } from '../signing/passphrase.js';
import { publicKeyLine, sshFingerprint, type WrittenPublicKey } from '../signing/public-key.js';
import { readPublicKey } from '../signing/signer.js';
import { agentKeys } from '../signing/ssh-agent.js';
import type { Context } from './context.js';
import { readTrustedRoot, rootText } from './trusted-root.js';

interface GenerateOptions {
  passphraseFile?: string;
  passphrase: boolean;
  comment?: string;
}

export function keyCommand(context: Context): Command {
  return new Command('key')
    .summary('make, show and rotate keys that sign')
    .addCommand(generateCommand(context))
    .addCommand(showCommand(context));
}

function generateCommand(context: Context): Command {
  return new Command('generate')
    .summary('make an Ed25519 key for a person who signs')
    .description(
      'Writes FILE, the private key under a passphrase, and FILE.pub, the public key in one line as ssh-keygen writes it. ' +
        'Neither is ever written over. A key of `ssh-keygen -t ed25519`, or one that an ssh-agent holds, serves as well.',
    )
    .argument('<file>', 'where the private key is to lie')
    .option('--passphrase-file <file>', 'read the passphrase from a file instead of the terminal')
    .option('--no-passphrase', 'write the key in clear: for a disk that is encrypted, or a test')
    .option('--comment <text>', 'at the end of the public key (default: you@this-machine)')
    .addHelpText('after', '\nExample:\n  flotilla key generate ~/keys/release.key')
    .action((file: string, options: GenerateOptions) => generate(context, file, options));
}

async function generate(context: Context, file: string, options: GenerateOptions): Promise<void> {
  if (!options.passphrase && options.passphraseFile !== undefined) {
    throw new CliError('refused', 'either --passphrase-file or --no-passphrase');
  }
  const comment = options.comment ?? `${userInfo().username}@${hostname()}`;
  if (!/^[^\p{Cc}]{0,200}$/u.test(comment)) {
    throw new CliError('refused', '--comment: at most 200 characters on one line');
  }
  refuseExisting(file);
  const passphrase = options.passphrase
    ? await newPassphrase(file, {
        file: options.passphraseFile,
        askSecret: question => context.terminal.askSecret(question),
      })
    : null;
  const key = generatePrivateKey('ed25519');
  await writeKeyFile(file, { key, passphrase, comment });
  const print = (line: string) => context.terminal.print(line);
  print(`Made ${file} (${passphrase === null ? 'in clear' : 'encrypted'}) and ${file}.pub`);
  print(`  key id  ${keyId(rawPublicKey(key))}`);
  print(`Next: give ${file}.pub to who keeps the fleet's root; ${file} never leaves this machine.`);
  print('A copy of it, and of its passphrase, belongs in a safe: nobody can make it anew.');
}

function showCommand(context: Context): Command {
  return new Command('show')
    .summary('print the id and the public key of a key')
    .description(
      'Takes a private key file (its passphrase is not needed), a .pub file, 64 hex digits, or the keys of the ssh-agent.',
    )
    .argument('<key>', 'FILE, FILE.pub, HEX, ssh-agent, or ssh-agent:<key id | comment | SHA256:…>')
    .option('--root <file>', 'say which roles the key has in this root')
    .addHelpText(
      'after',
      '\nExamples:\n  flotilla key show release.key.pub --root root.json\n  flotilla key show ssh-agent',
    )
    .action(async (spec: string, options: { root?: string }) => {
      const root = options.root === undefined ? null : readTrustedRoot(options.root);
      const agentSocket = context.env['SSH_AUTH_SOCK'];
      const keys =
        spec === 'ssh-agent'
          ? await agentKeys(agentSocket)
          : [await readPublicKey(spec, { agentSocket })];
      if (keys.length === 0) {
        const hint = 'add one: ssh-add FILE';
        throw new CliError('refused', 'the ssh-agent holds no Ed25519 key', hint);
      }
      if (root) context.terminal.print(`By ${rootText(root)}`);
      for (const key of keys) {
        for (const line of describeKey(key, root?.document ?? null)) context.terminal.print(line);
      }
    });
}

function describeKey(
  { publicKey, comment }: WrittenPublicKey,
  root: RootDocument | null,
): string[] {
  const id = keyId(publicKey);
  return [
    `key id       ${id}`,
    `public key   ${publicKey}`,
    `OpenSSH      ${publicKeyLine(publicKey, comment)}`,
    `fingerprint  ${sshFingerprint(publicKey)}`,
    ...(root ? [`roles        ${rolesOf(root, id).join('; ') || 'none'}`] : []),
  ];
}

/** `root (2 of 3)`, `release of shop/* (1 of 2)`. */
export function rolesOf({ roles }: RootDocument, id: string): string[] {
  const listed = [
    { name: 'root', role: roles.root },
    { name: 'hub', role: roles.hub },
    ...(roles.secrets ? [{ name: 'secrets', role: roles.secrets }] : []),
    ...roles.release.map(role => ({ name: `release of ${role.bundles.join(', ')}`, role })),
  ];
  return listed
    .filter(({ role }) => role.keys.includes(id))
    .map(({ name, role }) => `${name} (${role.threshold} of ${role.keys.length})`);
}
