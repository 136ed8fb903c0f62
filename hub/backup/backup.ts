/**
 * `flotilla hub backup`: settings, keys, certificates, the root and a consistent copy of the store in one file of mode
 * 0600, while the hub runs. The file is read back whole before it is called done; until then it has another name.
 */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Clock } from '../../protocol/ports.js';
import { VERSION } from '../../protocol/version.js';
import { hubPaths } from '../setup/config.js';
import { refuseOpenPlace, refuseUnsafeDirectory } from '../setup/safe-directory.js';
import { newestRootOf } from '../setup/load.js';
import { syncDirectory } from '../setup/private-files.js';
import { SetupError } from '../setup/setup-error.js';
import { digestOf, readArchive, writeArchive, type Source } from './archive.js';
import { diskFault } from './disk-fault.js';
import { formatDescription, type BackupKind } from './description.js';
import { checkRecipients, type Protection } from './protection.js';
import { copyStore } from '../store/sqlite-copy.js';

/** In a backup and in a data directory. */
const STORE_FILE = 'hub.db';
const TRIES = 3;

export interface BackupOptions {
  readonly dataDir: string;
  readonly out: string;
  readonly kind: BackupKind;
  readonly protection: Protection;
  readonly clock: Clock;
}

export interface BackupResult {
  readonly files: number;
  readonly bytes: number;
  /** Private keys in it, by file name. */
  readonly keys: readonly string[];
  /** False: only for recipients, so that nobody here can open it; its bytes were compared instead. */
  readonly readBack: boolean;
}

/** Throws `SetupError` (NotInitialised, Unsafe, Exists, Missing, BadSetting, Disk, Corrupt) and `StoreError`. Leaves nothing behind then. */
export async function makeBackup(options: BackupOptions): Promise<BackupResult> {
  const { dataDir, out, kind, protection, clock } = options;
  if (protection.kind === 'recipients') checkRecipients(protection.recipients);
  const paths = hubPaths(dataDir);
  if (!existsSync(paths.config)) {
    throw new SetupError(
      'NotInitialised',
      `${dataDir} holds no hub; give the data directory of one`,
    );
  }
  refuseUnsafeDirectory(dataDir);
  if (existsSync(out)) {
    throw new SetupError('Exists', `${out} exists and is never overwritten; choose another name`);
  }
  const folder = dirname(resolve(out));
  if (!existsSync(folder))
    throw new SetupError('Missing', `${folder} does not exist; make it first`);
  refuseOpenPlace(folder, 'the backup');
  const staging = stagingIn(folder);
  const draft = join(staging, 'draft');
  try {
    const store = join(staging, STORE_FILE);
    await copyStore(paths.database, store, kind);
    const sources = [...(await settledFiles(dataDir, out)), await source(STORE_FILE, store)];
    const root = newestRootOf(dataDir).document;
    const description = formatDescription({
      kind,
      madeAt: new Date(clock.now()).toISOString(),
      program: VERSION,
      fleet: root.fleet,
      rootVersion: root.version,
      files: sources.map(({ file }) => file),
    });
    await writeArchive(draft, {
      description,
      sources,
      protection,
      madeAtS: Math.floor(clock.now() / 1000),
    });
    const readBack = await isReadable(draft, protection);
    if (existsSync(out))
      throw new SetupError('Exists', `${out} was made meanwhile by somebody else`);
    renameSync(draft, out);
    syncDirectory(folder);
    const keys = sources.map(({ file }) => file.path).filter(path => path.startsWith('keys/'));
    return { files: sources.length, bytes: statSync(out).size, keys, readBack };
  } catch (error) {
    throw diskFault(error, 'write', out);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function stagingIn(folder: string): string {
  try {
    return mkdtempSync(join(folder, '.backup-'));
  } catch (error) {
    // The name in the error is one that nobody gave.
    throw diskFault(Object.assign(error as Error, { path: folder }), 'write', folder);
  }
}

/** Throws `SetupError` (BadBackup) if what was written is not what was meant. False: nobody here can look into it. */
async function isReadable(draft: string, protection: Protection): Promise<boolean> {
  if (protection.kind === 'recipients') return false;
  const passphrase = protection.kind === 'passphrase' ? protection.passphrase : undefined;
  await readArchive(draft, { passphrase }, async (_file, content) => {
    for await (const chunk of content) void chunk;
  });
  return true;
}

/** Every file but the store's; read again when one changed while they were read (a root was replaced). */
async function settledFiles(dataDir: string, out: string): Promise<Source[]> {
  for (let tries = 1; ; tries++) {
    const first = await filesOf(dataDir, out);
    const second = await filesOf(dataDir, out);
    const same = JSON.stringify(first) === JSON.stringify(second);
    if (same) return first;
    if (tries === TRIES) {
      throw new SetupError('Corrupt', `${dataDir} changes all the time; try again in a moment`);
    }
  }
}

async function filesOf(dataDir: string, out: string): Promise<Source[]> {
  const found: Source[] = [];
  const walk = async (directory: string): Promise<void> => {
    const entries = readdirSync(directory, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(directory, entry.name);
      const name = relative(dataDir, path).split(sep).join('/');
      // Drafts and marks begin with a dot or end in .new; a backup that lies here is not put into itself.
      if (entry.name.startsWith('.') || entry.name.endsWith('.new') || isBackup(path, out))
        continue;
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile() && !isOfStore(name)) found.push(await source(name, path));
    }
  };
  await walk(dataDir);
  return found;
}

function isOfStore(name: string): boolean {
  return name === STORE_FILE || name.startsWith(`${STORE_FILE}-`);
}

const BACKUP_NAME = /\.flotilla-backup(\.age)?$/;

function isBackup(path: string, out: string): boolean {
  return BACKUP_NAME.test(path) || resolve(path) === resolve(out) || holdsBackups(path);
}

function holdsBackups(path: string): boolean {
  if (!statSync(path).isDirectory()) return false;
  const names = readdirSync(path);
  return names.length > 0 && names.every(name => BACKUP_NAME.test(name));
}

async function source(path: string, from: string): Promise<Source> {
  return { file: { path, ...(await digestOf(from)) }, from };
}
