/**
 * A second, small copy of the journal's counters beside it. A journal that says less than its twin
 * was put back from an older copy: then its counters must not be trusted (security S33). Written by
 * temp file, fsync and rename after the journal's own commit, so it can only ever be behind. It also has what must outlive the journal:
 * the files of the bundles that run, which revisions were healthy last, the floors that they set, what a person at the device holds, what was undone there, and what
 * failed here.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OwnedFile } from './content.js';
import type { HoldRecord } from './holds.js';

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
  /** What could be gone back to: of each bundle the last healthy revision, then the one before it; left out: nobody knows. */
  readonly healthy?: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly revision: number;
    readonly digest: string;
  }[];
  /** Left out: nobody knows. */
  readonly holds?: readonly HoldRecord[];
  /** Newest revision of a bundle first; left out: nobody knows. */
  readonly undone?: readonly GivenUpRecord[];
  /** Likewise; without what its containers said last. */
  readonly failed?: readonly (GivenUpRecord & { readonly reason: string })[];
}

/** A revision that a person went back from, or that did not become healthy here. */
export interface GivenUpRecord {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly digest: string;
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly message: string;
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
    return { ...counters, ...keptIn(kept) } as unknown as Twin;
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

type Fields = readonly [texts: string[], numbers: string[]];

const KEPT: Readonly<Record<'bundles' | 'files' | 'floors', Fields>> = {
  bundles: [
    ['namespace', 'name', 'digest'],
    ['revision', 'attempt'],
  ],
  files: [['file', 'namespace', 'name', 'pod', 'manifest', 'content'], []],
  floors: [['namespace', 'name'], ['floor']],
};

/** Of versions that knew them. */
const KNOWN_LATER: Readonly<Record<'healthy' | 'holds' | 'undone' | 'failed', Fields>> = {
  healthy: [['namespace', 'name', 'digest'], ['revision']],
  holds: [['namespace', 'name', 'by', 'reason'], ['at']],
  undone: [
    ['namespace', 'name', 'digest', 'message'],
    ['revision', 'attempt', 'at'],
  ],
  failed: [
    ['namespace', 'name', 'digest', 'reason', 'message'],
    ['revision', 'attempt', 'at'],
  ],
};

/** Nothing where a list that must be there is not sound; one that may be missing is left out then. */
function keptIn(value: unknown): Pick<Twin, 'kept'> {
  if (typeof value !== 'object' || value === null) return {};
  const lists = value as Record<string, unknown>;
  const areSound = Object.entries(KEPT).every(([list, fields]) => isListOf(lists[list], fields));
  if (!areSound) return {};
  const { bundles, files, floors } = lists;
  const later = Object.entries(KNOWN_LATER).filter(([list, fields]) =>
    isListOf(lists[list], fields),
  );
  const kept = { bundles, files, floors, ...pick(lists, later) };
  return { kept: kept as unknown as Kept };
}

function pick(lists: Record<string, unknown>, some: readonly (readonly [string, Fields])[]) {
  return Object.fromEntries(some.map(([list]) => [list, lists[list]]));
}

function isListOf(rows: unknown, [texts, numbers]: Fields): boolean {
  if (!Array.isArray(rows)) return false;
  return (rows as unknown[]).every(row => {
    if (typeof row !== 'object' || row === null) return false;
    const fields = row as Record<string, unknown>;
    return (
      texts.every(key => typeof fields[key] === 'string') &&
      numbers.every(key => Number.isSafeInteger(fields[key]))
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
