/** What becomes of a pod's files at its end: never through a mount, none for a later pod, told when they stay. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { failureKey } from '../../../agent/pods/back-off.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import { openHostMounts } from '../../../agent/volumes/host-mounts.js';
import { FAILED_UNMOUNT, leftData } from '../../../agent/volumes/left-data.js';
import { openPodVolumes } from '../../../agent/volumes/volumes.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  able,
  at,
  dataDir,
  mounted,
  mountsOf,
  NODE,
  NO_MOUNTS,
  podOf,
  skip,
  unable,
  volumePath,
} from '../../support/volume-pods.js';
import { eventually } from '../../support/wait.js';

describe('the end of a pod (P24)', () => {
  test('what someone else mounted below it is never emptied', { skip }, async () => {
    const pod = podOf({ volumes: [{ name: 'd', emptyDir: {} }] });
    await able.prepare(pod, NODE);
    const foreign = join(volumePath(pod, 'empty-dir', 'd'), 'disk');
    mkdirSync(foreign);
    await openHostMounts().mountTmpfs(foreign, 1024 * 1024);
    writeFileSync(join(foreign, 'precious'), '');
    const held = execFileSync(
      'sh',
      ['-c', `sleep 30 < ${foreign}/precious > /dev/null 2>&1 & echo $!`],
      {
        encoding: 'utf8',
      },
    );
    try {
      await assert.rejects(
        able.remove(pod.uid),
        /UnmountVolume failed for .*d\/disk: umount failed/,
      );
      assert.ok(existsSync(join(foreign, 'precious')));
    } finally {
      process.kill(Number(held));
    }
  });
});

describe('rows 67, 132: a pod that begins after another of its uid was ended', () => {
  const emptyDirs = () =>
    podOf({ volumes: [{ name: 'd' }, { name: 'm', emptyDir: { medium: 'Memory' } }] });
  const paths = (pod: DesiredPod) => ['d', 'm'].map(name => volumePath(pod, 'empty-dir', name));

  test('finds none of its files, which go for themselves', { skip }, async () => {
    const pod = emptyDirs();
    await able.prepare(pod, NODE, true);
    for (const path of paths(pod)) writeFileSync(join(path, 'old'), '');
    await able.condemn(pod.uid);
    // The agent was killed before it could remove them.
    const next = openPodVolumes({ dataDir, clock: REAL_CLOCK });
    await next.prepare(pod, NODE, true);
    for (const path of paths(pod)) assert.deepEqual(readdirSync(path), []);
    await next.prepare(pod, NODE, true);
    const left = [...(await next.uids())].filter(name => name.startsWith(`${pod.uid}.`));
    assert.deepEqual(left, [`${pod.uid}.1`]);
    for (const name of left) await next.remove(name);
    assert.equal((await openHostMounts().below(at(pod))).length, 1);
    assert.equal(existsSync(`${at(pod)}.1`), false);
  });

  test('one that runs keeps them: the end that had begun was called off', async () => {
    const pod = podOf({ volumes: [{ name: 'd' }] });
    await unable.prepare(pod, NODE, true);
    writeFileSync(join(volumePath(pod, 'empty-dir', 'd'), 'kept'), '');
    await unable.condemn(pod.uid);
    await unable.prepare(pod, NODE, false);
    await unable.prepare(pod, NODE, true);
    assert.ok(existsSync(join(volumePath(pod, 'empty-dir', 'd'), 'kept')));
  });

  test('a removal that does not get to its end leaves the mark', async context => {
    const pod = podOf({ volumes: [{ name: 'd' }] });
    await unable.prepare(pod, NODE, true);
    await unable.condemn(pod.uid);
    const file = join(volumePath(pod, 'empty-dir', 'd'), 'file');
    writeFileSync(file, '');
    if (spawnSync('chattr', ['+i', file]).status !== 0) return context.skip('no chattr here');
    try {
      await assert.rejects(unable.remove(pod.uid));
      assert.ok(existsSync(at(pod, 'ending')));
    } finally {
      spawnSync('chattr', ['-i', file]);
    }
  });

  test('a set-up that hangs does not hold up the end', async () => {
    let go = () => undefined as void;
    const stuck = new Promise<void>(resolve => (go = resolve));
    const below = () => stuck.then(() => []);
    const hanging = openPodVolumes({
      dataDir,
      clock: REAL_CLOCK,
      hostMounts: { ...NO_MOUNTS, probe: () => Promise.resolve(null), below },
    });
    const pod = podOf({ volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] });
    const preparing = hanging.prepare(pod, NODE, true);
    preparing.catch(() => undefined);
    await eventually('it has begun', () => existsSync(at(pod)));
    await hanging.condemn(pod.uid);
    assert.ok(existsSync(at(pod, 'ending')));
    go();
    await assert.rejects(preparing, /nothing may be mounted/);
  });

  test('where nothing lies there is nothing to condemn', async () => {
    await unable.condemn('nobody');
    assert.equal((await unable.uids()).has('nobody'), false);
  });
});

test(
  'row 132: the volumes of a pod that has ended go, its other files stay',
  { skip },
  async () => {
    const pod = podOf(
      { volumes: [{ name: 'd' }, { name: 'm', emptyDir: { medium: 'Memory' } }] },
      mounted([
        { name: 'd', mountPath: '/d', subPath: 'part' },
        { name: 'm', mountPath: '/m' },
      ]),
    );
    await able.prepare(pod, NODE, true);
    await mountsOf(able, pod);
    await able.writeManaged(pod.uid, 'etc-hosts', 'hosts');
    assert.deepEqual(await able.withVolumes([pod.uid, 'other']), new Set([pod.uid]));
    await able.removeVolumes(pod.uid);
    await able.removeVolumes(pod.uid);
    assert.deepEqual(readdirSync(at(pod)), ['etc-hosts']);
    assert.deepEqual(await able.withVolumes([pod.uid]), new Set());
    assert.equal((await openHostMounts().below(at(pod))).length, 0);
    await able.refresh(pod, NODE);
    assert.deepEqual(await able.overruns(pod), []);
    assert.deepEqual(readdirSync(at(pod)), ['etc-hosts']);
  },
);

describe('P24: files that a pod left and that cannot be removed', () => {
  const failure = { message: 'it is busy', failedAt: 1, retryAt: 2, count: 3 };
  const failures = new Map([
    [failureKey('stop', 'b'), { ...failure, reason: FAILED_UNMOUNT }],
    [failureKey('stop', 'a'), { ...failure, reason: 'KillContainerError' }],
    [failureKey('stop', 'gone'), { ...failure, reason: FAILED_UNMOUNT }],
  ]);

  test('are a condition of the node as long as they lie there', () => {
    assert.deepEqual(leftData(new Set(['a', 'b', 'c']), { failures }), [
      {
        type: 'PodDataLeft',
        status: 'True',
        reason: 'FailedUnmount',
        message: 'pods/b: it is busy (tried 3 times)',
      },
    ]);
  });

  test('the cause is said, not what came of it', async context => {
    const pod = podOf({ volumes: [{ name: 'd' }] });
    await unable.prepare(pod, NODE);
    const file = join(volumePath(pod, 'empty-dir', 'd'), 'file');
    writeFileSync(file, '');
    if (spawnSync('chattr', ['+i', file]).status !== 0) return context.skip('no chattr here');
    try {
      await assert.rejects(unable.remove(pod.uid), /cannot be removed: EPERM: .*unlink/);
    } finally {
      spawnSync('chattr', ['-i', file]);
    }
    await unable.remove(pod.uid);
    assert.equal(existsSync(at(pod)), false);
  });
});
