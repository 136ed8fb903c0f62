/** `flotilla-agent journal`: words as they are typed, and columns that stay where they are while it is followed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followedLines, historyLines } from '../../../agent/cli/journal.js';
import type { HistoryRow, SiteWord } from '../../../agent/journal/history.js';
import { NOW } from '../../support/fleet.js';

function row(n: number, word: SiteWord['word'], name = 'shop'): HistoryRow {
  const entry = { kind: 'site' as const, word, namespace: 'default', name, by: 'mo', reason: '' };
  return { n, at: NOW, hash: '', entry };
}

test('what a person said stands there as it is typed', () => {
  const lines = historyLines({ history: [row(1, 'activateNow'), row(2, 'hold')] });
  assert.match(lines[1] ?? '', /bundle default\/shop +activate --now +by mo$/);
  assert.match(lines[2] ?? '', /bundle default\/shop +hold +by mo$/);
});

test('rows that come later stand in the columns of those before', () => {
  const lines = followedLines();
  const first = lines([row(1, 'hold'), row(2, 'activateNow')]);
  const later = lines([row(3, 'release')]);
  assert.equal(first.length, 3, 'with a head');
  assert.equal(later.length, 1, 'without one');
  for (const line of [...first.slice(1), ...later]) {
    assert.equal(line.indexOf('by mo'), first[0]?.indexOf('WHY'), line);
  }
});
