/**
 * What the hub lived through with each node, for rehearsals: when it was connected, and how it took to revisions. Bounded, and written in
 * transactions that are made anyway: at most 513 bytes a node and 72 a node and bundle, 6 MB for 10,000 nodes with one bundle. The codecs
 * are pure.
 */
import type { Mutation } from './store.js';

/** A node came or went. */
export interface ConnectionChange {
  /** Milliseconds since 1970, whole seconds. */
  readonly at: number;
  readonly online: boolean;
}

/** A node's verdict on a revision. */
export interface Passage {
  /** As above. */
  readonly at: number;
  readonly isHealthy: boolean;
  /** From when it was told and connected, without `minReadySeconds`; null: nobody knows. */
  readonly seconds: number | null;
}

export interface NodePassages {
  readonly namespace: string;
  readonly bundle: string;
  readonly node: string;
  /** Oldest first. */
  readonly passages: readonly Passage[];
}

/** Newer ones take the place of the oldest. */
export const CHANGES_KEPT = 128;
export const PASSAGES_KEPT = 8;

export type ExperienceMutation =
  /** Changes nothing where the newest says the same. */
  | { readonly type: 'connection'; readonly node: string; readonly change: ConnectionChange }
  | {
      readonly type: 'passage';
      readonly namespace: string;
      readonly bundle: string;
      readonly node: string;
      readonly record: Passage;
    }
  /** All of one node; none there is no error. */
  | { readonly type: 'dropExperience'; readonly node: string }
  /** All of one bundle; none there is no error. */
  | { readonly type: 'dropPassages'; readonly namespace: string; readonly bundle: string };

export interface ExperienceReads {
  /** By node, each in order. */
  connections(): Promise<ReadonlyMap<string, readonly ConnectionChange[]>>;
  /** Of all bundles. */
  passages(): Promise<readonly NodePassages[]>;
}

const MUTATIONS: ReadonlySet<string> = new Set<ExperienceMutation['type']>([
  'connection',
  'passage',
  'dropExperience',
  'dropPassages',
]);

export function isExperienceMutation(mutation: Mutation): mutation is ExperienceMutation {
  return MUTATIONS.has(mutation.type);
}

const TIME_BYTES = 4;

/** Whether the first of them was a coming (1), then the seconds of each: they come and go by turns. */
export function writtenChanges(changes: readonly ConnectionChange[]): Buffer {
  const kept = changes.slice(-CHANGES_KEPT);
  const bytes = Buffer.alloc(1 + kept.length * TIME_BYTES);
  bytes[0] = kept[0]?.online === true ? 1 : 0;
  kept.forEach(({ at }, i) => bytes.writeUInt32LE(seconds(at), 1 + i * TIME_BYTES));
  return bytes;
}

export function readChanges(bytes: Buffer): ConnectionChange[] {
  const count = Math.max(0, Math.floor((bytes.byteLength - 1) / TIME_BYTES));
  return Array.from({ length: count }, (_, i) => ({
    at: bytes.readUInt32LE(1 + i * TIME_BYTES) * 1000,
    online: (bytes[0] === 1) === (i % 2 === 0),
  }));
}

/** Null: it says the same as the newest. */
export function withChange(
  changes: readonly ConnectionChange[],
  change: ConnectionChange,
): ConnectionChange[] | null {
  const last = changes[changes.length - 1];
  if (last?.online === change.online) return null;
  const at = Math.max(last?.at ?? 0, seconds(change.at) * 1000);
  return [...changes, { at, online: change.online }].slice(-CHANGES_KEPT);
}

const PASSAGE_BYTES = 9;
const UNKNOWN = 0xffff_ffff;

export function writtenPassages(passages: readonly Passage[]): Buffer {
  const kept = passages.slice(-PASSAGES_KEPT);
  const bytes = Buffer.alloc(kept.length * PASSAGE_BYTES);
  kept.forEach(({ at, isHealthy, seconds: took }, i) => {
    const start = i * PASSAGE_BYTES;
    bytes[start] = isHealthy ? 1 : 0;
    bytes.writeUInt32LE(seconds(at), start + 1);
    bytes.writeUInt32LE(took === null ? UNKNOWN : Math.min(took, UNKNOWN - 1), start + 5);
  });
  return bytes;
}

export function readPassages(bytes: Buffer): Passage[] {
  const count = Math.floor(bytes.byteLength / PASSAGE_BYTES);
  return Array.from({ length: count }, (_, i) => {
    const start = i * PASSAGE_BYTES;
    const took = bytes.readUInt32LE(start + 5);
    return {
      at: bytes.readUInt32LE(start + 1) * 1000,
      isHealthy: bytes[start] === 1,
      seconds: took === UNKNOWN ? null : took,
    };
  });
}

function seconds(at: number): number {
  return Math.min(UNKNOWN, Math.max(0, Math.floor(at / 1000)));
}
