/** Two devices with one key: what only they can have said is told from what somebody replays. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NO_STARTS, withReport, withSession, type Starts } from '../../../hub/ingest/starts.js';

type Step = (before: Starts) => Starts;

const connects =
  (boot: number, n: number, session = `${boot}.${n}`): Step =>
  before =>
    withSession(before, { boot, n, session });
const reports =
  (boot: number, counter: number, digest = `${boot}.${counter}`, retained = false): Step =>
  before =>
    withReport(before, { boot, counter, digest }, { retained });

const run = (...steps: Step[]) => steps.reduce((state, step) => step(state), NO_STARTS);

const ROWS: readonly [string, Step[], string | null][] = [
  [
    'starts and reports in order',
    [connects(1, 1), reports(1, 1), connects(2, 1), reports(2, 1)],
    null,
  ],
  [
    'S64: an older status, replayed',
    [connects(1, 1), reports(1, 1), reports(1, 2), reports(1, 1)],
    null,
  ],
  [
    'S64: a status of an older start, replayed',
    [reports(1, 4), connects(2, 1), reports(1, 4)],
    null,
  ],
  ['S64: an older presence, replayed', [connects(1, 1), connects(2, 1), connects(1, 1)], null],
  ['S65: will and birth of one connection', [connects(1, 1), connects(1, 1)], null],
  [
    'what the broker kept of the start before',
    [connects(1, 1), reports(1, 1), connects(2, 1), reports(1, 9, 'x', true)],
    null,
  ],
  [
    'S33: a disk that was put back connects again',
    [connects(6, 1), connects(7, 1), connects(6, 1, 'z')],
    'SessionTwice',
  ],
  ['S73: two clones start at once', [connects(8, 1, 'a'), connects(8, 1, 'b')], 'SessionTwice'],
  ['S73: two statuses under one number', [reports(8, 3, 'a'), reports(8, 3, 'b')], 'StatusTwice'],
  [
    'S73: the first device reports on after its clone has started',
    [connects(7, 1), reports(7, 5), connects(8, 1), reports(7, 6)],
    'OlderStart',
  ],
];

describe('the starts of a node', () => {
  for (const [sentence, steps, reason] of ROWS) {
    test(sentence, () => assert.equal(run(...steps).fork?.reason ?? null, reason));
  }

  test('what was noticed first stays, and says what to do', () => {
    const state = run(
      connects(8, 1, 'a'),
      connects(8, 1, 'b'),
      reports(8, 3, 'a'),
      reports(8, 3, 'b'),
    );
    assert.equal(state.fork?.reason, 'SessionTwice');
    assert.match(state.fork?.message ?? '', /revoke the node and join it anew/);
  });

  test('are remembered for the last sixteen', () => {
    const state = run(...Array.from({ length: 40 }, (_, boot) => connects(boot, 1)));
    assert.equal(state.starts.length, 16);
    assert.equal(state.starts[15]?.boot, 39);
  });
});
