/** What an agent writes to the disk: while nothing happens, and for a rollout. Counted by the kernel, for the whole process. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { Delivered } from './delivered.js';
import type { Figure } from './figure.js';

const PODS = 3;
const ROLLOUTS = 20;
const IDLE_MS = 120_000;
const KIB = 1024;

export async function writes(): Promise<readonly Figure[]> {
  const world = new Delivered();
  try {
    await world.start();
    world.pods(PODS, () => 'word 0');
    await world.apply();
    await world.quiet();
    const first = world.writtenBytes();
    let content = 0;
    for (let n = 1; n <= ROLLOUTS; n++) {
      content += Buffer.byteLength(world.pod(0, `word ${n}`));
      await world.apply();
    }
    await world.quiet();
    const perRollout = (world.writtenBytes() - first) / ROLLOUTS;
    const before = world.writtenBytes();
    await delay(IDLE_MS);
    const idle = world.writtenBytes() - before;
    process.stdout.write(
      `two idle minutes: ${idle} bytes written (goal 0); the journal has ` +
        `${(statSync(world.dataDir('journal.db')).size / KIB).toFixed(0)} KiB\n`,
    );
    return [
      {
        name: `writes, one changed manifest of ${PODS}, mean of ${ROLLOUTS} rollouts`,
        ours: perRollout / KIB,
        yardstick: oneCommitBytes(content / ROLLOUTS) / KIB,
        unit: 'KiB',
        target: null,
      },
    ];
  } finally {
    await world.close();
  }
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
