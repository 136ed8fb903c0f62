/** Shell patterns, beside the expression that says the same, and where that one would never end. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import { wildcardMatches } from '../../../protocol/wildcard.js';

describe('a pattern', () => {
  const rows: [string, string, boolean][] = [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'abc', true],
    ['?', '', false],
    ['?', 'a', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbcd', false],
    ['*ab', 'aab', true],
    ['*a*b', 'xaxb', true],
    ['a.c', 'abc', false],
    ['*.?', 'a.b', true],
  ];
  for (const [pattern, text, expected] of rows) {
    test(`${pattern} ${expected ? 'is' : 'is not'} "${text}"`, () => {
      assert.equal(wildcardMatches(pattern, text), expected);
    });
  }

  test('says what the expression says', () => {
    const letters = (all: readonly string[]) =>
      fc.array(fc.constantFrom(...all), { maxLength: 8 }).map(list => list.join(''));
    fc.assert(
      fc.property(letters(['a', 'b', '*', '?']), letters(['a', 'b']), (pattern, text) => {
        const source = pattern.replaceAll('*', '.*').replaceAll('?', '.');
        assert.equal(wildcardMatches(pattern, text), new RegExp(`^${source}$`).test(text));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  test('of many stars takes no time that grows with their number', () => {
    assert.equal(wildcardMatches(`${'*a'.repeat(100)}b`, 'a'.repeat(1000)), false);
    assert.equal(wildcardMatches(`${'*a'.repeat(100)}*`, 'a'.repeat(1000)), true);
  });
});
