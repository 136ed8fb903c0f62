/**
 * What the journal keeps of time: the highest that the hub's signed words proved, with its epoch,
 * and how long the hub has been silent while this machine ran. Never the bare system clock. How often
 * that is written for the passing of time alone: time/silence.ts.
 */
import type { HubTime } from '../time/node-time.js';
import type { Connection } from './database.js';
import { getMeta, setMeta } from './meta.js';
import type { Writer } from './writer.js';

const FLOOR = 'hub-time';
const SILENCE = 'hub-silent-ms';

export interface TimeMemory {
  hubFloor(): HubTime | null;
  /** Milliseconds of uptime without a fresh answer of the hub, as they were saved last. */
  silentMs(): number;
  /** One transaction. What is left out stays. */
  save(change: { readonly hubFloor?: HubTime; readonly silentMs?: number }): void;
}

export function timeMemory(db: Connection, writer: Writer): TimeMemory {
  return {
    hubFloor: () => readFloor(db),
    silentMs: () => Number(getMeta(db, SILENCE) ?? 0) || 0,
    save: ({ hubFloor, silentMs }) =>
      writer.durably(() => {
        if (hubFloor) setMeta(db, FLOOR, JSON.stringify(hubFloor));
        if (silentMs !== undefined) setMeta(db, SILENCE, String(Math.round(silentMs)));
      }),
  };
}

/** Part of the caller's transaction: an accepted assignment raises it; a fresh one may lower it. */
export function noteHubTime(db: Connection, said: HubTime, { fresh }: { fresh: boolean }): void {
  const known = readFloor(db);
  const isLower = known?.epoch === said.epoch && known.time >= said.time;
  if (isLower && !fresh) return;
  setMeta(db, FLOOR, JSON.stringify(said));
}

/** The highest time that the hub's signed words proved. */
export function readFloor(db: Connection): HubTime | null {
  const text = getMeta(db, FLOOR);
  if (text === null) return null;
  const { epoch, time } = JSON.parse(text) as Partial<HubTime>;
  return typeof epoch === 'number' && typeof time === 'number' ? { epoch, time } : null;
}
