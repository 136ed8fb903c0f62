/** Which words are shown for a node that gave a revision up, and how many of a fleet's. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { askLastWords, nodesToAsk, wordsText } from '../../../hub/cli/last-words.js';
import { ApiError, type ApiClient } from '../../../hub/cli/client.js';
import { eventDraft } from '../../../hub/ingest/mirror.js';
import { wordsOf, type SpokenWords } from '../../../hub/last-words/last-words.js';
import type { EventObject } from '../../../hub/objects.js';
import { sealLastWords } from '../../../protocol/last-words.js';
import { FLEET } from '../../support/fleet.js';
import { sealingKey } from '../../support/sealed.js';

const HUB = sealingKey('hub');
const SHOP = { fleet: FLEET, namespace: 'default', name: 'shop' };
const [FIRST, SECOND] = ['1'.repeat(64), '2'.repeat(64)];

interface Told {
  readonly n: number;
  readonly text?: string;
  readonly digest?: string;
  /** Who says it. */
  readonly node?: string;
  /** Whose it was when it was sealed. */
  readonly of?: string;
  readonly to?: string;
}

function event({ n, text, digest = SECOND, node = 'edge-1', of = node, to = 'hub' }: Told) {
  const words = { digest, pod: 'default/shop-edge-1', container: 'app', text: text ?? '' };
  const key = sealingKey(to).publicKey;
  const output = sealLastWords({ ...SHOP, node: of }, words, key);
  assert.ok(output);
  const involved = { ...SHOP, kind: 'Bundle', uid: '', fieldPath: '' } as const;
  const said = { type: 'Warning', reason: 'BundleFailed', message: 'revision 2' } as const;
  const record = { n, at: '2026-01-01T00:00:00Z', ...said, involved };
  const about = { node, journal: 'a'.repeat(32), name: 'shop', uid: '' };
  return eventDraft(text === undefined ? record : { ...record, output }, about) as EventObject;
}

describe('the last words of a revision that a node gave up', () => {
  const shown = (events: readonly EventObject[], failed: string | null = SECOND) => {
    const words = wordsOf({ ...SHOP, node: 'edge-1', failed }, events, HUB.key);
    return words && ('text' in words ? words.text : words.fault);
  };
  const rows: [string, readonly Told[], string | null][] = [
    ['are those of its event', [{ n: 1, text: 'a' }], 'a'],
    [
      'are the newest, in whatever order they came',
      [
        { n: 9, text: 'b' },
        { n: 2, text: 'a' },
      ],
      'b',
    ],
    ['are none where the event has none', [{ n: 1 }], null],
    ['are not those of another revision', [{ n: 1, text: 'a', digest: FIRST }], null],
    [
      'are behind those of another revision',
      [
        { n: 1, text: 'a' },
        { n: 2, text: 'b', digest: FIRST },
      ],
      'a',
    ],
    ['are not those that another node tells', [{ n: 1, text: 'a', node: 'edge-2' }], null],
    [
      'are not those of another node, given out as its own',
      [{ n: 1, text: 'a', of: 'edge-2' }],
      'they were sealed for another node than the event says',
    ],
    [
      'are closed to a hub with another key',
      [{ n: 1, text: 'a', to: 'former' }],
      'sealed to a former key of the hub',
    ],
  ];
  for (const [what, told, expected] of rows) {
    test(what, () => assert.equal(shown(told.map(event)), expected));
  }

  test('are not shown once it is not given up any more', () => {
    assert.equal(shown([event({ n: 1, text: 'a' })], null), null);
  });
});

describe('of a fleet', () => {
  const said = (node: string, text: string): [string, SpokenWords] => {
    return [node, { node, pod: 'default/shop', container: 'app', text }];
  };

  test('one node for each reason is shown: the first that has words', () => {
    const words = new Map<string, SpokenWords>([
      ['a', { node: 'a', fault: 'sealed to a former key of the hub' }],
      said('b', 'one\ntwo'),
      said('c', 'three'),
    ]);
    assert.deepEqual(wordsText(words, ['x', 'a', 'b', 'c']), [
      '    last words on b, default/shop (app):',
      '    | one',
      '    | two',
    ]);
    assert.deepEqual(wordsText(words, ['a']), [
      '    last words on a: sealed to a former key of the hub',
    ]);
    assert.deepEqual(wordsText(words, ['x']), []);
  });

  test('a few nodes are asked for, of the reasons that are failures', () => {
    const nodes = Array.from({ length: 100 }, (_, i) => `n${i}`);
    const failures = Array.from({ length: 40 }, (_, i) => ({
      ...{ text: `${i}`, nodes, isUndone: i === 0 },
    }));
    assert.equal(nodesToAsk({ failures }).length, 60);
  });

  test('a hub that does not know the question has no answer, and that is no fault', async () => {
    const none = () => Promise.reject(new ApiError({ kind: 'Status', reason: 'NotFound' }, 404));
    const client = { call: none } as unknown as ApiClient;
    assert.equal((await askLastWords(client, SHOP, ['a'])).size, 0);
  });
});
