/**
 * Keeps one value in a file of the agent's own, so that a new start goes on with it: written as a whole and renamed, when it
 * changed; readable by nobody else.
 *
 * Not synced: for what costs patience and nothing more when a power cut takes it. A file that cannot be read is as good as none.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Log } from '../protocol/ports.js';

export interface FileMemory<T> {
  /** Of the agent's life before this one. */
  readonly before: T;
  /** The same twice is written once. Never throws. */
  save(value: T): void;
}

export interface FileMemoryOptions<T> {
  readonly file: string;
  /** Of parsed JSON, which may be anything; null for no file and for what is no JSON. Does not throw. May throw. */
  readonly read: (json: unknown) => T;
  /** What the file holds, for JSON. The same value gives the same text. */
  readonly write: (value: T) => object;
  /** What cannot be kept, for the log. */
  readonly what: string;
  readonly log: Log;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch {
    return null;
  }
}

export function openFileMemory<T>(options: FileMemoryOptions<T>): FileMemory<T> {
  const { file, read, write, what, log } = options;
  const textOf = (value: T) => JSON.stringify(write(value));
  const before = read(readJson(file));
  let known = textOf(before);
  return {
    before,
    save(value) {
      const text = textOf(value);
      if (text === known) return;
      known = text;
      try {
        writeFileSync(`${file}.new`, text, { mode: 0o600 });
        renameSync(`${file}.new`, file);
      } catch (error) {
        log.warn(`${what} cannot be kept`, { file, error });
      }
    },
  };
}
