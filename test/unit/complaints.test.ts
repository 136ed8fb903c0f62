/** The table of complaints in docs/tested.md: all fifteen, and each test that it names is there under that name. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../../..');
const COMPLAINTS = 15;

const rows = readFileSync(join(ROOT, 'docs/tested.md'), 'utf8')
  .split('## What people complain of most')[1]
  ?.split('\n')
  .flatMap(line => {
    const [, number, told] = /^\| (\d+) \| [^|]+ \| ([^|]+) \|$/.exec(line) ?? [];
    return number === undefined || told === undefined ? [] : [{ number: Number(number), told }];
  });

/** In a text that the runner may be given as a name, not in a comment; and nothing of the file is left out. */
function isTested(text: string, title: string): boolean {
  const words = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const given = new RegExp(`^(?!\\s*(?:\\*|//)).*['"\`].*${words}`, 'm');
  return given.test(text) && !/\b(?:test|describe|it)\.(?:skip|todo)\b/.test(text);
}

describe('the complaints', () => {
  test('are told of one after the other', () => {
    const numbers = rows?.map(({ number }) => number);
    assert.deepEqual(
      numbers,
      Array.from({ length: COMPLAINTS }, (_, i) => i + 1),
    );
  });

  for (const { number, told } of rows ?? []) {
    test(`complaint ${number}: what shows it is there`, () => {
      const tests = [...told.matchAll(/`(e2e\/[\w/-]+)`: ([^;]+)/g)];
      assert.ok(tests.length > 0, told);
      for (const [, file = '', title = ''] of tests) {
        const text = readFileSync(join(ROOT, 'test', `${file}.test.ts`), 'utf8');
        assert.ok(isTested(text, title.trim()), `${file} has no test "${title.trim()}"`);
      }
    });
  }
});
