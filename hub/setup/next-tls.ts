/**
 * The hub's next certificate authority (security.md 1.7: TLS pins): made beside the one in force, in `tls-next/`, and put in its place
 * when the nodes know it. Each step is whole or not there: a directory appears by one rename, and a mark ends an installation that
 * was cut off. Which authorities count is the root's to say.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { DEFAULT_GRANT } from '../../protocol/release-scope.js';
import { hubPaths, type HubConfig } from './config.js';
import { writeCertificates } from './init-certificates.js';
import { generatePrivateKey, writePrivateKey } from './keys.js';
import { withAuthorities } from './kubeconfig.js';
import type { LoadedHub } from './load.js';
import { createAuthority, type Authority, type RandomBytes } from './pki.js';
import {
  makePrivateDirectory,
  readFileIfAny,
  syncDirectory,
  writePrivateFile,
} from './private-files.js';
import { readPair, requireKey, type TlsPair } from './tls-pair.js';

export interface NextTls {
  readonly authority: Authority;
  readonly server: TlsPair;
  readonly mqtt: TlsPair;
}

/** Null if none was made. Throws `SetupError`: Missing, Mode, Corrupt. */
export function readNextTls(dataDir: string): NextTls | null {
  const { nextTls } = hubPaths(dataDir);
  if (!existsSync(nextTls)) return null;
  const { keys, certificates } = hubPaths(nextTls);
  const { certificate } = readPair(keys.authority, certificates.authority);
  return {
    authority: { certificate, privateKey: requireKey(keys.authority, 'p256') },
    server: readPair(keys.server, certificates.server),
    mqtt: readPair(keys.mqtt, certificates.mqtt),
  };
}

export function tlsPairsOf({ authority, server, mqtt }: NextTls) {
  return [authority, server, mqtt];
}

/** Keys, certificates and kubeconfig of an authority that nothing trusts yet. The names of the servers stay. */
export async function makeNextTls(hub: LoadedHub, random: RandomBytes): Promise<void> {
  const { dataDir, config, root } = hub;
  const { nextTls } = hubPaths(dataDir);
  if (existsSync(nextTls)) return;
  const draft = `${nextTls}.new`;
  rmSync(draft, { recursive: true, force: true });
  await writeTls(draft, {
    config,
    fleet: root.document.fleet,
    like: hub.server.certificate,
    random,
  });
  // What a broker of one's own trusts is not replaced at once: `settleTls` says what it is to trust.
  rmSync(hubPaths(draft).broker.authority, { force: true });
  renameSync(draft, nextTls);
  syncDirectory(dataDir);
}

/** A new authority and all that it issues, in a directory laid out like a hub's. */
export async function writeTls(
  directory: string,
  made: {
    readonly config: HubConfig;
    readonly fleet: string;
    /** A server's certificate, PEM, whose names the new one bears. */
    readonly like: string;
    readonly random: RandomBytes;
  },
): Promise<Authority> {
  const { config, fleet, like, random } = made;
  const paths = hubPaths(directory);
  for (const path of [directory, ...Object.values(paths.directories)]) makePrivateDirectory(path);
  const [key, server, mqtt] = [1, 2, 3].map(() => generatePrivateKey('p256')) as [Key, Key, Key];
  writePrivateKey(paths.keys.authority, key);
  writePrivateKey(paths.keys.server, server);
  writePrivateKey(paths.keys.mqtt, mqtt);
  const authority = await createAuthority(key, { fleet, random });
  const plan = { config, serverNames: namesOf(like), grant: DEFAULT_GRANT };
  await writeCertificates(directory, { authority, plan, server, mqtt, random });
  return authority;
}

type Key = ReturnType<typeof generatePrivateKey>;

/** Of a certificate for servers, as it was made. */
function namesOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return names.split(', ').map(name => name.replace(/^(DNS|IP Address):/, ''));
}

/** The next one takes the place of the former, whose certificate stays while a root pins it. Does nothing if none was made. */
export function installNextTls(dataDir: string): void {
  const paths = hubPaths(dataDir);
  if (!existsSync(paths.nextTls)) return;
  if (!existsSync(paths.nextTlsMark)) {
    const former = readFileIfAny(paths.certificates.authority);
    if (former !== null) writePrivateFile(paths.certificates.formerAuthority, former);
    writePrivateFile(paths.nextTlsMark, 'flotilla key rotate tls is at work, or was cut off\n');
  }
  endInstallingTls(dataDir);
}

/** After a crash. Calling it again is safe. */
export function endInstallingTls(dataDir: string): void {
  const { nextTls, nextTlsMark } = hubPaths(dataDir);
  if (!existsSync(nextTlsMark)) return;
  const entries = readdirSync(nextTls, { withFileTypes: true, recursive: true });
  for (const entry of entries.filter(found => found.isFile())) {
    const from = join(entry.parentPath, entry.name);
    if (from === nextTlsMark) continue;
    const to = join(dataDir, from.slice(nextTls.length));
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    renameSync(from, to);
    syncDirectory(dirname(to));
  }
  rmSync(nextTls, { recursive: true, force: true });
  syncDirectory(dataDir);
}

/** An authority that was made for a root which never came, or that a recovery overtook. */
export function dropTlsChange(dataDir: string): void {
  const paths = hubPaths(dataDir);
  rmSync(paths.nextTls, { recursive: true, force: true });
  rmSync(paths.certificates.formerAuthority, { force: true });
  syncDirectory(dataDir);
}

/**
 * Brings what others read to where the change of authority stands: the operator's kubeconfig trusts all that is pinned and shows
 * a certificate of the newest, a broker of one's own is told which to trust, and one that no root pins any more goes.
 */
export function settleTls(hub: LoadedHub): void {
  const { dataDir, nextTls, formerAuthority, authorities, issuer } = hub;
  const paths = hubPaths(dataDir);
  if (formerAuthority === null) rmSync(paths.certificates.formerAuthority, { force: true });
  if (nextTls !== null && issuer === nextTls.authority) {
    const own = readFileIfAny(hubPaths(paths.nextTls).kubeconfig);
    if (own !== null) replace(paths.kubeconfig, withAuthorities(own, authorities));
  }
  if (hub.config.broker === 'embedded') return;
  const isPrepared = nextTls !== null && issuer !== nextTls.authority;
  const all = isPrepared ? authorities + nextTls.authority.certificate : authorities;
  replace(paths.broker.authority, all);
}

function replace(path: string, content: string): void {
  if (readFileIfAny(path) !== content) writePrivateFile(path, content);
}
