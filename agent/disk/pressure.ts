/**
 * When a file system of the node is nearly full. Low: less than a tenth of it is left, or less than 1 GiB where a tenth is more (the
 * kubelet's `nodefs.available<10%`, which on a large disk is no shortage); or less than a twentieth of its inodes, or 10,000 where that is
 * more (`nodefs.inodesFree<5%`). It ends when a quarter more than that is there, so that nothing swings at the mark. Pure.
 */
import { bytesText } from '../../protocol/usage.js';
import type { SourceCondition } from '../ports.js';

/** What `statfs` says of one file system. Inodes are 0 where it has no such number. */
export interface FileSystemRoom {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly totalInodes: number;
  readonly freeInodes: number;
}

/** What lies on it, in the words of a person; and where. */
export interface Place {
  readonly what: string;
  readonly path: string;
}

const BYTES = { share: 0.1, most: 1024 ** 3 } as const;
const INODES = { share: 0.05, most: 10_000 } as const;
/** What has to be there for the end of it, as a multiple of the mark. */
const ENDS_AT = 1.25;

export type Shortage = 'space' | 'inodes';

function isShort(
  { share, most }: { readonly share: number; readonly most: number },
  { total, left, was }: { readonly total: number; readonly left: number; readonly was: boolean },
): boolean {
  return left < Math.min(total * share, most) * (was ? ENDS_AT : 1);
}

/** What it is short of; empty: of nothing. `before`: at the last look. */
export function shortages(
  room: FileSystemRoom,
  before: ReadonlySet<Shortage>,
): ReadonlySet<Shortage> {
  const { totalBytes, availableBytes, totalInodes, freeInodes } = room;
  const space = { total: totalBytes, left: availableBytes, was: before.has('space') };
  const inodes = { total: totalInodes, left: freeInodes, was: before.has('inodes') };
  return new Set<Shortage>([
    ...(isShort(BYTES, space) ? (['space'] as const) : []),
    ...(isShort(INODES, inodes) ? (['inodes'] as const) : []),
  ]);
}

/** What is told changes with each tenth of the mark, and not with each byte. */
const STEPS = 10;

function roundedUp(left: number, { share, most }: typeof BYTES | typeof INODES, total: number) {
  const step = Math.max(1, Math.round(Math.min(total * share, most) / STEPS));
  return (Math.floor(left / step) + 1) * step;
}

function leftText(room: FileSystemRoom, short: ReadonlySet<Shortage>): string {
  const { totalBytes, availableBytes, totalInodes, freeInodes } = room;
  const bytes = bytesText(roundedUp(availableBytes, BYTES, totalBytes));
  const inodes = roundedUp(freeInodes, INODES, totalInodes);
  return [
    ...(short.has('space') ? [`less than ${bytes} of ${bytesText(totalBytes)} is left`] : []),
    ...(short.has('inodes') ? [`fewer than ${inodes} of ${totalInodes} inodes are left`] : []),
  ].join(', and ');
}

export interface ShortPlace {
  readonly places: readonly Place[];
  readonly room: FileSystemRoom;
  readonly short: ReadonlySet<Shortage>;
}

/** None while there is room. */
export function pressureConditions(found: readonly ShortPlace[]): SourceCondition[] {
  const low = found.filter(({ short }) => short.size > 0);
  if (low.length === 0) return [];
  const isSpace = low.some(({ short }) => short.has('space'));
  const texts = low.map(({ places, room, short }) => {
    const names = places.map(({ what, path }) => `${what} (${path})`).join(' and ');
    return `${names}: ${leftText(room, short)}`;
  });
  const reason = isSpace ? 'SpaceLow' : 'InodesLow';
  return [{ type: 'DiskPressure', status: 'True', reason, message: texts.join('; ') }];
}
