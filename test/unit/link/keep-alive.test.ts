/** How long the link may be silent: grown while it holds, taken back when it does not, remembered. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  announcedLess,
  answered,
  begunKeepAlive,
  closedInSilence,
  diedInSilence,
  readMemories,
  STEPS_S,
  UNKNOWN_PATH,
  type KeepAlive,
  type KeepAliveMemory,
} from '../../../agent/link/keep-alive.js';

const MOST_S = 300;
const path = (holdsS: number, failedS: number | null = null, times = 0): KeepAliveMemory => {
  return { holdsS, failedS, times };
};

/** So many answers, each after the silence that is in force. */
function afterAnswers(count: number, memory: KeepAliveMemory, mostS = MOST_S): KeepAlive {
  let now = begunKeepAlive(memory, mostS);
  for (let i = 0; i < count; i++) now = answered(now, now.intervalS, mostS);
  return now;
}

const GROWTH: [
  sentence: string,
  KeepAliveMemory,
  answers: number,
  interval: number,
  holds: number,
][] = [
  ['a path that nobody knows begins with a minute', UNKNOWN_PATH, 0, 60, 60],
  ['two answers prove nothing', UNKNOWN_PATH, 2, 60, 60],
  ['three answers in a row are a step', UNKNOWN_PATH, 3, 90, 60],
  ['what was proven is held', UNKNOWN_PATH, 6, 120, 90],
  ['it grows to the most that was announced, and no further', UNKNOWN_PATH, 60, 300, 300],
  ['what is remembered is begun with', path(240), 0, 240, 240],
  ['more than is announced now is not begun with', path(720), 0, 300, 720],
  ['what failed once is tried again', path(180, 240, 1), 3, 240, 180],
  ['and is mended when it holds', path(180, 240, 1), 6, 300, 240],
  ['what failed twice in a row is left alone', path(180, 240, 2), 499, 180, 180],
  ['for five hundred answers', path(180, 240, 2), 500, 240, 180],
  ['and twice as many when it fails again', path(180, 240, 3), 999, 180, 180],
  ['but not for ever', path(180, 240, 40), 8_000, 240, 180],
  ['below what failed it grows as ever', path(60, 240, 5), 12, 180, 180],
];

const DEATHS: [sentence: string, KeepAliveMemory, silentS: number, KeepAliveMemory][] = [
  ['at the step that was tried, back to the one below', path(180), 240, path(180, 240, 1)],
  ['at what held so far, a step back', path(240), 240, path(180, 240, 1)],
  ['the same again counts', path(180, 240, 1), 241, path(180, 240, 2)],
  [
    'after less than the path is known to hold, nothing: it was something else',
    path(240),
    100,
    path(240),
  ],
  ['after a moment, nothing', UNKNOWN_PATH, 20, UNKNOWN_PATH],
  ['after a minute on a new path, half a minute', UNKNOWN_PATH, 60, path(30, 60, 1)],
  ['on what nothing is below of, it stays', path(30, 60, 2), 30, path(30, 30, 1)],
  [
    'twice, each time earlier: it is another path, a minute again',
    path(240, 300, 1),
    240,
    path(60, 240, 1),
  ],
  ['nearly after the step is after the step', path(240), 220, path(180, 240, 1)],
  ['after much more than the step is the highest step below it', path(300), 600, path(300, 480, 1)],
];

describe('the keep-alive', () => {
  for (const [sentence, memory, answers, interval, holds] of GROWTH) {
    test(sentence, () => {
      const now = afterAnswers(answers, memory);
      assert.deepEqual([now.intervalS, now.memory.holdsS], [interval, holds]);
    });
  }

  for (const [sentence, memory, silentS, expected] of DEATHS) {
    test(`died ${sentence}`, () => assert.deepEqual(diedInSilence(memory, silentS), expected));
  }

  test('an answer after less silence proves nothing', () => {
    const now = begunKeepAlive(UNKNOWN_PATH, MOST_S);
    assert.equal(answered(now, 40, MOST_S), now);
  });

  test('steps between are taken too where the most lies between them', () => {
    assert.equal(afterAnswers(60, UNKNOWN_PATH, 200).intervalS, 200);
  });

  for (const timeoutS of [45, 70, 100, 130, 350, 1000, 7200]) {
    test(`on a path that forgets after ${timeoutS} s it comes to rest below that, and dies rarely`, () => {
      let [memory, deaths, asked] = [UNKNOWN_PATH, 0, 0];
      // Ten days and more.
      for (let ranS = 0; ranS < 10 * 86_400;) {
        let now = begunKeepAlive(memory, 1200);
        for (;;) {
          ranS += now.intervalS;
          asked++;
          if (now.intervalS > timeoutS || ranS >= 10 * 86_400) break;
          now = answered(now, now.intervalS, 1200);
        }
        memory = now.memory;
        if (now.intervalS <= timeoutS) break;
        memory = diedInSilence(memory, now.intervalS);
        deaths++;
      }
      const best = STEPS_S.findLast(step => step <= timeoutS) ?? 0;
      assert.ok(memory.holdsS <= timeoutS, `holds ${memory.holdsS}`);
      assert.ok(deaths <= 12, `${deaths} deaths`);
      assert.ok(asked <= 1.2 * ((10 * 86_400) / best) + 20, `${asked} questions, best ${best}`);
    });
  }

  const CLOSED: [
    sentence: string,
    KeepAliveMemory,
    [intervalS: number, silentS: number],
    KeepAliveMemory,
  ][] = [
    ['before the first question takes half a minute', UNKNOWN_PATH, [60, 45], path(30, 60, 1)],
    ['of a moment teaches nothing', UNKNOWN_PATH, [60, 3], UNKNOWN_PATH],
    ['shorter than any step teaches nothing', path(300), [300, 26], path(300)],
    [
      'that was tried for the first time goes back to what held',
      path(120),
      [180, 170],
      path(120, 180, 1),
    ],
    [
      'that was tried again is left alone for long',
      path(120, 180, 1),
      [180, 150],
      path(120, 180, 2),
    ],
    ['that held is a step less', path(300), [300, 299], path(240, 300, 1)],
    ['that is no step is the step below it', path(180), [200, 190], path(120, 180, 1)],
    ['of half a minute cannot be less', path(30), [30, 30], path(30, 30, 1)],
    [
      'much shorter than the one that is tried says nothing of that one',
      path(120),
      [180, 100],
      path(90, 120, 1),
    ],
    [
      'much shorter than what held may be a broker that starts anew',
      path(300),
      [300, 75],
      path(300, 90, 1),
    ],
    [
      'much shorter than what held, again, is a limit that is new',
      path(300, 90, 1),
      [300, 70],
      path(60, 90, 2),
    ],
    [
      'much shorter than what held, at another time, may be one that starts anew again',
      path(300, 90, 1),
      [300, 130],
      path(300, 180, 1),
    ],
  ];
  for (const [sentence, memory, [intervalS, silentS], after] of CLOSED) {
    test(`a connection that the broker closed in a silence ${sentence}`, () => {
      assert.deepEqual(closedInSilence({ memory, intervalS, answers: 1 }, silentS), after);
    });
  }

  test('what a broker refuses is announced less and less, down to half a minute; then it is something else', () => {
    const seen: number[] = [];
    for (let next: number | null = 1200; next !== null; next = announcedLess(next)) seen.push(next);
    assert.deepEqual(seen, [1200, 720, 480, 300, 240, 180, 120, 90, 60, 30]);
  });

  test('reads what it wrote, and nothing else', () => {
    const known = new Map([['mqtts://hub:8883', path(240, 300, 2)]]);
    assert.deepEqual(readMemories(JSON.stringify(Object.fromEntries(known))), known);
    for (const text of [
      null,
      '',
      '[',
      'null',
      '{"a":null}',
      '{"a":{"holdsS":7,"failedS":null,"times":0}}',
    ]) {
      assert.equal(readMemories(text).size, 0, String(text));
    }
  });
});
