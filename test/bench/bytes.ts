/** What crosses a node's link: one changed manifest of fifty, and a month in which nothing happens. */
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Delivered } from './delivered.js';
import type { Figure } from './figure.js';

const PODS = 50;
const IDLE_MS = 180_000;
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
    const first = world.cable.bytes();
    const changed = world.pod(7, 'another word');
    await world.apply();
    await world.quiet();
    const ours = world.cable.bytes() - first;
    const compressed = gzipSync(changed).byteLength;

    const before = world.cable.bytes();
    await delay(IDLE_MS);
    const idle = ((world.cable.bytes() - before) / IDLE_MS) * MONTH_MS;
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
        name: 'bytes, the link of an idle month (without what is sent hourly)',
        ours: idle / MB,
        yardstick: 2,
        unit: 'MB',
        target: 1,
      },
    ];
  } finally {
    await world.close();
  }
}
