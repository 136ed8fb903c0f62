/**
 * Backups that the running hub makes by itself: at the times of `hub.yaml`, one at a time, each named by its time; the
 * newest `keep` stay. One that fails is said in the log, and the next time comes all the same.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { schedule } from 'node-cron';
import type { Clock, Log } from '../../protocol/ports.js';
import type { BackupSetting } from '../setup/config.js';
import { makeBackup } from './backup.js';

const NAME = /^hub-\d{8}T\d{6}Z\.flotilla-backup(\.age)?$/;

export interface BackupMeter {
  /** A backup was made, or failed. */
  ended(isMade: boolean): void;
}

export interface ScheduledParts {
  readonly dataDir: string;
  readonly setting: BackupSetting;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: nobody counts. */
  readonly meter?: BackupMeter;
}

/** Returns the function that ends it. */
export function startScheduledBackups(parts: ScheduledParts): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  const task = schedule(
    parts.setting.schedule,
    () => (running = scheduledBackup(parts).then(made => parts.meter?.ended(made !== null))),
    { noOverlap: true, suppressMissedWarning: true },
  );
  return async () => {
    await task.destroy();
    await running;
  };
}

/** Where it lies; null when it failed, which the log says. */
export async function scheduledBackup(parts: ScheduledParts): Promise<string | null> {
  const { dataDir, setting, clock, log } = parts;
  const { directory, keep, recipients } = setting;
  const stamp = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const out = join(directory, `hub-${stamp}.flotilla-backup${recipients.length > 0 ? '.age' : ''}`);
  try {
    const protection =
      recipients.length > 0
        ? ({ kind: 'recipients', recipients } as const)
        : ({ kind: 'none' } as const);
    const { bytes } = await makeBackup({ dataDir, out, kind: 'full', protection, clock });
    const removed = thin(directory, keep);
    log.info('backup made', { file: out, bytes, removed });
    return out;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error('the scheduled backup failed', { file: out, reason });
    return null;
  }
}

/** When the newest that lies there was made, milliseconds since 1970; null: none does, or the directory cannot be read. */
export function newestBackup(directory: string): number | null {
  try {
    const newest = readdirSync(directory)
      .filter(name => NAME.test(name))
      .sort()
      .at(-1);
    const [, day, time] = /^hub-(\d{8})T(\d{6})Z/.exec(newest ?? '') ?? [];
    if (day === undefined || time === undefined) return null;
    const date = day.replace(/(....)(..)(..)/, '$1-$2-$3');
    return Date.parse(`${date}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`);
  } catch {
    return null;
  }
}

/** Only files that were named here are ever removed. */
function thin(directory: string, keep: number): number {
  const made = readdirSync(directory)
    .filter(name => NAME.test(name))
    .sort()
    .reverse();
  const old = made.slice(keep);
  for (const name of old) rmSync(join(directory, name));
  return old.length;
}
