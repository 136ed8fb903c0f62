/** Row 199: where a container may leave its last words: sentence → container → error, or none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withDefaults } from '../../../protocol/pod-defaults.js';
import { checkTermination } from '../../../protocol/pod-termination-rules.js';
import type { Container } from '../../../protocol/pod.js';
import { manifest } from '../../support/pods.js';

const AT = 'spec.containers[0].terminationMessagePath';
const mount = (mountPath: string) => ({ volumeMounts: [{ name: 'data', mountPath }] });

const ROWS: readonly [string, Omit<Container, 'name'>, string | null][] = [
  ['nothing is said', {}, null],
  ['a path of its own', { terminationMessagePath: '/tmp/why' }, null],
  ['a relative path is one from the root', { terminationMessagePath: 'tmp/why' }, null],
  ['in a volume', { terminationMessagePath: '/data/why', ...mount('/data') }, null],
  ['a colon', { terminationMessagePath: '/a:b' }, "must not contain ':'"],
  ['a step up', { terminationMessagePath: '/a/../b' }, "must not contain '..'"],
  ['a directory', { terminationMessagePath: '/tmp/' }, 'must be a file'],
  ['the root', { terminationMessagePath: '/' }, 'must be a file'],
  [
    'where a volume is mounted',
    { terminationMessagePath: '/data', ...mount('/data/') },
    'the volume data is mounted there',
  ],
  [
    'a volume where the default is',
    mount('/dev/termination-log'),
    'the volume data is mounted there',
  ],
];

describe('terminationMessagePath', () => {
  for (const [sentence, container, detail] of ROWS) {
    test(`${sentence}: ${detail ?? 'accepted'}`, () => {
      const errors = checkTermination({ name: 'app', ...container }, 'spec.containers[0]');
      if (detail === null) {
        assert.deepEqual(errors, []);
        return;
      }
      assert.equal(errors.length, 1);
      assert.equal(errors[0]?.path, AT);
      assert.ok(errors[0].message.endsWith(detail), errors[0].message);
    });
  }

  test('an empty one is the default (row 55)', () => {
    const pod = manifest('web', { containers: [{ name: 'app', terminationMessagePath: '' }] });
    const [app] = withDefaults(pod).spec.containers;
    assert.equal(app?.terminationMessagePath, '/dev/termination-log');
    assert.equal(app.terminationMessagePolicy, 'File');
  });
});
