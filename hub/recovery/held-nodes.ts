/**
 * Whom a restored hub must not send anything: those that it has not heard, unless the root has raised its epoch since the
 * backup was made, so that no counter of theirs is in the way.
 */
import type { Store } from '../store/store.js';

export async function heldNodes(
  store: Pick<Store, 'recovery' | 'unheard'>,
  epoch: number,
): Promise<ReadonlySet<string>> {
  const recovery = await store.recovery();
  if (!recovery || epoch > recovery.epoch) return new Set();
  return new Set(await store.unheard());
}
