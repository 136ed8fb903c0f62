/**
 * The signing keys that lie in a hub's data directory: `keys/<role>.key` from `hub init`, `keys/<role>-<id>.key` from rotations. Which
 * of them counts is the root's to say; a file that no root names harms nobody.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RootDocument } from '../../protocol/documents/root.js';
import { keyId, signerOf, type Signer } from '../../protocol/keys.js';
import { hubPaths } from './config.js';
import { generatePrivateKey, readPrivateKey, writePrivateKey } from './keys.js';
import { syncDirectory } from './private-files.js';

export const SIGNING_ROLES = ['root', 'release', 'hub'] as const;
export type SigningRole = (typeof SIGNING_ROLES)[number];

export interface HeldKey {
  readonly role: SigningRole;
  readonly id: string;
  readonly path: string;
  readonly signer: Signer;
}

const FILE = /^(root|release|hub)(?:-[0-9a-f]{16})?\.key$/;

/** Ordered by file name. Throws `SetupError`: Mode, Corrupt. */
export function heldKeys(dataDir: string): HeldKey[] {
  const folder = hubPaths(dataDir).directories.keys;
  return filesIn(folder).flatMap(name => {
    const role = FILE.exec(name)?.[1] as SigningRole | undefined;
    if (role === undefined) return [];
    const path = join(folder, name);
    const key = readPrivateKey(path, 'ed25519');
    if (key === null) return [];
    const signer = signerOf(key);
    return [{ role, id: keyId(signer.publicKey), path, signer }];
  });
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function keyIdsOf({ roles }: Pick<RootDocument, 'roles'>, role: SigningRole): string[] {
  return role === 'release' ? roles.release.flatMap(({ keys }) => keys) : roles[role].keys;
}

/** With the last key that the root lists and that is here: a rotation lists the new one behind the old one. */
export function currentKey(
  held: readonly HeldKey[],
  root: Pick<RootDocument, 'roles'>,
  role: SigningRole,
): HeldKey | null {
  const ids = keyIdsOf(root, role);
  const here = ids.flatMap(id => held.find(key => key.role === role && key.id === id) ?? []);
  return here.at(-1) ?? null;
}

/** On disk when it returns; nothing trusts it before a root names it. */
export function makeHeldKey(dataDir: string, role: SigningRole): HeldKey {
  const key = generatePrivateKey('ed25519');
  const signer = signerOf(key);
  const id = keyId(signer.publicKey);
  const path = join(hubPaths(dataDir).directories.keys, `${role}-${id.slice(0, 16)}.key`);
  writePrivateKey(path, key);
  return { role, id, path, signer };
}

/** Those that the root names in no role: of no use, but a worry. */
export function uselessKeys(
  held: readonly HeldKey[],
  root: Pick<RootDocument, 'roles'>,
): readonly HeldKey[] {
  return held.filter(({ role, id }) => !keyIdsOf(root, role).includes(id));
}

/** Calling it again is safe. */
export function dropKeys(keys: readonly HeldKey[]): void {
  for (const { path } of keys) rmSync(path, { force: true });
  const [first] = keys;
  if (first) syncDirectory(dirname(first.path));
}

export function fileNameOf({ path }: HeldKey): string {
  return `keys/${basename(path)}`;
}
