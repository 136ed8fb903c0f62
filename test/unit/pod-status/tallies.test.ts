/** Row 222: what is counted of pods, and when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Tallies } from '../../../agent/pods/tallies.js';
import { manifest, wish, wishes } from '../../support/pods.js';

const web = manifest('web');
const { uid } = wish(web);
const wanted = wishes([web]);
const nothing = wishes([]);
const unread = wishes([], { complete: false });

type Round = readonly [typeof wanted, readonly string[]];
const rows: readonly [string, readonly Round[], { restarted: number; orphaned: number }][] = [
  [
    'a pod that begins',
    [
      [wanted, []],
      [wanted, [uid]],
    ],
    { restarted: 0, orphaned: 0 },
  ],
  [
    'a pod that ends',
    [
      [wanted, [uid]],
      [nothing, [uid]],
      [nothing, []],
    ],
    { restarted: 0, orphaned: 0 },
  ],
  [
    'row 222: back while it was ending, it is a restarted one, once',
    [
      [wanted, [uid]],
      [nothing, [uid]],
      [wanted, [uid]],
      [wanted, [uid]],
      [wanted, []],
    ],
    { restarted: 1, orphaned: 0 },
  ],
  [
    'back after its end it is a new one',
    [
      [wanted, [uid]],
      [nothing, [uid]],
      [nothing, []],
      [wanted, []],
      [wanted, [uid]],
    ],
    { restarted: 0, orphaned: 0 },
  ],
  [
    'what a new agent finds and nobody wants is an orphan, once',
    [
      [nothing, [uid]],
      [nothing, [uid]],
      [nothing, []],
    ],
    { restarted: 0, orphaned: 1 },
  ],
  ['found and wanted it is none', [[wanted, [uid]]], { restarted: 0, orphaned: 0 }],
  [
    'nobody knows before the sources have spoken',
    [
      [unread, [uid]],
      [wanted, [uid]],
    ],
    { restarted: 0, orphaned: 0 },
  ],
];

describe('restarted and orphaned pods', () => {
  for (const [sentence, rounds, { restarted, orphaned }] of rows) {
    test(sentence, () => {
      const tallies = new Tallies();
      for (const [desired, present] of rounds) tallies.notePresent(desired, new Set(present));
      const { restartedPods, orphanedPods } = tallies.figures;
      assert.deepEqual([restartedPods, orphanedPods], [restarted, orphaned]);
    });
  }
});
