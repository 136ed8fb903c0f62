/** The clock of a revision on trial: what counts, what begins the deadline anew, what a restart costs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import {
  afterRestart,
  JUST_OPENED,
  leftMs,
  passed,
  readGate,
  saveEveryMs,
  withProgress,
  writtenGate,
  type GateMemory,
} from '../../../agent/activation/gate.js';
import type { Standing } from '../../../agent/activation/standing.js';

const seen = (made: number, ready: number): Standing => ({
  ...{ is: 'made', reason: '', message: '', culprit: null },
  ...{ made, ready, steady: null },
});

describe('the deadline', () => {
  const rows: readonly [string, GateMemory, Standing, boolean][] = [
    ['the first look', JUST_OPENED, seen(0, 0), true],
    ['another pod is there', { ...JUST_OPENED, made: 1 }, seen(2, 0), true],
    ['a pod of another revision went', { ...JUST_OPENED, made: -1 }, seen(0, 0), true],
    ['another pod is ready', { ...JUST_OPENED, made: 2, ready: 1 }, seen(2, 2), true],
    ['nothing changed', { ...JUST_OPENED, made: 2, ready: 1 }, seen(2, 1), false],
    ['a pod is ready no more', { ...JUST_OPENED, made: 2, ready: 1 }, seen(2, 0), false],
    ['it is ready again', { ...JUST_OPENED, made: 2, ready: 1 }, seen(2, 1), false],
  ];
  for (const [sentence, memory, standing, isAnew] of rows) {
    test(`${sentence}: ${isAnew ? 'begins anew' : 'goes on'}`, () => {
      const after = withProgress(passed(memory, 5000), standing);
      assert.equal(after.stalledMs, isAnew ? 0 : 5000);
    });
  }

  test('whatever pods do by turns, it is begun anew at most once for each of them made and ready', () => {
    const look = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(fc.array(look, { maxLength: 200 }), looks => {
        let memory = JUST_OPENED;
        let anew = 0;
        for (const [made, ready] of looks) {
          memory = withProgress(passed(memory, 1000), seen(made, ready));
          if (memory.stalledMs === 0) anew++;
        }
        assert.ok(anew <= 1 + 4 + 4, `${anew} times`);
      }),
    );
  });
});

describe('while something former ends within its grace', () => {
  const held: Standing = { ...seen(0, 0), is: 'pending', heldUntil: 1 };

  test('the deadline stands still, and what was lost before stays lost', () => {
    let memory = withProgress(passed(JUST_OPENED, 0), seen(0, 0));
    memory = withProgress(passed(memory, 2_000), held);
    for (let i = 0; i < 100; i++) memory = withProgress(passed(memory, 10_000), held);
    assert.equal(memory.stalledMs, 2_000);
    // The time since the last look was still the former one's.
    memory = withProgress(passed(memory, 10_000), seen(0, 0));
    assert.equal(memory.stalledMs, 2_000);
    assert.equal(withProgress(passed(memory, 10_000), seen(0, 0)).stalledMs, 12_000);
  });

  test('an agent that ends again and again does not put it off for ever', () => {
    let memory: GateMemory | null = { ...JUST_OPENED, made: 0 };
    let restarts = 0;
    while (memory !== null && memory.stalledMs < 600_000 && restarts < 1_000) {
      const begun = withProgress(afterRestart(memory, 600_000), held);
      memory = readGate(writtenGate(passed(begun, 50_000)));
      restarts++;
    }
    assert.equal(restarts, 20);
  });
});

describe('what is left of it', () => {
  const strategy = { deadlineMs: 60_000, minReadyMs: 10_000 };
  const at = (stalledMs: number, steadyMs: number | null): GateMemory => ({
    ...{ ...JUST_OPENED, stalledMs, steadyMs: steadyMs ?? 0 },
    steady: steadyMs === null ? null : 'a:1',
  });
  const rows: readonly [string, GateMemory, number][] = [
    ['nothing is ready: the rest of the deadline', at(59_000, null), 1_000],
    ['nothing is ready and it is over', at(61_000, null), -1_000],
    ['all is ready since a second before its end: minReadySeconds more', at(60_000, 1_000), 10_000],
    ['all is ready since its end: nothing more', at(60_000, 0), 0],
    ['what begins to be ready after its end is too late', at(64_000, 3_000), -4_000],
    ['ready for long enough and yet not healthy: nothing more', at(60_000, 10_000), 0],
    ['something former ends in its own time', { ...at(70_000, null), isHeld: true }, Infinity],
  ];
  for (const [sentence, memory, expected] of rows) {
    test(sentence, () => {
      assert.equal(leftMs(memory, strategy), expected);
    });
  }
});

describe('ready for long enough', () => {
  test('begins anew when a container becomes another, or is ready no more', () => {
    const looks: readonly [string | null, number][] = [
      ['a:1', 0],
      ['a:1', 1000],
      ['a:2', 0],
      ['a:2', 1000],
      [null, 0],
      ['a:2', 0],
    ];
    let memory = JUST_OPENED;
    for (const [steady, expected] of looks) {
      memory = withProgress(passed(memory, 1000), { ...seen(1, 1), steady });
      assert.equal(memory.steadyMs, expected, String(steady));
    }
  });
});

describe('a restart of the agent', () => {
  test('costs half of what may not have been saved', () => {
    assert.deepEqual([saveEveryMs(600_000), saveEveryMs(5_000)], [60_000, 500]);
    const saved = { ...JUST_OPENED, stalledMs: 400, made: 1 };
    assert.equal(afterRestart(saved, 600_000).stalledMs, 30_400);
  });

  test('again and again meets the deadline all the same', () => {
    let memory = JUST_OPENED;
    let restarts = 0;
    while (memory.stalledMs < 600_000) {
      memory = afterRestart(memory, 600_000);
      restarts++;
    }
    assert.equal(restarts, 20);
  });

  test('finds what was saved', () => {
    const saved = {
      ...JUST_OPENED,
      steadyMs: 900,
      steady: 'web',
      stalledMs: 400.4,
      made: -1,
      ready: 2,
    };
    const found = { ...JUST_OPENED, stalledMs: 400, made: -1, ready: 2 };
    assert.deepEqual(readGate(writtenGate(saved)), found);
    assert.equal(readGate(null), null);
  });
});
