/** What an edit may do to a ConfigMap or Secret that says `immutable: true`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  applyListing,
  emptyDirectory,
  snapshotOf,
  withLastGood,
  type DirectoryState,
} from '../../../agent/sources/files-decide.js';
import { OWNED_FILE_PREFIX } from '../../../protocol/names.js';

const map = (value: string, more = 'immutable: true\n', name = 'm') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${more}data: {k: "${value}"}\n`;
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The contents of one file, one after the other; null: it is gone. */
function after(contents: readonly (string | null)[], name = 'a.yaml') {
  let state: DirectoryState = emptyDirectory('/m');
  let reasons: readonly string[] = [];
  for (const text of contents) {
    const readings =
      text === null ? [] : [{ name, is: 'bytes', bytes: bytesOf(text), mode: 0o600 } as const];
    const next = applyListing(
      state,
      { ok: true, readings, isWriting: false, problem: null },
      () => true,
    );
    state = next.state;
    reasons = next.changes.flatMap(({ warning }) => warning ?? []).map(({ reason }) => reason);
  }
  const { objects, conditions } = snapshotOf(state);
  const values = objects.map(({ data }) => Buffer.from(data.get('k') ?? []).toString());
  const messages = conditions.filter(({ type }) => type === 'ManifestRefused');
  return { state, values, reasons, message: messages[0]?.message ?? '' };
}

const rows: readonly [string, readonly (string | null)[], string, string[]][] = [
  ['another value is refused', [map('1'), map('2')], '1', ['Immutable']],
  ['the same again is none', [map('1'), `# a comment\n${map('1')}`], '1', []],
  ['to make it mutable is refused', [map('1'), map('1', '')], '1', ['Immutable']],
  ['a mutable one may become immutable', [map('1', ''), map('2')], '2', []],
  ['a mutable one follows its file', [map('1', ''), map('2', '')], '2', []],
  ['another name is another object', [map('1'), map('2', '', 'other')], '2', []],
  ['removed and made anew it is a new one', [map('1'), null, map('2')], '2', []],
  ['the first content again ends the refusal', [map('1'), map('2'), map('1')], '1', []],
];

describe('an immutable ConfigMap', () => {
  for (const [sentence, contents, value, reasons] of rows) {
    test(sentence, () => {
      const seen = after(contents);
      assert.deepEqual([seen.values, seen.reasons], [[value], reasons]);
    });
  }

  test('the refusal names the file, the object and the way out', () => {
    assert.equal(
      after([map('1'), map('2')]).message,
      'a.yaml: the ConfigMap default/m is immutable: its data cannot be changed; give the new one ' +
        'another name, or remove this one first; the last good content of this file stays',
    );
  });

  test('an edit while no agent ran is refused too', () => {
    const lastGood = new Map([['a.yaml', bytesOf(map('1'))]]);
    const begun = withLastGood(emptyDirectory('/m'), lastGood, () => true);
    const reading = { name: 'a.yaml', is: 'bytes', bytes: bytesOf(map('2')), mode: 0o600 } as const;
    const listing = { ok: true, readings: [reading], isWriting: false, problem: null } as const;
    const { changes } = applyListing(begun, listing, () => true);
    assert.equal(changes[0]?.warning?.reason, 'Immutable');
  });

  test('the next revision of a bundle brings its own', () => {
    const owned = (value: string) =>
      map(value).replace('{name: m}', "{name: m, annotations: {flotilla.dev/bundle: 'default/b'}}");
    const name = `${OWNED_FILE_PREFIX}b.yaml`;
    assert.deepEqual(after([owned('1'), owned('2')], name).values, ['2']);
  });
});
