/**
 * What the kernel wrote down of processes that it killed for memory: for an engine that does not tell, or not always.
 * Reads, changes nothing; where the log may not be read nothing is known.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { EngineId } from './runtime.js';

const KERNEL_LOG = '/dev/kmsg';
/** One record of the kernel's log is at most 8 KiB. */
const RECORD_BYTES = 8192;
const RECORDS_MAX = 100_000;

/** True when a process of the container was killed because the container reached its memory limit. */
export function tellsOfKill(record: string, container: EngineId): boolean {
  return (
    record.includes('oom-kill:') && record.includes('oom_memcg=') && record.includes(container)
  );
}

/** False also when the record was overwritten by now. */
export async function wasKilledForMemory(container: EngineId): Promise<boolean> {
  let log;
  try {
    log = await open(KERNEL_LOG, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  const buffer = Buffer.alloc(RECORD_BYTES);
  try {
    for (let i = 0; i < RECORDS_MAX; i++) {
      try {
        const { bytesRead } = await log.read(buffer, 0, buffer.length, null);
        const record = buffer.toString('utf8', 0, bytesRead);
        if (bytesRead === 0 || tellsOfKill(record, container)) return bytesRead > 0;
      } catch (error) {
        // EPIPE: records were overwritten while we read; the next read goes on after them.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return false;
      }
    }
    return false;
  } finally {
    await log.close();
  }
}
