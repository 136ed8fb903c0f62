/** What a sealed Secret holds: one spelling alone, so that what is read is what was written. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeSecretContent, readSecretContent } from '../../../protocol/secret-content.js';
import { CONTEXT, secretContent } from '../../support/sealed.js';

const good = encodeSecretContent(CONTEXT, secretContent({ a: 'one', b: 'two' })).toString();

describe('the content of a Secret', () => {
  test('is read as it was written', () => {
    const read = readSecretContent(Buffer.from(good), CONTEXT);
    assert.ok(read.ok);
    assert.deepEqual([...read.value.data.keys()], ['a', 'b']);
    assert.equal(encodeSecretContent(CONTEXT, read.value).toString(), good);
  });

  const a = '{"key":"a","size":3}';
  const b = '{"key":"b","size":3}';
  const rows: Record<string, (text: string) => string> = {
    'with a blank in its line': text => text.replace('{', '{ '),
    'with a field more': text => text.replace('{', '{"a":1,'),
    'with a field twice': text => text.replace('{', '{"name":"x",'),
    'with a field more in a key': text => text.replace('"size":3', '"size":3,"x":1'),
    'with its keys in another order': text => text.replace(`${a},${b}`, `${b},${a}`),
    'with a key twice': text => text.replace(b, a),
    'with a byte more': text => `${text}x`,
    'with a byte less': text => text.slice(0, -1),
    'whose line is no object': text => text.replace(/.*\n/, 'null\n'),
    'without a line': text => text.replace('\n', ''),
  };
  for (const [sentence, spoil] of Object.entries(rows)) {
    test(`${sentence} is refused`, () => {
      assert.notEqual(spoil(good), good);
      const read = readSecretContent(Buffer.from(spoil(good)), CONTEXT);
      assert.equal(read.ok ? 'accepted' : read.refusal.code, 'Malformed');
    });
  }
});
