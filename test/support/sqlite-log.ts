/** What a log of SQLite tells about the transactions that went into it (SQLite, "WAL Frame Header Format"). */
import { readFileSync } from 'node:fs';

const HEADER = 32;
const FRAME_HEADER = 24;

/** Of a write-ahead log: frames that say how many pages the file has after them. Since the log began anew. */
export function commitsIn(file: string): number {
  const log = readFileSync(file);
  if (log.byteLength < HEADER) return 0;
  const [frame, salts] = [FRAME_HEADER + log.readUInt32BE(8), log.subarray(16, 24)];
  let commits = 0;
  for (let at = HEADER; at + frame <= log.byteLength; at += frame) {
    // Left from before the log began anew.
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    if (log.readUInt32BE(at + 4) !== 0) commits++;
  }
  return commits;
}
