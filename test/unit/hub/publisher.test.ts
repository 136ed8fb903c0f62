/** What a broker lacks by the mark that it keeps, and how far the next mark may go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hubBackOffMs } from '../../../hub/link/back-off.js';
import {
  Coverage,
  planPublications,
  type PublishPlan,
} from '../../../hub/link/publisher-decide.js';
import { SendWindow, type SendQueue } from '../../../hub/link/send-window.js';
import { seal } from '../../../protocol/envelope.js';
import { FLEET, HUB, NODE, ROOT, trustedRoot } from '../../support/fleet.js';

const STORE = '5'.repeat(32);
const LAST = 10;

function mark(number: number, { store = STORE, fleet = FLEET, signer = HUB } = {}): Buffer {
  return seal('mark', { fleet, store, number }, [signer]);
}

describe('after a connect the hub publishes', () => {
  const everything = (reason: PublishPlan['reason']) => ({ after: 0, reason });
  const hubDocument = { fleet: FLEET, epoch: 1, session: '1'.repeat(32), online: true };
  const ROWS: readonly [string, Uint8Array | null, PublishPlan][] = [
    ['everything to a broker without a mark', null, everything('NoMark')],
    ['everything over a mark that was cleared', Buffer.alloc(0), everything('NoMark')],
    [
      'everything over the mark of another store',
      mark(5, { store: '6'.repeat(32) }),
      everything('OtherStore'),
    ],
    ['everything over a mark from its own future', mark(11), everything('MarkAhead')],
    ['everything over a mark that a node signed', mark(5, { signer: NODE }), everything('BadMark')],
    [
      'everything over a mark that only the root signed',
      mark(5, { signer: ROOT }),
      everything('BadMark'),
    ],
    [
      'everything over the mark of another fleet',
      mark(5, { fleet: 'a'.repeat(32) }),
      everything('BadMark'),
    ],
    [
      'everything over another document of the hub',
      seal('hub', { ...hubDocument, sealingKey: '2'.repeat(64) }, [HUB]),
      everything('BadMark'),
    ],
    ['everything over noise', Buffer.from('{"number":10}'), everything('BadMark')],
    ['everything over a mark below zero', mark(-1), everything('BadMark')],
    [
      'everything over a mark of zero, which covers nothing',
      mark(0),
      { after: 0, reason: 'Behind' },
    ],
    ['what came after the mark', mark(7), { after: 7, reason: 'Behind' }],
    ['nothing to a broker that has all', mark(LAST), { after: LAST, reason: 'UpToDate' }],
  ];
  for (const [sentence, seen, plan] of ROWS) {
    test(sentence, () => {
      const reading = { fresh: false, mark: seen, root: trustedRoot(), store: STORE, last: LAST };
      assert.deepEqual(planPublications(reading), plan);
    });
  }

  test('everything to a broker that has just started', () => {
    const reading = { fresh: true, mark: null, root: trustedRoot(), store: STORE, last: LAST };
    assert.deepEqual(planPublications(reading), everything('FreshBroker'));
  });
});

describe('a mark covers', () => {
  const ROWS: readonly [string, { sent: number[]; acknowledged: number[] }, number][] = [
    ['what the broker had, when nothing was sent', { sent: [], acknowledged: [] }, 2],
    ['no more before the first PUBACK', { sent: [3, 4], acknowledged: [] }, 2],
    ['what lies before the oldest without a PUBACK', { sent: [3, 5, 8], acknowledged: [3, 8] }, 4],
    ['all that was sent when all is acknowledged', { sent: [3, 5, 9], acknowledged: [9, 3, 5] }, 9],
    ['the same when a PUBACK comes twice', { sent: [3, 4, 5], acknowledged: [3, 3] }, 3],
  ];
  for (const [sentence, { sent, acknowledged }, expected] of ROWS) {
    test(sentence, () => {
      const coverage = new Coverage(2);
      for (const number of sent) coverage.sent(number);
      for (const number of acknowledged) coverage.acknowledged(number);
      assert.equal(coverage.covered(), expected);
    });
  }

  test('numbers in ascending order only', () => {
    const coverage = new Coverage(2);
    coverage.sent(4);
    assert.throws(() => coverage.sent(4));
    assert.throws(() => coverage.sent(3));
  });
});

describe('the send window', () => {
  /** Takes a place for each letter (p, m) in order; returns the order of grants beyond the free places. */
  async function grants(size: number, wanted: string): Promise<string> {
    const window = new SendWindow(size);
    let order = '';
    const all = [...wanted].map((letter, i) => {
      const queue: SendQueue = letter === 'p' ? 'publication' : 'message';
      return window.take(queue).then(granted => {
        if (granted && i >= size) order += letter;
      });
    });
    for (let i = 0; i < wanted.length; i++) {
      await Promise.resolve();
      window.release();
    }
    await Promise.all(all);
    assert.equal(window.inUse(), 0);
    return order;
  }

  const ROWS: readonly [string, number, string, string][] = [
    ['lets wait in order', 1, 'pppp', 'ppp'],
    ['gives places in turn when both wait', 2, 'mmmmmmpp', 'pmpmmm'],
    ['does not let one publication wait for all messages', 1, 'mmmmp', 'pmmm'],
  ];
  for (const [sentence, size, wanted, expected] of ROWS) {
    test(sentence, async () => assert.equal(await grants(size, wanted), expected));
  }

  test('tells all that wait when it closes, and takes none after', async () => {
    const window = new SendWindow(1);
    assert.equal(await window.take('message'), true);
    const waiting = [window.take('message'), window.take('publication')];
    window.close();
    assert.deepEqual(await Promise.all(waiting), [false, false]);
    assert.equal(await window.take('message'), false);
  });
});

describe('the back-off', () => {
  const ROWS: readonly [string, number, number, number][] = [
    ['is never below a second', 0, 0, 1_000],
    ['begins within two', 0, 0.5, 1_500],
    ['doubles', 2, 0.5, 4_500],
    ['ends at thirty', 40, 1, 30_000],
  ];
  for (const [sentence, attempt, random, expected] of ROWS) {
    test(sentence, () => assert.equal(hubBackOffMs(attempt, random), expected));
  }
});
