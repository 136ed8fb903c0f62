/** `flotilla hub backup` and `flotilla hub restore`: on the machine that holds the data directory. */
import { Command, Option } from 'commander';
import type { BackupResult } from '../backup/backup.js';
import type { Protection } from '../backup/protection.js';
import { readPassphraseFile } from '../signing/passphrase.js';
import type { Context } from './context.js';
import { setUp } from './set-up.js';

interface BackupFlags {
  dataDir: string;
  out: string;
  keysOnly?: boolean;
  passphraseFile?: string;
  recipient?: string[];
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

export function backupCommand(context: Context): Command {
  return new Command('backup')
    .summary('write a backup of the hub to one file')
    .description(
      'Writes settings, keys, certificates, the root and the store to one file of mode 0600, while the hub runs, and ' +
        'reads it back. Whoever can read an unencrypted backup is the hub: keep it as you keep the keys.',
    )
    .requiredOption('--data-dir <dir>', 'data directory of the hub')
    .requiredOption('--out <file>', 'file to make; never overwritten')
    .option(
      '--keys-only',
      'leave bundles, reports and history out: the fleet brings them back (docs/recovery.md)',
    )
    .option('--passphrase-file <file>', 'encrypt it with the passphrase in this file (age)')
    .addOption(
      new Option('--recipient <age1…>', 'encrypt it for this age public key; may be given again')
        .argParser(collect)
        .conflicts('passphraseFile'),
    )
    .action(async (flags: BackupFlags) => {
      const { makeBackup } = await import('../backup/backup.js');
      const kind = flags.keysOnly ? 'keys' : 'full';
      const { dataDir, out } = flags;
      const protection = protectionOf(flags);
      const made = await setUp(() =>
        makeBackup({ dataDir, out, kind, protection, clock: context.clock }),
      );
      for (const line of madeLines(flags, made)) context.terminal.print(line);
    });
}

function protectionOf({ passphraseFile, recipient }: BackupFlags): Protection {
  if (passphraseFile !== undefined) {
    return { kind: 'passphrase', passphrase: readPassphraseFile(passphraseFile) };
  }
  return recipient ? { kind: 'recipients', recipients: recipient } : { kind: 'none' };
}

function madeLines(flags: BackupFlags, made: BackupResult): string[] {
  const { out, keysOnly, passphraseFile, recipient } = flags;
  const names = made.keys.map(path => path.replace(/^keys\/|\.key$/g, '')).join(', ');
  const what = keysOnly
    ? 'keys, settings, roots and the identities of the nodes'
    : 'keys, settings, roots and the whole store';
  const how =
    passphraseFile !== undefined
      ? 'encrypted with the passphrase; without it nobody can restore'
      : recipient
        ? `encrypted for ${recipient.length === 1 ? 'the recipient' : `${recipient.length} recipients`}; ` +
          'it cannot be read back here: try `flotilla hub restore` once where the key is'
        : 'NOT encrypted: whoever reads this file can act as this hub';
  return [
    `Wrote ${out} (${made.files} files, ${made.bytes} bytes, mode 0600${made.readBack ? ', read back whole' : ''})`,
    `  holds     ${what}`,
    `  secrets   private keys: ${names}; the kubeconfig of the admin`,
    `  ${how}`,
  ];
}

interface RestoreFlags {
  dataDir?: string;
  passphraseFile?: string;
  identity?: string;
}

export function restoreCommand(context: Context): Command {
  return new Command('restore')
    .summary('make a hub out of a backup')
    .description(
      'Restores a backup into an empty directory. The hub that runs there first learns from every node how far it is, ' +
        'and sends it nothing before: no node goes back. See `flotilla hub recovery` for how far that is.',
    )
    .argument('<file>', 'what `flotilla hub backup` wrote')
    .requiredOption('--data-dir <dir>', 'empty or new directory')
    .option('--passphrase-file <file>', 'file with the passphrase of the backup')
    .option('--identity <file>', 'file with the age key of a recipient')
    .action(async (file: string, flags: RestoreFlags & { dataDir: string }) => {
      const { restoreBackup } = await import('../backup/restore.js');
      const { readIdentities } = await import('../setup/age-identities.js');
      const { dataDir, passphraseFile, identity } = flags;
      const made = await setUp(async () =>
        restoreBackup({
          file,
          dataDir,
          opening: {
            passphrase:
              passphraseFile === undefined ? undefined : readPassphraseFile(passphraseFile),
            identities: identity === undefined ? undefined : readIdentities(identity, '--identity'),
          },
          clock: context.clock,
        }),
      );
      const print = (line: string) => context.terminal.print(line);
      if (made.exposed) {
        context.terminal.warn(
          `warning: ${file} is not encrypted, and others on this machine may read it: consider the hub's keys known ` +
            "(docs/recovery.md, the hub's key was stolen)",
        );
      }
      const { kind, madeAt, program, fleet, rootVersion } = made.description;
      print(`Restored the hub of fleet ${fleet} in ${dataDir}`);
      print(`  backup    ${kind}, of ${madeAt}, by flotilla ${program}, root ${rootVersion}`);
      print(`  members   ${made.nodes.length}: each is heard before anything is sent to it`);
      if (made.voidTokens > 0) print(`  tokens    ${made.voidTokens} are void: make new ones`);
      print('What happened after the backup was made is not in it:');
      print(
        '  a node that joined since has to join again; one that was revoked since has to be revoked again',
      );
      print('Make sure that the former hub does not run any more. Next:');
      print(`  flotilla hub run --data-dir ${dataDir}`);
      print(`  flotilla hub recovery --kubeconfig ${dataDir}/admin.kubeconfig`);
    });
}
