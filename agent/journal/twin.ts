/**
 * A second, small copy of the journal's counters beside it. A journal that says less than its twin
 * was put back from an older copy: then its counters must not be trusted (security S33). Written by
 * temp file, fsync and rename after the journal's own commit, so it can only ever be behind. It also names the files of
 * the bundles that run and the floors that they set, so that pods run on when the journal is lost.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OwnedFile } from './content.js';

export const TWIN_FILE = 'journal.floors.json';

export interface Twin {
  readonly journal: string;
  readonly boot: number;
  readonly rootVersion: number;
  readonly epoch: number;
  readonly generation: number;
  readonly kept?: Kept;
}

/** What has to outlive the journal. */
export interface Kept {
  readonly bundles: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly revision: number;
    readonly digest: string;
    readonly attempt: number;
  }[];
  /** By their content: no other bytes are explained. */
  readonly files: readonly OwnedFile[];
  readonly floors: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly floor: number;
  }[];
}

const NUMBERS = ['boot', 'rootVersion', 'epoch', 'generation'] as const;

/**
 * Null when there is none, or one that cannot be read: it is a detector, never a reason not to
 * start.
 */
export function readTwin(file: string): Twin | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return null;
    const record = value as Record<string, unknown>;
    if (typeof record['journal'] !== 'string') return null;
    if (!NUMBERS.every(key => Number.isSafeInteger(record[key]))) return null;
    const { kept, ...counters } = record;
    return { ...counters, ...(isKept(kept) ? { kept } : {}) } as unknown as Twin;
  } catch {
    return null;
  }
}

function writeTwin(file: string, twin: Twin): void {
  const temporary = `${file}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    // Until all of it is written: on a disk that fills a single write may write a part.
    writeFileSync(fd, `${JSON.stringify(twin)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  const directory = openSync(dirname(file), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

const KEPT: Readonly<Record<keyof Kept, readonly [texts: string[], numbers: string[]]>> = {
  bundles: [
    ['namespace', 'name', 'digest'],
    ['revision', 'attempt'],
  ],
  files: [['file', 'namespace', 'name', 'pod', 'manifest', 'content'], []],
  floors: [['namespace', 'name'], ['floor']],
};

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(KEPT).every(([list, [texts, numbers]]) => {
    const rows = (value as Record<string, unknown>)[list];
    if (!Array.isArray(rows)) return false;
    return (rows as Record<string, unknown>[]).every(
      row =>
        texts.every(key => typeof row[key] === 'string') &&
        numbers.every(key => Number.isSafeInteger(row[key])),
    );
  });
}

/** What the disk refuses, or null. */
export function tryToWriteTwin(file: string, twin: Twin): string | null {
  try {
    writeTwin(file, twin);
    return null;
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    return error.message;
  }
}

/** True when the journal is older than what was once written beside it. */
export function isPutBack(journal: Twin, twin: Twin): boolean {
  if (journal.journal !== twin.journal) return true;
  if (journal.boot < twin.boot || journal.rootVersion < twin.rootVersion) return true;
  if (journal.epoch !== twin.epoch) return journal.epoch < twin.epoch;
  return journal.generation < twin.generation;
}
