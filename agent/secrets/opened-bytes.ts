/**
 * Which bytes were opened for one use and are to be overwritten after it. Those of a Secret that lies in the directory are the
 * source's own and are not among them.
 */

const opened = new WeakSet<Uint8Array>();

/** A copy for one use: whoever gets it wipes it. */
export function openedCopy(bytes: Uint8Array): Uint8Array {
  // Not from Buffer's shared pool: it would leave traces beside other Buffers.
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  opened.add(copy);
  return copy;
}

/** Overwrites bytes that were opened for one use; leaves all others alone. Twice is safe. */
export function wipe(bytes: Uint8Array): void {
  if (opened.has(bytes)) bytes.fill(0);
}
