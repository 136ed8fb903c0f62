/** What crosses a node's link: one changed manifest of fifty, and a month in which nothing happens. */
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { noFakedClock } from '../support/faked-clock.js';
import { Delivered } from './delivered.js';
import type { Figure } from './figure.js';

const PODS = 50;
/** Six hours of the programs’ clocks in 216 s: faster, and answers come too late. */
const SPEED = 100;
const IDLE_MS = 216_000;
/** After a start, until it asks as rarely as it may: an hour. */
const SETTLED_MS = 36_000;
const MONTH_MS = 30 * 86_400_000;
const KIB = 1024;
const MB = 1_000_000;

export async function bytes(): Promise<readonly Figure[]> {
  const world = new Delivered();
  try {
    await world.start();
    world.pods(PODS, n => `word ${n}`);
    await world.apply();
    await world.quiet();
    const without = await world.reconnected();
    const first = world.cable.bytes();
    const changed = world.pod(7, 'another word');
    await world.apply();
    await world.quiet();
    const ours = world.cable.bytes() - first;
    const compressed = gzipSync(changed).byteLength;
    // What travels behind the assignment is read again with it.
    const withPatch = await world.reconnected();

    const idle = await idleMonth(world);
    return [
      {
        // The goal of design is one and a half times the changed bytes, compressed, and a KiB.
        name: 'bytes, one changed manifest of fifty',
        ours: ours / KIB,
        yardstick: (1.5 * compressed + KIB) / KIB,
        unit: 'KiB',
        target: 1,
      },
      {
        name: 'bytes, a reconnect after that change, beside one before it',
        ours: withPatch / KIB,
        yardstick: without / KIB,
        unit: 'KiB',
        target: null,
      },
      ...(idle === null ? [] : [idle]),
    ];
  } finally {
    await world.close();
  }
}

/** Keep-alive, hourly status, what the hub answers: all of it. Null where clocks cannot be hurried. */
async function idleMonth(world: Delivered): Promise<Figure | null> {
  const why = noFakedClock();
  if (why !== false) {
    process.stdout.write(`no idle month: ${why}\n`);
    return null;
  }
  await world.hurry(SPEED);
  await delay(SETTLED_MS);
  const [before, usedBefore] = [world.cable.bytes(), await world.used()];
  await delay(IDLE_MS);
  const used = await world.used();
  const months = (bytes: number) => (bytes / IDLE_MS / SPEED) * MONTH_MS;
  const kinds = Object.entries(used).flatMap(([name, row]) => {
    const more = row[2] - (usedBefore[name as keyof typeof used]?.[2] ?? 0);
    return more > 0 ? [`${name} ${(months(more) / MB).toFixed(2)} MB`] : [];
  });
  process.stdout.write(`an idle month by the agent's own count: ${kinds.join(', ')}\n`);
  const bytes = months(world.cable.bytes() - before);
  const name = 'bytes, the link of an idle month';
  return { name, ours: bytes / MB, yardstick: 2, unit: 'MB', target: 1 };
}
