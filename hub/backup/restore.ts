/**
 * `flotilla hub restore`: a backup becomes a hub again, in an empty directory. The store gets a new id, so that no
 * broker's mark is believed; tokens that were open are void, for they may have been used since; and every node is held
 * unheard: it is sent nothing until it has said itself how far it is (`hub/recovery/`). `hub.yaml` appears last and makes
 * the hub; until then a mark says that a run was cut off.
 */
import { once } from 'node:events';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../protocol/ports.js';
import { hubPaths } from '../setup/config.js';
import { makePrivateDirectory, syncDirectory } from '../setup/private-files.js';
import { refuseUnsafePlace } from '../setup/safe-directory.js';
import { SetupError } from '../setup/setup-error.js';
import { newestRootOf } from '../setup/load.js';
import { openSqliteStore } from '../store/sqlite.js';
import { renewStore } from '../store/sqlite-renewal.js';
import { restoredMutations } from '../recovery/restored-store.js';
import { readArchive } from './archive.js';
import { diskFault } from './disk-fault.js';
import type { BackupDescription } from './description.js';
import { isEncrypted, type Opening } from './protection.js';

const STAGING = '.restoring';
const IGNORED = new Set(['lost+found', '.initialising.new']);

export interface RestoreOptions {
  readonly file: string;
  readonly dataDir: string;
  readonly opening: Opening;
  readonly clock: Clock;
}

export interface RestoreResult {
  readonly description: BackupDescription;
  /** Members that must be heard before anything is sent to them. */
  readonly nodes: readonly string[];
  readonly voidTokens: number;
  /** The file is not encrypted, and others may read or change it. */
  readonly exposed: boolean;
}

/**
 * Throws `SetupError`: Unsafe, NotEmpty, AlreadyInitialised, BadBackup, WrongPassphrase, Disk, Corrupt; `StoreError`. Leaves an
 * empty directory behind then. Calling it again after a crash begins anew.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { file, dataDir, opening, clock } = options;
  const existed = existsSync(dataDir);
  const staging = join(dataDir, STAGING);
  let exposed = false;
  try {
    // Whose fault it is that nothing can be read is said before the directory is touched.
    exposed = !isEncrypted(file) && (statSync(file).mode & 0o077) !== 0;
  } catch (error) {
    throw diskFault(error, 'read', file);
  }
  try {
    refuseUnsafePlace(dataDir);
    claim(dataDir);
    makePrivateDirectory(dataDir);
    makePrivateDirectory(staging);
  } catch (error) {
    throw diskFault(error, 'write', dataDir);
  }
  try {
    const description = await readArchive(file, opening, async ({ path }, content) => {
      const to = join(staging, path);
      mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
      const file = createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true });
      try {
        await pipeline(content, file);
      } finally {
        // Broken off while it is being opened, it appears a moment later.
        if (!file.closed) await once(file, 'close');
      }
    });
    const made = await renewed(staging, { description, clock });
    const { config } = hubPaths(staging);
    const names = readdirSync(staging).filter(name => join(staging, name) !== config);
    for (const name of names) renameSync(join(staging, name), join(dataDir, name));
    syncDirectory(dataDir);
    renameSync(config, hubPaths(dataDir).config);
    rmSync(staging, { recursive: true });
    syncDirectory(dataDir);
    return { description, ...made, exposed };
  } catch (error) {
    for (const name of readdirSync(dataDir)) {
      if (!IGNORED.has(name)) rmSync(join(dataDir, name), { recursive: true, force: true });
    }
    if (!existed) rmSync(dataDir, { recursive: true, force: true });
    throw diskFault(error, 'write', dataDir);
  }
}

function claim(dataDir: string): void {
  let entries: string[] = [];
  try {
    entries = readdirSync(dataDir).filter(name => !IGNORED.has(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') throw new SetupError('NotEmpty', `${dataDir} is not a directory`);
    if (code !== 'ENOENT') throw error;
  }
  if (existsSync(hubPaths(dataDir).config)) {
    throw new SetupError(
      'AlreadyInitialised',
      `${dataDir} holds a hub; restore into an empty directory, and keep this one until you know that it is not needed`,
    );
  }
  if (entries.includes(STAGING)) {
    for (const name of entries) rmSync(join(dataDir, name), { recursive: true, force: true });
  } else if (entries.length > 0) {
    throw new SetupError('NotEmpty', `${dataDir} is not empty: choose an empty or a new directory`);
  }
}

async function renewed(
  staging: string,
  { description, clock }: { description: BackupDescription; clock: Clock },
): Promise<Pick<RestoreResult, 'nodes' | 'voidTokens'>> {
  const paths = hubPaths(staging);
  const root = newestRootOf(staging).document;
  if (root.fleet !== description.fleet || root.version !== description.rootVersion) {
    throw new SetupError('BadBackup', 'its root is not the one that its description names');
  }
  renewStore(paths.database);
  const store = await openSqliteStore({ path: paths.database, clock, create: false });
  try {
    const made = await restoredMutations(store, {
      restoredAt: new Date(clock.now()).toISOString(),
      backupAt: description.madeAt,
      epoch: root.epoch,
    });
    await store.commit({ kind: 'hub', name: 'restore' }, made.mutations);
    return { nodes: made.nodes, voidTokens: made.voidTokens };
  } finally {
    await store.close();
    rmSync(`${paths.database}-lock`, { force: true });
  }
}
