/** A program's system clock set to another time (libfaketime), its monotonic clocks left alone. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARIES = '/usr/lib';

function library(): string | null {
  for (const folder of readdirSync(LIBRARIES)) {
    const path = join(LIBRARIES, folder, 'faketime/libfaketimeMT.so.1');
    if (existsSync(path)) return path;
  }
  return null;
}

/** False, or a reason to skip. */
export function noFakedClock(): string | false {
  return library() === null ? 'libfaketime is not installed' : false;
}

/** For the environment of a program whose clocks all run faster, waiting included: `speed` seconds in one. */
export function hurriedClock(speed: number): Readonly<Record<string, string>> {
  return { LD_PRELOAD: library() ?? '', FAKETIME: `+0 x${speed}`, FAKETIME_NO_CACHE: '1' };
}

export interface FakedClock {
  /** For the program's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on it shows that time, and runs on; null: the right one. At once, while the program runs. */
  set(time: number | null): void;
}

/** `file`: where the clock is kept. */
export function fakedClock(file: string, time: number | null): FakedClock {
  const set = (at: number | null) => {
    const seconds = at === null ? 0 : Math.round((at - Date.now()) / 1000);
    writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  };
  set(time);
  return {
    env: {
      LD_PRELOAD: library() ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    set,
  };
}
