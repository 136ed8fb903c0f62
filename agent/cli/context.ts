/** What the commands at the device get. */
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import type { Clock } from '../../protocol/ports.js';

export interface CliContext {
  readonly stdout: Writable;
  print(line: string): void;
  /** To a person, beside what is asked for. */
  tell(line: string): void;
  readonly clock: Clock;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Ends the program now, whatever is still under way. */
  exit(code: number): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Adds `--data-dir`, which `FLOTILLA_DATA_DIR` may give. `optional`: the command looks for it itself. */
  withDataDir(command: Command, options?: { readonly optional: boolean }): Command;
}
