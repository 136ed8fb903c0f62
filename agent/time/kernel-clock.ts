/**
 * Whether the kernel's clock is disciplined by anything (NTP, PTP, GPS): adjtimex(2) knows, for
 * chrony, ntpd, timesyncd alike, and Node cannot call it. `timedatectl` asks it where systemd runs,
 * busybox elsewhere; where neither can tell it counts as not disciplined. Asked at the start and
 * hourly: nothing is accepted or refused for it, it only tells `synced` from `floor`.
 */
import { execFile } from 'node:child_process';
import type { Clock } from '../../protocol/ports.js';

const LOOK_MS = 3_600_000;
const TIMEOUT_MS = 5_000;

const QUESTIONS: readonly { command: string; args: string[]; yes: RegExp; no: RegExp }[] = [
  {
    command: 'timedatectl',
    args: ['show', '--property=NTPSynchronized', '--value'],
    yes: /^yes$/m,
    no: /^no$/m,
  },
  {
    command: 'busybox',
    args: ['adjtimex'],
    yes: /\(clock synchronized\)/,
    no: /\(clock not synchronized\)/,
  },
];

export interface KernelClock {
  isSynced(): boolean;
  close(): void;
}

export function watchKernelClock(options: {
  readonly clock: Clock;
  readonly onChange: () => void;
}): KernelClock {
  const { clock, onChange } = options;
  const stop = new AbortController();
  let synced = false;
  void (async () => {
    while (!stop.signal.aborted) {
      const now = await askKernel(stop.signal);
      if (stop.signal.aborted) return;
      if (now !== synced) {
        synced = now;
        onChange();
      }
      await clock.sleep(LOOK_MS, stop.signal);
    }
  })();
  return { isSynced: () => synced, close: () => stop.abort() };
}

/** Resolves false where nothing can tell. Never rejects. */
export async function askKernel(signal: AbortSignal): Promise<boolean> {
  for (const { command, args, yes, no } of QUESTIONS) {
    const said = await output(command, args, signal);
    if (yes.test(said)) return true;
    if (no.test(said)) return false;
  }
  return false;
}

/** Programs that fail say nothing; busybox ends with the return value of the call. */
function output(command: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise(resolve => {
    const options = { timeout: TIMEOUT_MS, signal, maxBuffer: 65_536 };
    execFile(command, args, options, (_, stdout) => resolve(stdout));
  });
}
