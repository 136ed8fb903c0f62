/** What the root grants to the signers of a bundle, and what pods ask for (kubelet behaviour row 163). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ValidPod } from '../../../protocol/pod.js';
import {
  DEFAULT_GRANT,
  grantsOn,
  isBelow,
  outOfScope,
  type Grant,
} from '../../../protocol/release-scope.js';

function pod(spec: Partial<NonNullable<ValidPod['spec']>> = {}): ValidPod {
  return {
    metadata: { name: 'web' },
    spec: { containers: [{ name: 'app' }], ...spec },
  };
}

const mounting = (path: string) => pod({ volumes: [{ name: 'v', hostPath: { path } }] });
const onPort = (hostPort: number) =>
  pod({ containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort }] }] });
const grant = (change: Partial<Grant>): Grant => ({ ...DEFAULT_GRANT, ...change });

describe('row 163: the scope of a release key', () => {
  const devices = grant({ hostPaths: ['/dev', '/run/udev'] });
  const rows: [string, ValidPod, readonly Grant[], RegExp | null][] = [
    ['lets a plain pod pass', pod(), [DEFAULT_GRANT], null],
    ['lets host ports from its number up pass', onPort(1024), [DEFAULT_GRANT], null],
    ['refuses host ports below it', onPort(1023), [DEFAULT_GRANT], /hostPort 1023/],
    [
      'refuses all host ports if it has no number',
      onPort(1024),
      [grant({ minHostPort: null })],
      /1024/,
    ],
    ['refuses host paths if it lists none', mounting('/dev'), [DEFAULT_GRANT], /hostPathVolumes/],
    ['lets a listed host path pass', mounting('/dev'), [devices], null],
    ['lets what lies below a listed host path pass', mounting('/dev/ttyUSB0'), [devices], null],
    [
      'refuses other host paths and names those that it allows',
      mounting('/development'),
      [devices],
      /spec\.volumes\[0\]\.hostPath\.path: \/development is not among .* \(\/dev, \/run\/udev\)$/,
    ],
    [
      'lets everything pass if it is privileged',
      mounting('/etc'),
      [grant({ podSecurity: 'privileged' })],
      null,
    ],
    [
      'lets everything pass if it is privileged, whatever it lists',
      mounting('/etc'),
      [{ ...devices, podSecurity: 'privileged' }],
      null,
    ],
    ['is enough if one of several is', mounting('/dev'), [DEFAULT_GRANT, devices], null],
    [
      'has to hold whole: two halves are none',
      pod({
        ...mounting('/dev').spec,
        containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort: 80 }] }],
      }),
      [devices, grant({ minHostPort: 80 })],
      /hostPathVolumes/,
    ],
    [
      'that nobody signed for grants nothing',
      pod(),
      [],
      /no scope of the root holds for who signed it/,
    ],
  ];
  for (const [sentence, asked, grants, says] of rows) {
    test(sentence, () => {
      const said = outOfScope(asked, grants);
      if (says === null) assert.equal(said, null);
      else assert.match(said ?? '', says);
    });
  }
});

describe('a path lies below a prefix', () => {
  const rows: [string, string, boolean][] = [
    ['/dev', '/dev', true],
    ['/dev/', '/dev', true],
    ['//dev//x', '/dev', true],
    ['/dev/./x', '/dev', true],
    ['/dev/../etc', '/dev', false],
    ['/devices', '/dev', false],
    ['/', '/dev', false],
    ['/anything', '/', true],
  ];
  for (const [path, prefix, expected] of rows) {
    test(`${path} ${expected ? 'below' : 'not below'} ${prefix}`, () => {
      assert.equal(isBelow(path, prefix), expected);
    });
  }
});

describe('the labels that a scope asks a node for', () => {
  const rows: [string, Record<string, string>[], Record<string, string>, number | RegExp][] = [
    ['none are asked: it holds everywhere', [{}], {}, 1],
    ['all of them are there', [{ a: '1', b: '2' }], { a: '1', b: '2', c: '3' }, 1],
    [
      'one is missing',
      [{ b: '2', a: '1' }],
      { a: '1' },
      /with a=1,b=2; this node enrolled with a=1/,
    ],
    ['one is another', [{ a: '1' }], { a: '2' }, /enrolled with a=1; this node enrolled with a=2/],
    ['those that do not hold here are left out', [{ a: '1' }, { a: '2' }, {}], { a: '2' }, 2],
    ['what every object has is not a label', [{ constructor: 'x' }], {}, /with no labels/],
    ['no scope at all is not the labels’ fault', [], {}, 0],
  ];
  for (const [sentence, asked, labels, expected] of rows) {
    test(sentence, () => {
      const grants = asked.map(nodeLabels => grant({ nodeLabels }));
      const result = grantsOn(grants, labels);
      if (typeof expected === 'number') assert.equal(result.ok && result.value.length, expected);
      else assert.match(result.ok ? '' : result.refusal.detail, expected);
    });
  }
});
