/**
 * The node's private sealing keys as they lie on the disk: the one that the hub knows, and the one before it, with which the node opens
 * what nobody has sealed anew since the rotation (S92). Read again when a file changed.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { identityPaths } from '../membership/private-keys.js';

/** What the rotation leaves beside the new key. */
const PREVIOUS = 'sealing.previous.key';

/** Null for a file that is not there. */
function stampOf(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.ino} ${stats.mtimeMs} ${stats.size}`;
}

/** Null for what is no key: the other one may do. */
function readKey(path: string): KeyObject | null {
  try {
    const key = createPrivateKey(readFileSync(path, 'utf8'));
    return key.asymmetricKeyType === 'x25519' ? key : null;
  } catch {
    return null;
  }
}

/** The newest first; empty where the node has none. */
export function openSealingKeys(dataDir: string): () => readonly KeyObject[] {
  const { directory, sealingKey } = identityPaths(dataDir);
  const paths = [sealingKey, join(directory, PREVIOUS)];
  let stamps = '';
  let keys: readonly KeyObject[] = [];
  return () => {
    const now = JSON.stringify(paths.map(stampOf));
    if (now !== stamps) {
      keys = paths.flatMap(path => readKey(path) ?? []);
      stamps = now;
    }
    return keys;
  };
}
