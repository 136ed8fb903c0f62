/** A chain of genuine roots of the test fleet: each signed by the keys of the one before and its own. */
import type { RootDocument } from '../../protocol/documents/root.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { idOf, ROOT, rootDocument, signer } from './fleet.js';

/** Of a version: each has a root key of its own, so that none in between can be left out. */
export function rootKeyOf(version: number): Signer {
  return version === 1 ? ROOT : signer(`root key ${version}`);
}

export function chainedDocument(version: number, change: Partial<RootDocument> = {}): RootDocument {
  const base = rootDocument({ version });
  if (version === 1) return { ...base, ...change };
  const key = rootKeyOf(version);
  const keys = { ...base.keys, [idOf(key)]: key.publicKey };
  delete keys[idOf(ROOT)];
  const roles = { ...base.roles, root: { threshold: 1, keys: [idOf(key)] } };
  return { ...base, keys, roles, ...change };
}

export function chainedRoot(version: number, change: Partial<RootDocument> = {}): Buffer {
  const signers = [version - 1, version].filter(n => n > 0).map(rootKeyOf);
  return seal('root', chainedDocument(version, change), signers);
}
