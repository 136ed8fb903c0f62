/** How much disk space a directory takes, measured by `du` so that the agent itself stays idle. Decides nothing. */
import { execFile } from 'node:child_process';

/** A directory that takes longer is measured another time. */
const MEASURE_MS = 60_000;

/** Bytes of the blocks in use, each file once, other file systems below it left out; null when it could not be told. */
export function diskUsage(directory: string): Promise<number | null> {
  return new Promise(resolve => {
    const options = { timeout: MEASURE_MS, killSignal: 'SIGKILL' } as const;
    execFile('du', ['-skx', directory], options, (_error, stdout) => {
      // A file that goes while it is looked at is an error of `du`; the sum counts all the same.
      const kibibytes = /^(\d+)\s/.exec(stdout)?.[1];
      resolve(kibibytes === undefined ? null : Number(kibibytes) * 1024);
    });
  });
}
