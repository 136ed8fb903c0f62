/**
 * A week in which nothing happens to a node that no network reaches, with clocks that run faster: what it writes, and
 * whether its memory grows. Its pods run on an engine in memory; transactions are counted in the journal's log, and the
 * files of its data directory are compared, because the agent's own log is the machine's business.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { NetworkWorld } from '../network/world.js';
import { hurriedClock } from '../support/faked-clock.js';
import { filesOf } from '../support/files.js';
import { residentBytes } from '../support/process-memory.js';
import { commitsIn } from '../support/sqlite-log.js';
import { median, type Figure } from './figure.js';

const NODE = 'edge-1';
const DAYS = 7;
/** Faster, and calls of the engine are given up for taking too long. */
const SPEED = 600;
const DAY_MS = 86_400_000 / SPEED;
/** After a start, until nothing more follows from it. */
const SETTLED_MS = 10_000;
const LOOKS_PER_DAY = 12;
const MIB = 1024 * 1024;

export async function idleWeek(): Promise<readonly Figure[]> {
  const world = new NetworkWorld({ nodes: [NODE] });
  const { play } = world;
  try {
    await world.begin();
    await play.kill(NODE, 'SIGTERM');
    world.wire.unplug();
    world.startAgent(NODE, hurriedClock(SPEED));
    await delay(SETTLED_MS);
    const wal = play.path(NODE, 'journal.db-wal');
    const [before, commits] = [filesOf(play.path(NODE)), commitsIn(wal)];
    const days: number[] = [];
    for (let day = 0; day < DAYS; day++) {
      days.push(await residentOfDay(play.pid(NODE)));
      process.stdout.write(`day ${day + 1}: ${(days.at(-1) ?? 0).toFixed(1)} MiB in memory\n`);
    }
    const after = filesOf(play.path(NODE));
    const changed = [...after].filter(([name, said]) => before.get(name) !== said);
    const names = changed.map(([name]) => name).join(', ') || 'none';
    process.stdout.write(`files that the week changed: ${names}\n`);
    const more = commitsIn(wal) - commits;
    return [
      {
        ...{ name: 'writes of an idle week without a network', ours: more, yardstick: DAYS },
        ...{ unit: 'transactions', target: 1 },
      },
      {
        ...{ name: 'memory of the last day of it beside the second', unit: 'MiB', target: 1.1 },
        ...{ ours: days.at(-1) ?? NaN, yardstick: days[1] ?? NaN },
      },
    ];
  } finally {
    await world.close();
  }
}

/** The middle of what it has over a day, in MiB. */
async function residentOfDay(pid: number): Promise<number> {
  const seen: number[] = [];
  for (let look = 0; look < LOOKS_PER_DAY; look++) {
    await delay(DAY_MS / LOOKS_PER_DAY);
    seen.push(residentBytes(pid) / MIB);
  }
  return median(seen);
}
