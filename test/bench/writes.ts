/** What an agent writes to the disk: on a day on which nothing happens, and for rollouts. Counted by the kernel, for the whole process. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { noFakedClock } from '../support/faked-clock.js';
import { commitsIn } from '../support/sqlite-log.js';
import { Delivered } from './delivered.js';
import type { Figure } from './figure.js';

const PODS = 3;
const ROLLOUTS = 100;
/** A day of the programs’ clocks in six minutes: faster, and connections break for want of answers in time. */
const SPEED = 240;
const DAY_MS = 86_400_000 / SPEED;
/** After a start, until nothing more follows from it. */
const SETTLED_MS = 15_000;
const KIB = 1024;

export async function writes(): Promise<readonly Figure[]> {
  const world = new Delivered();
  try {
    await world.start();
    world.pods(PODS, () => 'word 0');
    await world.apply();
    await world.quiet();
    const rollouts = await ofRollouts(world);
    const day = await ofIdleDay(world);
    return day === null ? [rollouts] : [rollouts, day];
  } finally {
    await world.close();
  }
}

async function ofRollouts(world: Delivered): Promise<Figure> {
  const first = world.writtenBytes();
  let content = 0;
  for (let n = 1; n <= ROLLOUTS; n++) {
    content += Buffer.byteLength(world.pod(0, `word ${n}`));
    await world.apply();
  }
  await world.quiet();
  const size = (name: string) => `${(statSync(world.dataDir(name)).size / KIB).toFixed(0)} KiB`;
  process.stdout.write(
    `after ${ROLLOUTS} rollouts journal.db has ${size('journal.db')}, ` +
      `its log ${size('journal.db-wal')}\n`,
  );
  return {
    name: `writes of ${ROLLOUTS} rollouts of one changed manifest of ${PODS}`,
    ours: (world.writtenBytes() - first) / KIB,
    yardstick: (oneCommitBytes(content / ROLLOUTS) * ROLLOUTS) / KIB,
    unit: 'KiB',
    target: 8,
  };
}

/** Null where clocks cannot be hurried. */
async function ofIdleDay(world: Delivered): Promise<Figure | null> {
  const why = noFakedClock();
  if (why !== false) {
    process.stdout.write(`no idle day: ${why}\n`);
    return null;
  }
  await world.hurry(SPEED);
  await delay(SETTLED_MS);
  const [bytes, transactions] = [world.writtenBytes(), commitsIn(world.dataDir('journal.db-wal'))];
  await delay(DAY_MS);
  const more = commitsIn(world.dataDir('journal.db-wal')) - transactions;
  process.stdout.write(`an idle day: ${world.writtenBytes() - bytes} bytes written\n`);
  return {
    name: 'writes of an idle day',
    ours: more,
    yardstick: 1,
    unit: 'transactions',
    target: 1,
  };
}

/** One synced SQLite transaction that holds the changed manifest and nothing else. */
function oneCommitBytes(size: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'fl-writes-'));
  const written = () =>
    Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  try {
    const db = new Database(join(folder, 'yardstick.db'));
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE blobs (n INTEGER PRIMARY KEY, bytes BLOB NOT NULL)');
    const insert = db.prepare('INSERT INTO blobs (bytes) VALUES (?)');
    const before = written();
    for (let n = 0; n < ROLLOUTS; n++) insert.run(Buffer.alloc(Math.round(size), n));
    const bytes = (written() - before) / ROLLOUTS;
    db.close();
    return bytes;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
