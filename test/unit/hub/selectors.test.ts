/**
 * Selector tables, after the tests of apimachinery `labels.Parse` (pkg/labels/selector_test.go) and
 * fields.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isLabelKey,
  isLabelValue,
  type Labels,
  matches,
  parseFieldSelector,
  parseSelector,
  type Requirement,
} from '../../../hub/selectors.js';

const on = (key: string, operator: Requirement['operator'], ...values: string[]) => ({
  key,
  operator,
  values,
});

const long = (count: number) => 'a'.repeat(count);

describe('label selectors: what is read', () => {
  const rows: [sentence: string, text: string, expected: Requirement[]][] = [
    ['the empty text has no requirement', '', []],
    ['blanks have no requirement', ' \t', []],
    ['a key alone must exist', 'x', [on('x', 'exists')]],
    ['! before a key forbids it', '!x', [on('x', 'absent')]],
    ['blanks after ! are skipped', '! x', [on('x', 'absent')]],
    ['= is one value', 'x=a', [on('x', 'in', 'a')]],
    ['== is the same', 'x==a', [on('x', 'in', 'a')]],
    ['!= is anything else', 'x!=a', [on('x', 'notin', 'a')]],
    ['blanks around operators are skipped', ' x  =  a ', [on('x', 'in', 'a')]],
    ['= without a value is the empty value', 'x=', [on('x', 'in', '')]],
    ['so it is before a comma', 'x=,y', [on('x', 'in', ''), on('y', 'exists')]],
    ['!= without a value is anything but the empty value', 'x!=', [on('x', 'notin', '')]],
    ['in is a set', 'x in (a,b)', [on('x', 'in', 'a', 'b')]],
    ['notin is a set', 'x notin (a,b)', [on('x', 'notin', 'a', 'b')]],
    ['blanks in a set are skipped', 'x in ( a , b )', [on('x', 'in', 'a', 'b')]],
    ['a set needs no blank before it', 'x in(a)', [on('x', 'in', 'a')]],
    ['a set of one', 'x in (a)', [on('x', 'in', 'a')]],
    ['a set may hold the empty value first', 'x in (,a)', [on('x', 'in', '', 'a')]],
    ['a set may hold the empty value last', 'x in (a,)', [on('x', 'in', 'a', '')]],
    ['a set may hold the empty value between', 'x in (a,,b)', [on('x', 'in', 'a', '', 'b')]],
    ['a set may hold nothing but the empty value', 'x in ()', [on('x', 'in', '')]],
    ['two empty values are one', 'x in (,)', [on('x', 'in', '')]],
    [
      'commas join requirements',
      'x=a,y!=b,z in (c),!w,v',
      [
        on('x', 'in', 'a'),
        on('y', 'notin', 'b'),
        on('z', 'in', 'c'),
        on('w', 'absent'),
        on('v', 'exists'),
      ],
    ],
    ['a requirement may follow a set', 'x in (a),y', [on('x', 'in', 'a'), on('y', 'exists')]],
    ['a key may have a prefix', 'a.io/x=1', [on('a.io/x', 'in', '1')]],
    ['a key may be named in', 'in', [on('in', 'exists')]],
    ['a key may be named notin', 'notin in (a)', [on('notin', 'in', 'a')]],
    ['a value may be named in', 'x=in', [on('x', 'in', 'in')]],
    ['a set may hold the words in and notin', 'x in (in,notin)', [on('x', 'in', 'in', 'notin')]],
    ['a key may forbid the word in', '!in', [on('in', 'absent')]],
    ['> is a number that is exceeded', 'x>1', [on('x', 'greater', '1')]],
    ['< is a number that is not reached', 'x < 7', [on('x', 'less', '7')]],
  ];
  for (const [sentence, text, expected] of rows) {
    test(`${sentence}: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseSelector(text), expected);
    });
  }
});

describe('label selectors: what is refused', () => {
  const rows: [sentence: string, text: string, message: RegExp][] = [
    ['a comma at the end', 'x=a,', /ends with a comma/],
    ['a comma at the start', ',x', /"," is not a label key/],
    ['two commas', 'x,,y', /"," is not a label key/],
    ['only a comma', ',', /not a label key/],
    ['an operator without a key', '=a', /"=" is not a label key/],
    ['two values without a comma', 'x=a b', /expected ","/],
    ['two keys without a comma', 'x y', /"y" is not an operator/],
    ['three equal signs', 'x===a', /"=" is not a label value/],
    ['a blank inside !=', 'x! =a', /"!" is not an operator/],
    ['! after a key', 'x!', /"!" is not an operator/],
    ['! twice', '!!x', /"!" is not a label key/],
    ['! alone', '!', /"" is not a label key/],
    ['! with a value', '!x=a', /expected ","/],
    ['in without a set', 'x in', /expected "\("/],
    ['in with a bare value', 'x in a', /expected "\("/],
    ['a set that is not closed', 'x in (a', /expected "," or "\)"/],
    ['a set that is not closed after a comma', 'x in (a,', /not a label value|expected/],
    ['a set that is opened twice', 'x in ((a))', /"\(" is not a label value/],
    ['a set without a comma', 'x in (a b)', /expected "," or "\)"/],
    ['a set after =', 'x=(a)', /"\(" is not a label value/],
    ['a parenthesis alone', ')', /"\)" is not a label key/],
    ['a stray parenthesis at the end', 'x=a)', /expected ","/],
    ['IN in capitals', 'x IN (a)', /"IN" is not an operator/],
    ['a key with a bad first letter', '-x', /"-x" is not a label key/],
    ['a key with two slashes', 'a/b/c', /not a label key/],
    ['a key with an empty prefix', '/x', /not a label key/],
    ['a key with an empty name', 'a/', /not a label key/],
    ['a key that is too long', long(64), /not a label key/],
    ['a value that is too long', `x=${long(64)}`, /not a label value/],
    ['a value with a bad letter', 'x=a/b', /not a label value/],
    ['a value with a bad last letter', 'x=a.', /not a label value/],
    ['> with a word', 'x>a', /"a" is not a whole number/],
    ['> with nothing', 'x>', /"" is not a whole number/],
    ['> with more than 63 bits', 'x>9223372036854775808', /not a whole number/],
    ['a line end inside a value', 'x=a\nb', /expected ","/],
  ];
  for (const [sentence, text, message] of rows) {
    test(`${sentence}: ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.throws(() => parseSelector(text), { name: 'SelectorError', message });
    });
  }
  test('the error names the selector', () => {
    assert.throws(() => parseSelector('x in a'), { message: /^selector "x in a": / });
  });
  test('the error shows no more than the beginning of a long one', () => {
    const message = /^.{1,700}$/;
    assert.throws(() => parseSelector(`x in ${long(100_000)}`), { message });
    assert.throws(() => parseSelector(`${long(100_000)} y`), { message });
    assert.throws(() => parseFieldSelector(long(100_000)), { message });
    assert.throws(() => parseFieldSelector(`a=${long(100_000)}=`), { message });
    assert.throws(() => parseFieldSelector(`a=${long(100_000)}\\x`), { message });
  });
});

describe('label selectors: what they select', () => {
  const labels: Labels = { x: 'a', empty: '', 'a.io/n': '10', big: '9223372036854775806' };
  const rows: [sentence: string, selector: string, selected: boolean][] = [
    ['no requirement selects everything', '', true],
    ['= with the value', 'x=a', true],
    ['= with another value', 'x=b', false],
    ['= on a key that is not there', 'y=a', false],
    ['= with the empty value', 'empty=', true],
    ['= with the empty value on a key that is not there', 'y=', false],
    ['!= with the value', 'x!=a', false],
    ['!= with another value', 'x!=b', true],
    ['!= also selects what lacks the key', 'y!=a', true],
    ['in', 'x in (b,a)', true],
    ['in with other values', 'x in (b,c)', false],
    ['notin', 'x notin (b,a)', false],
    ['notin also selects what lacks the key', 'y notin (a)', true],
    ['a key that is there', 'empty', true],
    ['a key that is not there', 'y', false],
    ['! on a key that is there', '!empty', false],
    ['! on a key that is not there', '!y', true],
    ['all requirements must hold', 'x=a,y', false],
    ['all requirements hold', 'x=a,!y,empty', true],
    ['keys that contradict select nothing', 'x=a,x=b', false],
    ['a prefix belongs to the key', 'n=10', false],
    ['> below the value', 'a.io/n>9', true],
    ['> is by number, not by letter', 'a.io/n>2', true],
    ['> at the value', 'a.io/n>10', false],
    ['< above the value', 'a.io/n<11', true],
    ['< at the value', 'a.io/n<10', false],
    ['> on a value that is no number', 'x>1', false],
    ['< on a key that is not there', 'y<1', false],
    ['> beyond 53 bits', 'big>9223372036854775805', true],
    ['what every object inherits is no label', 'constructor', false],
    ['what every object inherits is absent', '!toString', true],
  ];
  for (const [sentence, selector, selected] of rows) {
    test(`${sentence}: ${JSON.stringify(selector)}`, () => {
      assert.equal(matches(parseSelector(selector), labels), selected);
    });
  }
});

describe('field selectors', () => {
  const equal = (field: string, value: string) => ({ field, equal: true, value });
  const read: [sentence: string, text: string, expected: ReturnType<typeof parseFieldSelector>][] =
    [
      ['the empty text has no term', '', []],
      ['=', 'metadata.name=web', [equal('metadata.name', 'web')]],
      ['==', 'metadata.name==web', [equal('metadata.name', 'web')]],
      ['!=', 'a.b!=c', [{ field: 'a.b', equal: false, value: 'c' }]],
      [
        'commas join terms',
        'a=1,b!=2',
        [equal('a', '1'), { field: 'b', equal: false, value: '2' }],
      ],
      ['an empty value', 'spec.nodeName=', [equal('spec.nodeName', '')]],
      ['a value with blanks', 'reason=a b', [equal('reason', 'a b')]],
      ['an escaped comma, equal sign and backslash', 'a=x\\,y\\=z\\\\', [equal('a', 'x,y=z\\')]],
      ['empty terms are skipped', 'a=1,,b=2,', [equal('a', '1'), equal('b', '2')]],
      [
        'a path into a list of fields',
        'involvedObject.fieldPath=spec.containers{web}',
        [equal('involvedObject.fieldPath', 'spec.containers{web}')],
      ],
    ];
  for (const [sentence, text, expected] of read) {
    test(`${sentence}: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseFieldSelector(text), expected);
    });
  }
  const refused: [sentence: string, text: string, message: RegExp][] = [
    ['a field without an operator', 'metadata.name', /"metadata.name": expected FIELD=VALUE/],
    ['an operator without a field', '=web', /expected FIELD=VALUE/],
    ['a value with = that is not escaped', 'a=b=c', /"b=c" .*\\=/],
    ['another operator', 'a in (b)', /expected FIELD=VALUE/],
    ['an escape that does not exist', 'a=\\n', /escape/],
    ['an escape of nothing', 'a=b\\', /escape/],
  ];
  for (const [sentence, text, message] of refused) {
    test(`${sentence} is refused: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseFieldSelector(text), { name: 'SelectorError', message });
    });
  }
});

describe('label keys and values', () => {
  const keys: [key: string, valid: boolean][] = [
    ['a', true],
    ['A.b_c-9', true],
    [long(63), true],
    [long(64), false],
    ['', false],
    ['-a', false],
    ['a-', false],
    ['a\n', false],
    ['a.io/b', true],
    [`${long(63)}.${long(63)}.${long(63)}.${long(61)}/b`, true],
    [`${long(63)}.${long(63)}.${long(63)}.${long(62)}/b`, false],
    ['A.io/b', false],
    ['a..io/b', false],
    ['a_b/c', false],
    ['__proto__', false],
  ];
  for (const [key, valid] of keys) {
    test(`key ${JSON.stringify(key.slice(0, 20))} (${key.length}) is ${valid ? '' : 'not '}valid`, () => {
      assert.equal(isLabelKey(key), valid);
    });
  }
  const values: [value: string, valid: boolean][] = [
    ['', true],
    ['a', true],
    ['A_b.c-9', true],
    [long(63), true],
    [long(64), false],
    ['-', false],
    ['a/b', false],
    ['a b', false],
    ['a\n', false],
    ['ä', false],
  ];
  for (const [value, valid] of values) {
    test(`value ${JSON.stringify(value.slice(0, 20))} (${value.length}) is ${valid ? '' : 'not '}valid`, () => {
      assert.equal(isLabelValue(value), valid);
    });
  }
});
