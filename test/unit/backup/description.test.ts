/** The description of a backup: sentence → change of a good one → expectation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  formatDescription,
  parseDescription,
  type BackupDescription,
} from '../../../hub/backup/description.js';
import { SetupError } from '../../../hub/setup/setup-error.js';

const GOOD: Omit<BackupDescription, 'format'> = {
  ...{ kind: 'full', madeAt: '2026-01-01T00:00:00.000Z', program: '0.1.0', fleet: 'f' },
  ...{ rootVersion: 1, files: [{ path: 'pki/ca.crt', size: 0, sha256: 'a'.repeat(64) }] },
};
const TEXT = formatDescription(GOOD);

describe('the description of a backup', () => {
  test('is read as it was written', () => {
    assert.deepEqual(parseDescription(TEXT, 'b.tar'), { format: 1, ...GOOD });
  });

  test('what this format has no field for is left out', () => {
    const more = TEXT.replace('"path"', '"__proto__": {"a": 1}, "b": 2, "path"');
    const text = more.replace('"kind"', '"__proto__": {"a": 1}, "x": 1, "kind"');
    assert.deepEqual(parseDescription(text, 'b.tar'), { format: 1, ...GOOD });
  });

  const rows: readonly [string, string, string, string, RegExp][] = [
    ['a newer format', '"format": 1', '"format": 2', 'Unsupported', /backup format 2, this/],
    ['a format that is none', '"format": 1', '"format": -0', 'BadBackup', /not a backup of a hub/],
    ['a broken format', '"format": 1', '"format": 0.5', 'BadBackup', /not a backup of a hub/],
    ['a size of minus nothing', '"size": 0', '"size": -0', 'BadBackup', /lacks something/],
    ['a version below nothing', '"rootVersion": 1', '"rootVersion": -1', 'BadBackup', /lacks/],
    ['a path that leads out', 'pki/ca.crt', '../ca.crt', 'BadBackup', /lacks something/],
    ['a file that is null', '"files": [', '"files": [null, ', 'BadBackup', /lacks something/],
    [
      'a time with a comment in it, which a terminal would obey',
      '2026-01-01T00:00:00.000Z',
      '1 Jan 2026 (\\u001b[31m)',
      'BadBackup',
      /lacks something/,
    ],
    ['a program that is no version', '0.1.0', '0.1\\u001b[31m', 'BadBackup', /lacks something/],
    ['no JSON', '{', '', 'BadBackup', /is damaged/],
    ['null', TEXT, 'null', 'BadBackup', /not a backup of a hub/],
  ];
  for (const [sentence, from, to, code, message] of rows)
    test(`${sentence}: ${code}`, () => {
      assert.throws(
        () => parseDescription(TEXT.replace(from, to), 'b.tar'),
        (error: unknown) => {
          assert(error instanceof SetupError);
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        },
      );
    });
});
