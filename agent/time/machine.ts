/**
 * How long this machine has been running: a clock that nobody can set, which goes on while the
 * machine sleeps (CLOCK_BOOTTIME), the id of that run, and whether another runs while it is off. Decides nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';

export interface Machine {
  /** New with each start of the machine. */
  readonly bootId: string;
  /** Milliseconds since it was started. */
  uptimeMs(): number;
  /** It has a clock that runs while it is off; left out: none. */
  readonly hasRealTimeClock?: boolean;
}

export function thisMachine(): Machine {
  let bootId = '';
  try {
    bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Without an id no two looks are known to be of one run.
  }
  const hasRealTimeClock = existsSync('/sys/class/rtc/rtc0');
  return { bootId, uptimeMs: () => uptime() * 1000, hasRealTimeClock };
}
