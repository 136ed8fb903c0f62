/**
 * What an agent writes to the disk: for rollouts and events, and on a day on which nothing happens. Counted by the kernel, for the whole
 * process (`write_bytes` of proc(5): every 4 KiB of a file that it made dirty, once between two syncs), so the folder must lie on a disk.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { docker, ensureTestImage, noEngine, runningOf } from '../support/docker.js';
import { noFakedClock } from '../support/faked-clock.js';
import { commitsIn } from '../support/sqlite-log.js';
import { Delivered, NODE } from './delivered.js';
import type { Figure } from './figure.js';

const PODS = 3;
/** That are not asked for otherwise. */
const ROLLOUTS = 20;
/** Of the yardstick. */
const COMMITS = 100;
/** Ended containers, each with what is told of it. */
const ENDED = 10;
/** Until a rollout, or a container that ended, has no more consequences. */
const ROLLOUT_MS = 12_000;
/** Of an event as it lies in the journal. */
const EVENT_BYTES = 300;
/** A day of the programs’ clocks in six minutes: faster, and connections break for want of answers in time. */
const SPEED = 240;
const DAY_MS = 86_400_000 / SPEED;
/** After a start, until nothing more follows from it. */
const SETTLED_MS = 15_000;
const KIB = 1024;

export interface WritesOptions {
  readonly rollouts: number | null;
}

/** What devices have: an engine. Where none answers here, what a node without one writes. */
export async function writes({ rollouts }: WritesOptions): Promise<readonly Figure[]> {
  const why = noEngine();
  if (why === false) ensureTestImage();
  const world = new Delivered(why === false ? 'engine' : 'none');
  process.stdout.write(
    why === false ? 'with Docker Engine\n' : `${why}: manifests are written and not run\n`,
  );
  try {
    await begin(world);
    const figures = [await ofRollouts(world, rollouts ?? ROLLOUTS)];
    if (why === false) figures.push(await ofEvents(world));
    return figures;
  } finally {
    await world.close();
  }
}

/** Of a node without an engine: none of its own events keeps it awake. */
export async function idleDay(): Promise<readonly Figure[]> {
  const world = new Delivered();
  try {
    await begin(world);
    const day = await ofIdleDay(world);
    return day === null ? [] : [day];
  } finally {
    await world.close();
  }
}

async function begin(world: Delivered): Promise<void> {
  await world.start();
  world.pods(PODS, () => 'word 0');
  await world.apply();
  await delay(SETTLED_MS);
}

async function ofRollouts(world: Delivered, rollouts: number): Promise<Figure> {
  const [first, eventsBefore] = [world.writtenBytes(), eventsOf(world)];
  let content = 0;
  for (let n = 1; n <= rollouts; n++) {
    content += Buffer.byteLength(world.pod(0, `word ${n}`));
    await world.apply();
    await delay(ROLLOUT_MS);
  }
  const bytes = world.writtenBytes() - first;
  const size = (name: string) => `${(statSync(world.dataDir(name)).size / KIB).toFixed(0)} KiB`;
  process.stdout.write(
    `after ${rollouts} rollouts with ${eventsOf(world) - eventsBefore} events ` +
      `journal.db has ${size('journal.db')}, its log ${size('journal.db-wal')}\n`,
  );
  return {
    name: `writes of a rollout of one changed manifest of ${PODS}, mean of ${rollouts}`,
    ours: bytes / rollouts / KIB,
    yardstick: oneCommitBytes(Math.round(content / rollouts)) / KIB,
    unit: 'KiB',
    target: null,
  };
}

/** Containers that end are started again: what is told of each. */
async function ofEvents(world: Delivered): Promise<Figure> {
  const [first, eventsBefore] = [world.writtenBytes(), eventsOf(world)];
  for (let n = 0; n < ENDED; n++) {
    docker(
      'kill',
      runningOf(world.dataDir(), { pod: `app-${n % PODS}-${NODE}`, container: 'main' }),
    );
    await delay(ROLLOUT_MS);
  }
  await delay(SETTLED_MS);
  const events = eventsOf(world) - eventsBefore;
  process.stdout.write(`${ENDED} containers ended: ${events} events\n`);
  return {
    name: `writes of an event, mean of ${events}`,
    ours: (world.writtenBytes() - first) / events / KIB,
    yardstick: oneCommitBytes(EVENT_BYTES) / KIB,
    unit: 'KiB',
    target: null,
  };
}

/** That were ever told. */
function eventsOf(world: Delivered): number {
  const db = new Database(world.dataDir('journal.db'), { readonly: true });
  try {
    const row = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get();
    return (row as { seq: number } | undefined)?.seq ?? 0;
  } finally {
    db.close();
  }
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

/** One synced SQLite transaction that holds so many bytes and nothing else. Throws where nothing is written to a disk. */
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
    for (let n = 0; n < COMMITS; n++) insert.run(Buffer.alloc(size, n));
    const bytes = (written() - before) / COMMITS;
    db.close();
    if (bytes === 0) throw new Error(`${tmpdir()} is on no disk: set TMPDIR to a folder on one`);
    return bytes;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
