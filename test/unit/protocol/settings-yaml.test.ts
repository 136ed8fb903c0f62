/** YAML that a person wrote for Flotilla, up to its first fault: sentence → input → expectation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSettingsYaml, SettingsYamlError } from '../../../protocol/settings-yaml.js';

const valueOf = (text: string) => readSettingsYaml(text).toValue();

describe('settings in YAML', () => {
  const good: readonly [string, string, unknown][] = [
    ['a mapping', 'a: 1\nb: [x, "y"]\n', { a: 1, b: ['x', 'y'] }],
    ['aliases', 'a: &x {b: 1}\nc: *x\n', { a: { b: 1 }, c: { b: 1 } }],
    ['YAML 1.2: on is a text', 'a: on', { a: 'on' }],
    ['a mark of the document, comments', '# c\n---\na: 1\n', { a: 1 }],
    ['JSON', '{"a": {"b": []}}', { a: { b: [] } }],
    ['equal keys in different mappings', 'a: {b: 1}\nc: {b: 1}', { a: { b: 1 }, c: { b: 1 } }],
  ];
  for (const [sentence, text, expected] of good)
    test(sentence, () => {
      assert.deepEqual(valueOf(text), expected);
    });

  test('lines are counted from one', () => {
    const settings = readSettingsYaml('a: 1\n\nb: 2\n');
    const node = settings.document.get('b', true) as { range: [number] };
    assert.equal(settings.lineOf(node.range[0]), 3);
  });

  const bad: readonly [string, string, string | RegExp][] = [
    ['nothing', '# nothing\n', 'hub.yaml: it is empty'],
    ['two documents', 'a: 1\n---\nb: 1\n', 'hub.yaml:2:1: a second document; one is read'],
    ['a key twice', 'a: 1\nb: 2\na: 3\n', 'hub.yaml:3:1: "a" stands twice'],
    ['a list that does not end', 'a: 1\nb: [x\n', /^hub\.yaml:3:1: Flow sequence in block/],
    ['a bracket too much', 'a: 1\n]\n', /^hub\.yaml:2:1: /],
    ['an alias of nothing', 'a: *b', /^hub\.yaml: Unresolved alias/],
    [
      'depth',
      `${'['.repeat(60)}${']'.repeat(60)}`,
      'hub.yaml:1:53: nested more than 50 levels deep',
    ],
    [
      'size',
      `a: "${'x'.repeat(64 * 1024)}"`,
      'hub.yaml: 65541 bytes are more than the allowed 65536',
    ],
    ['a name without end in an error', `a: *${'x'.repeat(5000)}`, /^hub\.yaml: .{199}…$/],
  ];
  for (const [sentence, text, expected] of bad)
    test(`an error: ${sentence}`, () => {
      assert.throws(
        () => valueOf(text),
        (error: unknown) => {
          assert(error instanceof SettingsYamlError);
          const said = error.in('hub.yaml');
          if (typeof expected === 'string') assert.equal(said, expected);
          else assert.match(said, expected);
          return true;
        },
      );
    });

  test('the first of very many faults ends the work', () => {
    const text = ']}\n'.repeat(20_000);
    assert.throws(() => valueOf(text), { place: '1:1' });
  });
});
