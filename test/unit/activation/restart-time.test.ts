/** How long a switch kept pods from being ready: measured, or nothing is said. And what a node says that it holds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { restartSeconds, type Begun } from '../../../agent/activation/restart-time.js';
import type { PodReport } from '../../../agent/ports.js';
import { heldImages } from '../../../agent/report/holdings.js';

const NOW = Date.parse('2026-06-01T12:00:00.000Z');
const BEGUN: Begun = { at: 50_000, now: NOW, isWhole: true };

/** A pod whose container runs since so many seconds after the switch. */
function pod(seconds: number): PodReport {
  const startedAt = new Date(NOW + seconds * 1000).toISOString();
  const containerStatuses = [{ name: 'app', state: { running: { startedAt } } }];
  return { pod: { status: { containerStatuses } } } as unknown as PodReport;
}

describe('the time of a restart', () => {
  const table: readonly [string, Partial<Begun>, number, readonly PodReport[], number | null][] = [
    ['runs from the switch until all pods are ready, in begun seconds', {}, 53_200, [pod(1)], 4],
    ['is a second at least', {}, 50_010, [pod(0)], 1],
    [
      'counts a container that the engine says began in the same second',
      {},
      51_500,
      [pod(-0.9)],
      2,
    ],
    ['is none where no container began since', {}, 53_000, [pod(-60)], null],
    ['is that of the pods that began, whatever else runs', {}, 52_000, [pod(-60), pod(1)], 2],
    ['is none where nobody saw all of it', { isWhole: false }, 53_000, [pod(1)], null],
    ['is none without pods', {}, 53_000, [], null],
  ];
  for (const [name, begun, readyAt, pods, seconds] of table) {
    test(name, () => {
      assert.equal(restartSeconds({ ...BEGUN, ...begun }, { readyAt, pods }), seconds);
    });
  }
});

describe('the images that a node says it holds', () => {
  const image = (n: number, names = [`web:${n}`]) => ({
    ...{ id: `sha256:${n}`, names, sizeBytes: n, createdAt: new Date(NOW + n * 1000) },
  });

  test('are the newest, and it says where there are more', () => {
    const few = heldImages([image(1), image(2)]);
    assert.deepEqual([few.isCut, few.images.map(({ size }) => size)], [false, [2, 1]]);
    const many = heldImages(Array.from({ length: 40 }, (_, n) => image(n)));
    assert.deepEqual([many.isCut, many.images.length, many.images[0]?.size], [true, 32, 39]);
  });

  test('have as many names as a status takes, and none that is longer than it takes', () => {
    const names = [
      'x'.repeat(257),
      '<none>:<none>',
      ...Array.from({ length: 9 }, (_, n) => `a:${n}`),
    ];
    assert.deepEqual(
      heldImages([image(1, names)]).images[0]?.names,
      Array.from({ length: 8 }, (_, n) => `a:${n}`),
    );
  });
});
