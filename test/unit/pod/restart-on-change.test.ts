/** P11: `flotilla.dev/restart-on-change`: what may be named, and who is restarted for it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withHostFiles } from '../../../agent/pods/restart-on-change.js';
import { checkRestartOnChange } from '../../../protocol/pod-restart-on-change.js';
import type { Pod } from '../../../protocol/pod.js';
import { manifest, wishes } from '../../support/pods.js';

const PATH = 'metadata.annotations[flotilla.dev/restart-on-change]';
const volumes = [
  { name: 'conf', hostPath: { path: '/etc/web' } },
  { name: 'data', hostPath: { path: '/srv' } },
  { name: 'cache', emptyDir: {} },
];
const mount = (name: string, readOnly: boolean) => ({ name, mountPath: `/${name}`, readOnly });
const options = (value: string) => ({
  annotations: { 'flotilla.dev/restart-on-change': value },
  spec: { volumes },
  containers: [
    { name: 'app', volumeMounts: [mount('conf', true), mount('data', false)] },
    { name: 'other' },
  ],
});

describe('P11: the annotation', () => {
  const rows: [string, string, readonly string[]][] = [
    ['a hostPath volume that is mounted read-only', 'conf', []],
    ['nothing', ' ', []],
    ['a volume that a container may write to', 'conf, data', [PATH]],
    ['a volume of another kind', 'cache', [PATH]],
    ['a volume that is not there, and no name', 'nothing,,conf', [PATH, PATH]],
  ];
  for (const [says, value, paths] of rows) {
    test(`${says}: ${paths.length === 0 ? 'taken' : 'refused, with the path'}`, () => {
      const pod: Pod = {
        metadata: { name: 'web', annotations: options(value).annotations },
        spec: {
          volumes,
          containers: options(value).containers.map(one => ({ image: 'busybox:1', ...one })),
        },
      };
      assert.deepEqual(
        checkRestartOnChange(pod).map(({ path }) => path),
        paths,
      );
    });
  }
});

describe('P11: hashes', () => {
  const desired = wishes([manifest('web', options('conf')), manifest('still')]);
  const hashes = (digest: string) =>
    withHostFiles(desired, new Map([['/etc/web', digest]])).pods.map(pod => [
      pod.key,
      pod.uid,
      Object.fromEntries(pod.containerHashes),
    ]);

  test('only that of a container that mounts the volume follows the files', () => {
    const [one, two] = [hashes('1'), hashes('2')];
    const app = (found: typeof one) => (found[1]?.[2] as Record<string, string>)['app'];
    assert.notEqual(app(one), app(two));
    assert.equal(app(one)?.length, desired.pods[1]?.containerHashes.get('app')?.length);
    const without = (found: typeof one) => JSON.stringify(found).replace(app(found) ?? '', '');
    assert.equal(without(one), without(two));
    assert.deepEqual(hashes('1'), one);
  });

  test('a pod whose files were never read waits, and no other', () => {
    const { pods } = withHostFiles(desired, new Map());
    assert.deepEqual(
      pods.map(({ rejection }) => [rejection?.phase, rejection?.reason]),
      [
        [undefined, undefined],
        ['Pending', 'HostFilesUnread'],
      ],
    );
  });
});
