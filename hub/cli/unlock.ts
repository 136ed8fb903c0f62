/** What opens the keys of a data directory, from options or from the person at the terminal; never from arguments. */
import { Option, type Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { isLocked, openKeyLock, type KeyLock } from '../setup/key-lock.js';
import { readIdentities } from '../setup/age-identities.js';
import { newPassphrase, readPassphraseFile } from '../signing/passphrase.js';
import type { Context } from './context.js';
import { setUp } from './set-up.js';

export interface LockFlags {
  passphraseFile?: string;
  keyFile?: string;
}

/** `--passphrase-file`, `--key-file`: on every command that reads the hub's private keys. */
export function withLock(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'the keys are encrypted: file with the passphrase')
    .addOption(
      new Option('--key-file <file>', 'the keys are encrypted: file with the age key').conflicts(
        'passphraseFile',
      ),
    );
}

export function lockIn({ passphraseFile, keyFile }: LockFlags): KeyLock | null {
  if (passphraseFile !== undefined) {
    return { kind: 'passphrase', passphrase: readPassphraseFile(passphraseFile) };
  }
  const [identity] = keyFile === undefined ? [] : readIdentities(keyFile, '--key-file');
  return identity === undefined ? null : { kind: 'identity', identity };
}

/** For a lock that is made: a passphrase of some length. */
export async function newLockIn(context: Context, flags: LockFlags): Promise<KeyLock | null> {
  const { passphraseFile: file, keyFile } = flags;
  if (file === undefined || keyFile !== undefined) return lockIn(flags);
  const askSecret = (question: string) => context.terminal.askSecret(question);
  const passphrase = await newPassphrase('the keys of the hub', { file, askSecret });
  return { kind: 'passphrase', passphrase };
}

/** Asks at a terminal where the keys are encrypted and no option says how they open. Throws `CliError`. */
export async function unlock(context: Context, dataDir: string, flags: LockFlags): Promise<void> {
  const given = await setUp(async () => lockIn(flags));
  if (given) return setUp(() => openKeyLock(dataDir, given));
  if (!isLocked(dataDir)) return;
  const passphrase = await context.terminal.askSecret(`Passphrase of the keys in ${dataDir}: `);
  if (passphrase === null) {
    throw new CliError(
      'refused',
      `the keys in ${dataDir} are encrypted`,
      'give --passphrase-file FILE or --key-file FILE, or run this on a terminal',
    );
  }
  await setUp(() => openKeyLock(dataDir, { kind: 'passphrase', passphrase }));
}
