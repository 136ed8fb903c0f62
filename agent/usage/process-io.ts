/** Bytes that this process had written to block devices, as the kernel counts them (proc(5), `/proc/pid/io`). Decides nothing. */
import { readFileSync } from 'node:fs';

/** Null where the kernel does not say. */
export function writtenBytes(): number | null {
  try {
    const [, bytes] = /^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8')) ?? [];
    return bytes === undefined ? null : Number(bytes);
  } catch {
    return null;
  }
}
