/**
 * After a hub's keys were stolen (security.md 1.7): the hub, from its directory or a backup of it, makes new keys and a new authority,
 * asks to be named in the next root of a higher epoch, and takes that root with every node's assignment from generation 1. Two
 * calls, with the ceremony between; each may be repeated after a crash. What is new lies in `recovery/` until the root is there.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { Signer } from '../../protocol/keys.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot, reopenRoot } from '../../protocol/verify-root.js';
import { rootWrites } from '../root/root-writes.js';
import { envelopeText, readRootFile } from '../root/root-file.js';
import { assignmentsUnder } from '../rollout/controller.js';
import type { Actor } from '../store/store.js';
import { openSqliteStore } from '../store/sqlite.js';
import { hubPaths } from './config.js';
import { dropKeys, heldKeys, makeHeldKey } from './held-keys.js';
import { requestText } from './init-offline.js';
import { generatePrivateKey, writePrivateKey } from './keys.js';
import { loadHub } from './load.js';
import { dropTlsChange, writeTls } from './next-tls.js';
import { pinOf, type RandomBytes } from './pki.js';
import {
  makePrivateDirectory,
  readFileIfAny,
  syncDirectory,
  writePrivateFile,
} from './private-files.js';
import { SetupError } from './setup-error.js';

const ACTOR: Actor = { kind: 'user', name: 'hub recover' };

export interface RecoveryRequest {
  readonly request: string;
  readonly hubKey: string;
  readonly tlsPins: readonly string[];
  /** Of the root in force. */
  readonly version: number;
  readonly oldHubKeys: readonly string[];
  readonly rootThreshold: number;
}

/** Throws `SetupError`. Called again it makes new keys: nobody can have trusted the former ones. */
export async function beginRecovery(options: {
  readonly dataDir: string;
  readonly keepAuthority: boolean;
  readonly random: RandomBytes;
}): Promise<RecoveryRequest> {
  const { dataDir, random } = options;
  const paths = hubPaths(dataDir);
  const hub = loadHub(dataDir);
  const { document } = hub.root;
  if (document.development) {
    throw new SetupError(
      'Unsupported',
      'the root key lay at this hub too: who has it can sign roots, and no root helps against that; ' +
        'make a new hub with --offline-root and join the devices anew',
    );
  }
  rmSync(paths.recovery, { recursive: true, force: true });
  const made = hubPaths(paths.recovery);
  for (const path of [paths.recovery, ...Object.values(made.directories)])
    makePrivateDirectory(path);
  const key = makeHeldKey(paths.recovery, 'hub');
  writePrivateKey(made.keys.sealing, generatePrivateKey('x25519'));
  let pins: readonly string[] = document.tls;
  if (!options.keepAuthority) {
    const { config } = hub;
    const like = hub.server.certificate;
    const authority = await writeTls(paths.recovery, {
      ...{ config, fleet: document.fleet, like, random },
    });
    pins = [pinOf(authority.certificate)];
  }
  const { fleet } = document;
  const hubKey = key.signer.publicKey;
  writePrivateFile(paths.request, requestText({ fleet, hubKey, tls: pins }));
  return {
    request: paths.request,
    hubKey: key.id,
    tlsPins: pins,
    version: document.version,
    oldHubKeys: document.roles.hub.keys,
    rootThreshold: document.roles.root.threshold,
  };
}

export interface Recovered {
  readonly version: number;
  readonly epoch: number;
  readonly assignments: number;
}

/** Throws `SetupError`: NotInitialised without a recovery begun, BadSetting for a root that does not cure. */
export async function completeRecovery(options: {
  readonly dataDir: string;
  readonly rootPath: string;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<Recovered> {
  const { dataDir, rootPath, clock } = options;
  const paths = hubPaths(dataDir);
  if (!existsSync(paths.recovery)) {
    const what = `${dataDir}: no recovery was begun`;
    throw new SetupError(
      'NotInitialised',
      `${what}; run: flotilla hub recover --data-dir ${dataDir}`,
    );
  }
  const isInstalling = existsSync(paths.recoveryMark);
  const current = isInstalling ? readRootOf(paths.formerRoot) : loadHub(dataDir).root;
  const next = nextRoot(rootPath, current);
  const { signer, authorityPin } = newParts(dataDir, next.document);
  refuseUncured(rootPath, { next: next.document, current: current.document, authorityPin });
  const store = await openSqliteStore({ path: paths.database, clock, create: false });
  let written = 0;
  try {
    if (!isInstalling) {
      // An authority that a rotation made is of before the theft, like the one that goes now.
      if (existsSync(hubPaths(paths.recovery).certificates.authority)) dropTlsChange(dataDir);
      writePrivateFile(paths.formerRoot, current.envelope);
      writePrivateFile(
        paths.recoveryMark,
        'flotilla hub recover is at work, or was cut off: run it again\n',
      );
    }
    const now = new Date(clock.now()).toISOString();
    const root = () => next;
    const assignments = await assignmentsUnder({ ...options, store, root, hubSigner: signer });
    const writes = rootWrites(next, { by: ACTOR.name, now });
    await store.commit(ACTOR, [...writes, ...assignments.mutations]);
    ({ written } = assignments);
  } finally {
    await store.close();
  }
  install(dataDir);
  writePrivateFile(paths.root, next.envelope);
  const listed = next.document.roles.hub.keys;
  dropKeys(heldKeys(dataDir).filter(({ role, id }) => role === 'hub' && !listed.includes(id)));
  rmSync(paths.recovery, { recursive: true, force: true });
  syncDirectory(dataDir);
  const { version, epoch } = next.document;
  return { version, epoch, assignments: written };
}

function readRootOf(path: string): TrustedRoot {
  const read = readRootFile(readFileIfAny(path) ?? '');
  if (!read.ok) throw new SetupError('Corrupt', `${path}: ${read.refusal.detail}`);
  const root = reopenRoot(Buffer.from(envelopeText(read.value)), read.value.digest);
  if (!root.ok) throw new SetupError('Corrupt', `${path}: ${root.refusal.detail}`);
  return root.value;
}

function nextRoot(rootPath: string, current: TrustedRoot): TrustedRoot {
  const bad = (what: string) => new SetupError('BadSetting', `${rootPath}: ${what}`);
  const text = readFileIfAny(rootPath);
  if (text === null) throw bad('there is no such file');
  const file = readRootFile(text);
  if (!file.ok) throw bad(`${file.refusal.code}: ${file.refusal.detail}`);
  const opened = openNextRoot(Buffer.from(envelopeText(file.value)), current);
  if (!opened.ok) throw bad(`${opened.refusal.code}: ${opened.refusal.detail}`);
  return opened.value;
}

/** The key that was made for this recovery, wherever a try that was cut off left it. */
function newParts(
  dataDir: string,
  root: RootDocument,
): { readonly signer: Signer; readonly authorityPin: string } {
  const paths = hubPaths(dataDir);
  const made = hubPaths(paths.recovery);
  const held = [...heldKeys(paths.recovery), ...heldKeys(dataDir)];
  const key = held.find(({ role, id }) => role === 'hub' && root.roles.hub.keys.includes(id));
  const authority =
    readFileIfAny(made.certificates.authority) ?? readFileIfAny(paths.certificates.authority);
  if (!key) {
    const from = `root-${Math.max(1, root.version - 1)}.json`;
    const hint = `make it with: flotilla root edit --from ${from} --request ${paths.request} --raise-epoch`;
    throw new SetupError('BadSetting', `the root does not name this hub's new key: ${hint}`);
  }
  return { signer: key.signer, authorityPin: authority === null ? '' : pinOf(authority) };
}

function refuseUncured(
  rootPath: string,
  {
    next,
    current,
    authorityPin,
  }: { next: RootDocument; current: RootDocument; authorityPin: string },
): void {
  const bad = (what: string) => new SetupError('BadSetting', `${rootPath}: ${what}`);
  if (next.epoch <= current.epoch) {
    throw bad(
      `keeps epoch ${current.epoch}: what the thief assigned would go on counting; use --raise-epoch`,
    );
  }
  const old = next.roles.hub.keys.find(id => current.roles.hub.keys.includes(id));
  if (old !== undefined) throw bad(`still names the stolen hub key ${old}`);
  if (!next.tls.includes(authorityPin)) throw bad("does not pin this hub's authority");
}

/** Each file takes the place of its former one; those that a try before moved are gone from here. */
function install(dataDir: string): void {
  const { recovery, recoveryMark, formerRoot } = hubPaths(dataDir);
  const entries = readdirSync(recovery, { withFileTypes: true, recursive: true });
  for (const entry of entries.filter(found => found.isFile())) {
    const from = join(entry.parentPath, entry.name);
    if (from === recoveryMark || from === formerRoot) continue;
    const to = join(dataDir, from.slice(recovery.length));
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    renameSync(from, to);
    syncDirectory(dirname(to));
  }
}
