/** A folder in which worlds lie: however the program ends, but by SIGKILL, nothing of them is left (agents, mounts, containers, files). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  readonly folder: string;
  /** Closed in the end, the last first. Returns it. */
  readonly keep: <T extends { close(): Promise<void> | void }>(made: T) => T;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ENDED_BY_SIGNAL = 130;

/** `prefix`: short, for sockets lie in the folder. */
export async function withScratch<T>(
  prefix: string,
  body: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const kept: { close(): Promise<void> | void }[] = [];
  const close = async () => {
    for (let last = kept.pop(); last; last = kept.pop()) await last.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const end = () => void close().finally(() => process.exit(ENDED_BY_SIGNAL));
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    return await body({
      folder,
      keep: made => {
        kept.push(made);
        return made;
      },
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    await close();
  }
}
