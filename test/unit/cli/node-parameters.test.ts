/** `flotilla node parameters`: what is typed, and what is printed of values that anybody may have written. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { warningsIn } from '../../../hub/cli/client.js';
import {
  lackingLines,
  parameterText,
  readWords,
  type ParameterSet,
} from '../../../hub/cli/node-parameters.js';
import { CliError } from '../../../protocol/cli-error.js';

describe('the words of flotilla node parameters', () => {
  const ROWS: [words: string, nodes: string[], set: ParameterSet][] = [
    ['edge-1', ['edge-1'], {}],
    ['edge-1 site=quay', ['edge-1'], { site: 'quay' }],
    ['node/edge-1 edge-2 site=quay lane-', ['edge-1', 'edge-2'], { site: 'quay', lane: null }],
    ['edge-1 url=rtsp://x/?a=b-', ['edge-1'], { url: 'rtsp://x/?a=b-' }],
    ['edge-1 empty=', ['edge-1'], { empty: '' }],
    ['site=quay', [], { site: 'quay' }],
  ];
  for (const [words, nodes, set] of ROWS) {
    test(words, () => assert.deepEqual(readWords(words.split(' ')), { nodes, set }));
  }

  const REFUSED: [words: string, message: RegExp][] = [
    ['edge-1 site=quay edge-2', /^edge-2: neither KEY=VALUE nor KEY-; names of nodes come first$/],
    ['edge-1 site=quay site-', /^site: twice$/],
    ['edge-1 =x', /^parameter "": must be a key of/],
    ['edge-1 -', /^parameter "": must be/],
    ['edge-1 a/b=x', /^parameter "a\/b": must be a key of/],
    ['edge-1 __proto__=x', /^parameter "__proto__": is a word that no document may have/],
  ];
  for (const [words, message] of REFUSED) {
    test(`${words} is refused`, () => {
      assert.throws(
        () => readWords(words.split(' ')),
        (error: unknown) => error instanceof CliError && message.test(error.message),
      );
    });
  }
});

describe('what is printed', () => {
  test('is one line of what a terminal takes as text', () => {
    assert.equal(parameterText('Grünau 7'), 'Grünau 7');
    assert.equal(parameterText('a\nb'), '"a\\nb"');
    assert.equal(parameterText('\u001b[2J\u202e'), '\\u{1b}[2J\\u{202e}');
  });

  test('says which bundles ask for what is not there', () => {
    const lacking = [{ namespace: 'default', name: 'shop', keys: ['lane', 'site'] }];
    assert.deepEqual(lackingLines({ node: 'edge-1', parameters: {}, lacking }), [
      'Warning: node/edge-1: bundle default/shop asks for lane, site, without a value here',
    ]);
  });

  test('are the warnings of a hub as an API server sends them', () => {
    const header = '299 - "one, with \\"quotes\\" and \\\\", 299 - "two"';
    assert.deepEqual(warningsIn(header), ['one, with "quotes" and \\', 'two']);
    assert.deepEqual(warningsIn(undefined), []);
    assert.deepEqual(warningsIn('110 x "stale"'), []);
  });
});
