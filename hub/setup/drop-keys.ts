/** Private keys at a hub that its root names in no role: found, and removed when somebody says so. */
import { dropKeys, fileNameOf, heldKeys, uselessKeys } from './held-keys.js';
import { loadHub } from './load.js';

export interface UselessKey {
  readonly role: string;
  readonly id: string;
  /** Below the data directory. */
  readonly file: string;
}

/** Throws `SetupError`. */
export function findUselessKeys(dataDir: string): readonly UselessKey[] {
  return useless(dataDir).map(key => ({ role: key.role, id: key.id, file: fileNameOf(key) }));
}

/** Calling it again is safe. */
export function removeUselessKeys(dataDir: string): void {
  dropKeys(useless(dataDir));
}

function useless(dataDir: string) {
  const { root } = loadHub(dataDir);
  // A hub key that no root names yet may have been made for the next one.
  return uselessKeys(heldKeys(dataDir), root.document).filter(({ role }) => role !== 'hub');
}
