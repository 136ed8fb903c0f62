import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  directoryFaults,
  type DirectoryFindings,
} from '../../../agent/readiness/directory-faults.js';
import { sha256Hex } from '../../../protocol/canonical.js';

const bytes = Buffer.from('{}');
const own = { namespace: 'default', name: 'shop', pod: 'web', manifest: 'm' };
const promised = [{ ...own, file: 'flotilla_a.json', content: sha256Hex(bytes) }];
const found = [{ file: 'flotilla_a.json', bytes }];
const edited = [{ file: 'flotilla_a.json', bytes: Buffer.from('[]') }];
const WELL: DirectoryFindings = {
  ...{ promised, found, isNew: false, leavesDrift: false, writeFault: null },
};

const ROWS: readonly [string, Partial<DirectoryFindings>, RegExp | null][] = [
  ['what lies there as promised lacks nothing', {}, null],
  ['a file that is gone and can be written again lacks nothing', { found: [] }, null],
  [
    'one that is gone and cannot be written again is missing',
    { found: [], writeFault: 'the disk is read-only' },
    /^FileMissing bundle default\/shop, pod web: flotilla_a.json is not as it should be, and the disk/,
  ],
  [
    'one that was edited and cannot be written again is missing',
    { found: edited, writeFault: 'the disk is read-only' },
    /^FileMissing /,
  ],
  [
    'one that was removed by hand stays so with drift: report',
    { found: [], leavesDrift: true },
    /^FileMissing .* was removed by hand and stays so/,
  ],
  [
    'one that was edited by hand runs with drift: report',
    { found: edited, leavesDrift: true },
    null,
  ],
  [
    'one that a journal which began anew does not know is not begun with',
    { promised: [], isNew: true },
    /^JournalForgot the journal began anew and does not know what flotilla_a.json were promised for: what runs goes on/,
  ],
  ['one that nobody promised is no business of this once the hub spoke', { promised: [] }, null],
];

for (const [sentence, change, told] of ROWS) {
  test(sentence, () => {
    const faults = directoryFaults({ ...WELL, ...change });
    const [first] = faults.map(({ reason, message }) => `${reason} ${message}`);
    if (told === null) assert.equal(first, undefined);
    else assert.match(first ?? '', told);
  });
}
