/**
 * What a process has in memory, as a core dump would have it: every writable page that is there. Node reserves gigabytes that hold
 * nothing, so that a real dump would take minutes. Needs the rights of a debugger.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const PAGE = 4096;
const RUN_PAGES_MAX = 4096;
/** A needle may lie across two reads. */
const OVERLAP = 256;

interface Mapping {
  readonly start: number;
  readonly pages: number;
}

function writableMappings(pid: number): Mapping[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap(line => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined || line.includes('[vvar')) return [];
      const start = parseInt(from, 16);
      return [{ start, pages: (parseInt(to, 16) - start) / PAGE }];
    });
}

/** Calls `look` with all of it, piece by piece. Throws what the system says where this is not allowed. */
export function readMemory(pid: number, look: (piece: Buffer) => void): number {
  const [memory, map] = ['mem', 'pagemap'].map(name => openSync(`/proc/${pid}/${name}`, 'r'));
  let bytes = 0;
  try {
    for (const { start, pages } of writableMappings(pid)) {
      let tail: Buffer = Buffer.alloc(0);
      for (let at = 0; at < pages; at += RUN_PAGES_MAX) {
        const count = Math.min(RUN_PAGES_MAX, pages - at);
        const entries = Buffer.alloc(count * 8);
        readSync(map ?? -1, entries, 0, entries.length, (start / PAGE + at) * 8);
        for (let page = 0; page < count; page += 1) {
          // Present, or swapped out.
          if (((entries[page * 8 + 7] ?? 0) & 0xc0) === 0) {
            tail = Buffer.alloc(0);
            continue;
          }
          const piece = Buffer.alloc(PAGE);
          const read = readSync(memory ?? -1, piece, 0, PAGE, start + (at + page) * PAGE);
          bytes += read;
          const whole = Buffer.concat([tail, piece.subarray(0, read)]);
          look(whole);
          tail = whole.subarray(-OVERLAP);
        }
      }
    }
  } finally {
    for (const fd of [memory, map]) if (fd !== undefined) closeSync(fd);
  }
  return bytes;
}

/** What of it lies in memory now, shared pages included. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
