/**
 * Lets a process's disk fail from outside, while it runs: a library that stands in front of the C library counts each
 * call that changes a file or makes a change last, and refuses those that it is told to. SQLite's calls are among
 * them. Needs a C compiler.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, '../../../test/kill/failing-disk.c');

/** `torn`: the first is written by half. `once`: the first alone; `short`: both. */
export const FAULTS = {
  full: { code: 'ENOSPC', torn: false, once: false },
  torn: { code: 'ENOSPC', torn: true, once: false },
  failing: { code: 'EIO', torn: false, once: false },
  once: { code: 'EIO', torn: false, once: true },
  short: { code: 'ENOSPC', torn: true, once: true },
} as const;

export type FaultName = keyof typeof FAULTS;

/** Places in the file that the library shares. */
const [COUNT, FROM, UNTIL, ERROR, TORN, FAILED, FIELDS] = [0, 1, 2, 3, 4, 5, 8];
const FOREVER = 2n ** 62n;

/** The library, made anew. */
export function buildLibrary(folder: string): string {
  const library = join(folder, 'failing-disk.so');
  const flags = ['-O2', '-shared', '-fPIC', '-D_LARGEFILE64_SOURCE'];
  execFileSync('gcc', [...flags, '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
  return library;
}

export class FailingDisk {
  readonly isCertain = true;
  readonly #library: string;
  readonly #state: string;
  readonly #trace: string;
  readonly #fd: number;

  /** `folder`: for what is told and asked. */
  constructor(library: string, folder: string) {
    this.#library = library;
    this.#state = join(folder, 'disk-state');
    this.#trace = join(folder, 'disk-trace');
    writeFileSync(this.#state, Buffer.alloc(8 * FIELDS));
    this.#fd = openSync(this.#state, 'r+');
  }

  /** Of a process whose calls on files below `roots` are counted from now on. */
  environment(roots: readonly string[], isTraced = false): Record<string, string> {
    writeSync(this.#fd, Buffer.alloc(8 * FIELDS), 0, 8 * FIELDS, 0);
    rmSync(this.#trace, { force: true });
    return {
      LD_PRELOAD: this.#library,
      FAILING_DISK_STATE: this.#state,
      FAILING_DISK_ROOTS: roots.join(':'),
      ...(isTraced ? { FAILING_DISK_TRACE: this.#trace } : {}),
    };
  }

  /** From the `nth` call on, counted from 1. */
  failFrom(nth: number, fault: FaultName): void {
    const { code, torn, once } = FAULTS[fault];
    this.#set(ERROR, BigInt(constants.errno[code]));
    this.#set(TORN, torn ? 1n : 0n);
    this.#set(UNTIL, once ? BigInt(nth + 1) : FOREVER);
    this.#set(FROM, BigInt(nth));
  }

  mend(): void {
    this.#set(FROM, 0n);
  }

  calls(): number {
    return Number(this.#get(COUNT));
  }

  /** Calls that were refused. */
  failed(): number {
    return Number(this.#get(FAILED));
  }

  /** `CALL PATH`, in the order in which they were made. */
  trace(): string[] {
    return readFileSync(this.#trace, 'utf8').trimEnd().split('\n');
  }

  close(): void {
    closeSync(this.#fd);
  }

  #set(field: number, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    writeSync(this.#fd, bytes, 0, 8, 8 * field);
  }

  #get(field: number): bigint {
    const bytes = Buffer.alloc(8);
    readSync(this.#fd, bytes, 0, 8, 8 * field);
    return bytes.readBigInt64LE();
  }
}
