/** A file whose name went: what another file gives meanwhile, and what it gives still (row 26 and row 27 done better). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  applyListing,
  emptyDirectory,
  snapshotOf,
  type DirectoryState,
  type Reading,
} from '../../../agent/sources/files-decide.js';

const podYaml = (name: string, more = '', image = 'busybox:1') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}${more}}\n` +
  `spec: {containers: [{name: app, image: '${image}'}]}\n`;
const mapYaml = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {k: v}\n`;
const file = (name: string, text: string): Reading => ({
  name,
  is: 'bytes',
  bytes: new TextEncoder().encode(text),
  mode: 0o600,
});
const leaving = (name: string): Reading => ({ name, is: 'leaving' });
const same = (name: string): Reading => ({ name, is: 'unchanged' });

/** `origin:name` of all that the directory wants after these looks, and which last good copies were kept and dropped. */
function after(...looks: readonly (readonly Reading[])[]) {
  let state: DirectoryState = emptyDirectory('/m');
  const kept: string[] = [];
  for (const readings of looks) {
    const next = applyListing(
      state,
      { ok: true, readings, isWriting: false, problem: null },
      () => false,
    );
    state = next.state;
    for (const { name, keep } of next.changes) {
      if (keep !== null) kept.push(`${keep === 'drop' ? '-' : '+'}${name}`);
    }
  }
  const { pods, objects } = snapshotOf(state);
  return {
    wanted: [
      ...pods.map(({ origin, manifest }) => `${origin}:${manifest.metadata.name}`),
      ...objects.map(({ origin, name }) => `${origin}:${name}`),
    ],
    kept,
  };
}

type Looks = readonly (readonly Reading[])[];
const rows: readonly [string, Looks, readonly string[]][] = [
  [
    'a file alone keeps its pod while it leaves',
    [[file('a.yaml', podYaml('p'))], [leaving('a.yaml')]],
    ['a.yaml:p'],
  ],
  [
    'renamed: the pod is of the new name at once, and of no other',
    [[file('a.yaml', podYaml('p'))], [file('b.yaml', podYaml('p')), leaving('a.yaml')]],
    ['b.yaml:p'],
  ],
  [
    'renamed and seen in two looks',
    [
      [file('a.yaml', podYaml('p'))],
      [leaving('a.yaml')],
      [file('b.yaml', podYaml('p')), leaving('a.yaml')],
    ],
    ['b.yaml:p'],
  ],
  [
    'renamed and edited',
    [[file('a.yaml', podYaml('p'))], [file('b.yaml', podYaml('p', '', 'x:2')), leaving('a.yaml')]],
    ['b.yaml:p'],
  ],
  [
    'still so at the look after',
    [
      [file('a.yaml', podYaml('p'))],
      [file('b.yaml', podYaml('p')), leaving('a.yaml')],
      [same('b.yaml'), leaving('a.yaml')],
    ],
    ['b.yaml:p'],
  ],
  [
    'what the new name does not give stays for now',
    [
      [file('a.yaml', `${podYaml('p')}---\n${podYaml('q')}`)],
      [file('b.yaml', podYaml('p')), leaving('a.yaml')],
    ],
    ['a.yaml:q', 'b.yaml:p'],
  ],
  [
    'of two files for one pod the first may come back: nothing is taken from it',
    [
      [file('a.yaml', podYaml('p')), file('b.yaml', podYaml('p'))],
      [leaving('a.yaml'), same('b.yaml')],
    ],
    ['a.yaml:p', 'b.yaml:p'],
  ],
  [
    'an edit of the second file while the first leaves takes nothing either',
    [
      [file('a.yaml', podYaml('p')), file('b.yaml', podYaml('p'))],
      [leaving('a.yaml'), file('b.yaml', podYaml('p', '', 'x:2'))],
    ],
    ['a.yaml:p', 'b.yaml:p'],
  ],
  [
    'another pod of the same metadata.uid',
    [
      [file('a.yaml', podYaml('p', ', uid: u1'))],
      [file('b.yaml', podYaml('q', ', uid: u1')), leaving('a.yaml')],
    ],
    ['b.yaml:q'],
  ],
  [
    'a ConfigMap as a pod',
    [[file('a.yaml', mapYaml('m'))], [file('b.yaml', mapYaml('m')), leaving('a.yaml')]],
    ['b.yaml:m'],
  ],
  [
    'two names exchanged through a third',
    [
      [file('a.yaml', podYaml('p')), file('b.yaml', podYaml('q'))],
      [file('b.yaml', podYaml('q')), file('t.yaml', podYaml('p')), leaving('a.yaml')],
      [file('a.yaml', podYaml('q')), leaving('b.yaml'), same('t.yaml')],
      [same('a.yaml'), file('b.yaml', podYaml('p')), leaving('t.yaml')],
    ],
    ['a.yaml:q', 'b.yaml:p'],
  ],
  [
    'renamed and back: whole as before',
    [
      [file('a.yaml', podYaml('p'))],
      [file('b.yaml', podYaml('p')), leaving('a.yaml')],
      [file('a.yaml', podYaml('p')), leaving('b.yaml')],
    ],
    ['a.yaml:p'],
  ],
];

describe('a file that leaves', () => {
  for (const [sentence, looks, wanted] of rows) {
    test(sentence, () => assert.deepEqual(after(...looks).wanted, wanted));
  }

  test('its last good copy goes with its last pod and is kept anew when it comes back', () => {
    const a = file('a.yaml', podYaml('p'));
    const b = file('b.yaml', podYaml('p'));
    const { kept } = after([a], [b, leaving('a.yaml')], [a, leaving('b.yaml')], [same('a.yaml')]);
    assert.deepEqual(kept, ['+a.yaml', '+b.yaml', '-a.yaml', '+a.yaml', '-b.yaml', '-b.yaml']);
  });
});
