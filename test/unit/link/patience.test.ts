/** How long a broker that was asked is waited for: longer while what was said before the question is on its way. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventEmitter } from 'node:events';
import type { OnItsWay } from '../../../protocol/patience.js';
import { Pinger } from '../../../protocol/pinger.js';

const NOTHING: OnItsWay = { queued: 0, unacknowledged: 0 };
const KIB = 1024;

interface Story {
  readonly intervalS: number;
  /** What is on its way at that second. */
  readonly onItsWay?: (second: number) => OnItsWay;
  /** How long each answer takes, in seconds; Infinity: it never comes. */
  readonly answersAfterS: (question: number) => number;
  readonly untilS: number;
}

/** When the node asked, and when it gave up (null: it did not), in seconds. */
async function told({ intervalS, onItsWay, answersAfterS, untilS }: Story) {
  let now = 0;
  const answers: number[] = [];
  const asked: number[] = [];
  let gaveUp: number | null = null;
  const over = new AbortController();
  const socket = new EventEmitter();
  const client = Object.assign(new EventEmitter(), {
    options: {},
    sendPing: () => {
      client.emit('packetsend', { cmd: 'pingreq' });
      answers.push(now + answersAfterS(asked.length) * 1000);
      asked.push(now / 1000);
    },
  });
  const sleep = async (ms: number) => {
    const until = now + ms;
    for (const at of answers.filter(one => one > now && one <= until)) {
      now = at;
      socket.emit('data');
    }
    now = until;
    if (now >= untilS * 1000) over.abort();
    await Promise.resolve();
  };
  const ended = new Promise<void>(done => {
    over.signal.addEventListener('abort', () => done());
    const pinger = new Pinger({
      clock: { now: () => now, monotonic: () => now, sleep },
      intervalMs: () => intervalS * 1000,
      onItsWay: () => onItsWay?.(now / 1000) ?? NOTHING,
      onAnswer: () => undefined,
      onSilence: () => {
        gaveUp = now / 1000;
        done();
      },
    });
    pinger.listen(socket);
    pinger.drive(client, over.signal);
    client.emit('packetsend', { cmd: 'connect' });
    client.emit('connect');
  });
  await ended;
  return { asked, gaveUp };
}

const NEVER = () => Infinity;

describe('a node asks its broker', () => {
  for (const intervalS of [30, 60, 300]) {
    test(`every ${intervalS} s, as it says, when each answer comes at once`, async () => {
      const { asked, gaveUp } = await told({
        ...{ intervalS, answersAfterS: () => 0.05, untilS: intervalS * 4 - 1 },
      });
      assert.deepEqual(asked, [intervalS, intervalS * 2, intervalS * 3]);
      assert.equal(gaveUp, null);
    });
  }

  test('again as soon as an answer came that took longer than the time between two questions', async () => {
    const { asked } = await told({ intervalS: 30, answersAfterS: () => 40, untilS: 99 });
    assert.deepEqual(asked, [30, 70]);
  });
});

describe('a node gives its broker up', () => {
  const ROWS: [sentence: string, onItsWay: (second: number) => OnItsWay, gaveUpS: number][] = [
    ['45 s after the question, when nothing is on its way', () => NOTHING, 60 + 45],
    [
      'so much later as a link of 2 kB/s needs for what is not acknowledged',
      () => ({ queued: 0, unacknowledged: 96_000 }),
      60 + 45 + 48,
    ],
    [
      'no later for what was said after the question',
      second => ({ queued: 0, unacknowledged: second > 60 ? 96_000 : 0 }),
      60 + 45,
    ],
    [
      '45 s after what it queued got less the last time, where that goes on for long',
      second => ({ queued: Math.max(40, 200 - second) * KIB, unacknowledged: 0 }),
      160 + 45,
    ],
    [
      '45 s after the question, where what it queued only gets more',
      second => ({ queued: second * KIB, unacknowledged: 0 }),
      60 + 45,
    ],
  ];
  for (const [sentence, onItsWay, gaveUpS] of ROWS) {
    test(sentence, async () => {
      const { asked, gaveUp } = await told({
        ...{ intervalS: 60, onItsWay, answersAfterS: NEVER, untilS: 1_000 },
      });
      assert.deepEqual([asked, gaveUp], [[60], gaveUpS]);
    });
  }

  test('not, when the answer stands behind an upload of eighty seconds', async () => {
    const { asked, gaveUp } = await told({
      intervalS: 60,
      onItsWay: second => ({ queued: 0, unacknowledged: second < 140 ? 80_000 : 0 }),
      answersAfterS: question => (question === 0 ? 80 : 1),
      untilS: 299,
    });
    assert.equal(gaveUp, null);
    assert.deepEqual(asked, [60, 140, 200, 260]);
  });
});
