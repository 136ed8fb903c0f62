/**
 * Room on the disk that is held back for starting on a full one: small files beside the journal, one of which is given up each time
 * that the journal cannot be opened for lack of space. They are written again when there is plenty. No promise hangs on them: a
 * reserve that cannot be written or is gone changes nothing but that a start on a full disk fails.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { JournalError, unusable } from './database.js';

/** Starts in a row on a full disk, with nothing freed between them. */
export const PIECES = 4;
/** The journal's log and its index, grown by one start. */
export const PIECE_BYTES = 512 * 1024;
const FULL = 'the disk is full: free some space and start again; pods that run go on';
/** Below it nothing is held back anew. */
const PLENTY_BYTES = 8 * PIECES * PIECE_BYTES;

function pieceAt(dataDir: string, index: number): string {
  return join(dataDir, `journal.reserve-${index}`);
}

/** Completes it where there is plenty of space. Again changes nothing. Never throws. */
export function keepReserve(dataDir: string): void {
  for (let index = 0; index < PIECES; index++) {
    const path = pieceAt(dataDir, index);
    if (sizeOf(path) === PIECE_BYTES) continue;
    if (!(freeBytes(dataDir) >= PLENTY_BYTES) || !write(path)) return;
  }
}

/** Whether a start could open the journal, on a full disk too. */
export function hasRoomToStart(dataDir: string): boolean {
  const pieces = Array.from({ length: PIECES }, (_, index) => sizeOf(pieceAt(dataDir, index)));
  return pieces.some(bytes => bytes > 0) || !isShort(dataDir);
}

/** Tried again with each piece that is given up. Throws what `open` throws; `Unusable` when no piece is left. */
export function onReserve<T>(dataDir: string, open: () => T): T {
  for (;;) {
    try {
      return open();
    } catch (error) {
      const isUnusable = error instanceof JournalError && error.code === 'Unusable';
      if (!isUnusable || !isShort(dataDir)) throw error;
      if (!release(dataDir)) throw unusable(dataDir, new Error(FULL, { cause: error }));
    }
  }
}

/** Gives up one piece. False: there is none left. */
function release(dataDir: string): boolean {
  for (let index = PIECES - 1; index >= 0; index--) {
    const path = pieceAt(dataDir, index);
    if (sizeOf(path) === 0) continue;
    rmSync(path, { force: true });
    return true;
  }
  return false;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** Whether too little is left to open a journal. */
function isShort(dataDir: string): boolean {
  return freeBytes(dataDir) < PIECE_BYTES;
}

function freeBytes(dataDir: string): number {
  try {
    const { bavail, bsize } = statfsSync(dataDir);
    return bavail * bsize;
  } catch {
    return Number.NaN;
  }
}

/** Random, so that no file system packs it; synced, so that the space is taken. */
function write(path: string): boolean {
  try {
    const file = openSync(path, 'w', 0o600);
    try {
      const bytes = randomBytes(PIECE_BYTES);
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return true;
  } catch {
    rmSync(path, { force: true });
    return false;
  }
}
