/** How often what is remembered goes to the disk, whatever changes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { afterSave, saveDueAt, type SavePace } from '../../../agent/pods/save-pace.js';

const S = 1000;
const HOUR = 3600 * S;

/** When it is saved, if it changes every so often. */
function savesOf(everyMs: number, overMs: number): readonly number[] {
  const saves: number[] = [];
  let pace: SavePace | undefined;
  for (let changedAt = 0; changedAt < overMs; changedAt += everyMs) {
    if (changedAt < (saves.at(-1) ?? -1)) continue;
    const now = saveDueAt(pace, { changedAt, settleMs: S });
    pace = afterSave(pace, now);
    saves.push(now);
  }
  return saves;
}

describe('what is remembered is saved', () => {
  const rows: readonly (readonly [
    string,
    number,
    number,
    (saves: readonly number[]) => boolean,
  ])[] = [
    ['once for one change', HOUR, HOUR, saves => saves.length === 1],
    ['with every change while a pod starts', 2 * S, 12 * S, saves => saves.length === 6],
    ['a hundred times an hour at most, if it turns each second', S, HOUR, s => s.length < 100],
    [
      'within a minute of any change',
      S,
      HOUR,
      saves => saves.every((at, i) => at - (saves[i - 1] ?? 0) <= 61 * S),
    ],
    [
      'at once again, each time, when there were minutes of calm between',
      300 * S,
      HOUR,
      saves => saves.every((at, i) => at === i * 300 * S + S),
    ],
  ];
  for (const [sentence, everyMs, overMs, holds] of rows) {
    test(sentence, () => {
      const saves = savesOf(everyMs, overMs);
      assert.ok(holds(saves), JSON.stringify(saves));
    });
  }
});
