/** `flotilla hub passphrase`: encrypts the private keys at rest, changes what opens them, or makes them plain again. */
import { Command, Option } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { changeKeyLock, isLocked, removeKeyLock } from '../setup/key-lock.js';
import type { Context } from './context.js';
import { setUp } from './set-up.js';
import { lockIn, newLockIn, withLock, type LockFlags } from './unlock.js';

interface PassphraseFlags extends LockFlags {
  dataDir: string;
  newPassphraseFile?: string;
  newKeyFile?: string;
  remove?: boolean;
}

export function passphraseCommand(context: Context): Command {
  return withLock(new Command('passphrase'))
    .summary('encrypt the private keys at rest, or change what opens them')
    .description(
      'Encrypts every private key in the data directory, TLS keys included, or changes the passphrase or key file. The hub ' +
        'may be running: it needs the new one when it starts again. Not encrypted are what others read: admin.kubeconfig, ' +
        'and broker/server.key for an external broker.',
    )
    .requiredOption('--data-dir <dir>', 'of the hub')
    .option('--new-passphrase-file <file>', 'file with the passphrase from now on')
    .addOption(
      new Option('--new-key-file <file>', 'file with the age key from now on').conflicts(
        'newPassphraseFile',
      ),
    )
    .option('--remove', 'plain keys again')
    .action(async (flags: PassphraseFlags) => {
      const { dataDir, newPassphraseFile, newKeyFile, remove } = flags;
      const next: LockFlags = {
        ...(newPassphraseFile === undefined ? {} : { passphraseFile: newPassphraseFile }),
        ...(newKeyFile === undefined ? {} : { keyFile: newKeyFile }),
      };
      const from = await setUp(async () => lockIn(flags));
      const to = await setUp(() => newLockIn(context, next));
      if ((to === null) === (remove !== true)) {
        throw new CliError(
          'refused',
          'say what opens the keys from now on',
          'give one of --new-passphrase-file FILE, --new-key-file FILE and --remove',
        );
      }
      if (to) await setUp(() => changeKeyLock(dataDir, { from, to }));
      else if (!isLocked(dataDir))
        throw new CliError('refused', `the keys in ${dataDir} are plain`);
      else if (!from) {
        const hint = 'give --passphrase-file FILE or --key-file FILE';
        throw new CliError('refused', `the keys in ${dataDir} are encrypted`, hint);
      } else await setUp(() => removeKeyLock(dataDir, from));
      context.terminal.print(
        to
          ? `The keys in ${dataDir} are encrypted; start the hub with what opens them:`
          : `The keys in ${dataDir} are plain.`,
      );
      if (to) {
        const option = to.kind === 'passphrase' ? '--passphrase-file' : '--key-file';
        context.terminal.print(`  flotilla hub run --data-dir ${dataDir} ${option} FILE`);
      }
    });
}
