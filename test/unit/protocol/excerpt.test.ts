/** What messages show of foreign texts: sentence → input → expectation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cutTo, excerpt, EXCERPT_MAX } from '../../../protocol/excerpt.js';

describe('what a message shows of a foreign text', () => {
  const rows: readonly [string, string, number, string][] = [
    ['a short one is whole', 'abc', 3, 'abc'],
    ['a longer one says that it goes on, within the limit', 'abcd', 3, 'ab…'],
    ['a pair is never halved', 'ab😀d', 4, 'ab…'],
    ['a pair that fits stays', 'ab😀', 4, 'ab😀'],
    ['a lone half is replaced', 'a\ud800b', 5, 'a\ufffdb'],
    ['nothing that a terminal obeys', 'a\u001b[31mb\nc\u202ed', 20, 'a?[31mb?c?d'],
    ['the empty one', '', 3, ''],
  ];
  for (const [sentence, text, lengthMax, expected] of rows)
    test(sentence, () => {
      const shown = excerpt(text, lengthMax);
      assert.equal(shown, expected);
      assert(shown.length <= lengthMax && shown.isWellFormed());
    });

  test('what is cut alone keeps its lines', () => {
    assert.equal(cutTo('a\nb\nc', 4), 'a\nb…');
  });

  test('without a limit of its own it has one', () => {
    assert.equal(excerpt('x'.repeat(1e6)), `${'x'.repeat(EXCERPT_MAX - 1)}…`);
  });
});
