/** What containers see of a pod's volumes: files that follow their sources, parts, how they are mounted, variables. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MountError } from '../../../agent/volumes/mount-error.js';
import type { VolumeMount } from '../../../protocol/pod.js';
import { configObjects } from '../../support/config-objects.js';
import {
  able,
  at,
  FACTS,
  modeOf,
  mounted,
  mountsOf,
  NODE,
  podOf,
  skip,
  unable,
  volumePath,
} from '../../support/volume-pods.js';

describe('written volumes', () => {
  const volumes = [
    { name: 'c', configMap: { name: 'conf' } },
    { name: 's', secret: { secretName: 'sec', defaultMode: 0o400 } },
    {
      name: 'i',
      downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
    },
  ];
  const first = configObjects({ configMaps: { conf: { a: '1' } }, secrets: { sec: { p: 'x' } } });
  const second = configObjects({ configMaps: { conf: { a: '2' } }, secrets: { sec: { p: 'y' } } });

  test('row 135, P12: files follow their objects without a restart, and only after prepare', async () => {
    const pod = { ...podOf({ volumes }, undefined, { app: 'shop' }), objects: first };
    await unable.refresh(pod, NODE);
    assert.equal(existsSync(at(pod, 'volumes')), false);
    await unable.prepare(pod, NODE);
    const read = (plugin: string, name: string, key: string) =>
      readFileSync(join(volumePath(pod, plugin, name), key), 'utf8');
    assert.deepEqual(
      [read('configmap', 'c', 'a'), read('secret', 's', 'p'), read('downward-api', 'i', 'labels')],
      ['1', 'x', 'app="shop"'],
    );
    await unable.refresh({ ...pod, objects: second }, NODE);
    assert.deepEqual([read('configmap', 'c', 'a'), read('secret', 's', 'p')], ['2', 'y']);
  });

  test('what is missing keeps the files and is said; the others follow', async () => {
    const pod = { ...podOf({ volumes }), objects: first };
    await unable.prepare(pod, NODE);
    const less = configObjects({ secrets: { sec: { p: 'z' } } });
    await assert.rejects(unable.refresh({ ...pod, objects: less }, NODE), {
      name: 'MountError',
      message: 'MountVolume.SetUp failed for volume "c" : configmap "conf" not found',
    });
    assert.equal(readFileSync(join(volumePath(pod, 'configmap', 'c'), 'a'), 'utf8'), '1');
    assert.equal(readFileSync(join(volumePath(pod, 'secret', 's'), 'p'), 'utf8'), 'z');
  });

  test('P12: a container of a running pod begins again with the files of a ConfigMap that is gone, a pod does not', async () => {
    const pod = { ...podOf({ volumes: volumes.slice(0, 1) }), objects: first };
    await unable.prepare(pod, NODE, true);
    const without = { ...pod, objects: configObjects({}) };
    await unable.prepare(without, NODE, false);
    const file = join(volumePath(pod, 'configmap', 'c'), 'a');
    assert.equal(readFileSync(file, 'utf8'), '1');
    await assert.rejects(unable.refresh(without, NODE), /configmap "conf" not found/);
    await assert.rejects(unable.prepare(without, NODE, true), /configmap "conf" not found/);
    const fresh = { ...podOf({ volumes: volumes.slice(0, 1) }), objects: configObjects({}) };
    await assert.rejects(unable.prepare(fresh, NODE, false), /configmap "conf" not found/);
    const waiting = { ...podOf({ volumes: volumes.slice(0, 1) }), objects: configObjects({}) };
    await unable.refresh(waiting, NODE);
  });

  test('they are mounted read-only; on disk nobody else on the node can reach them', async () => {
    const pod = {
      ...podOf({ volumes }, mounted([{ name: 's', mountPath: '/s' }])),
      objects: first,
    };
    await unable.prepare(pod, NODE);
    const { mounts } = await mountsOf(unable, pod);
    assert.deepEqual(
      mounts.map(({ readOnly }) => readOnly),
      [true],
    );
    assert.equal(modeOf(at(pod)) & 0o007, 0);
    assert.equal(modeOf(join(volumePath(pod, 'secret', 's'), 'p')), 0o400);
  });

  test(
    'a Secret is kept in memory where the agent may mount, whatever lay there before',
    { skip },
    async () => {
      const pod = { ...podOf({ volumes }), objects: first };
      await unable.prepare(pod, NODE);
      await able.prepare(pod, NODE);
      const path = volumePath(pod, 'secret', 's');
      assert.equal(readFileSync(join(path, 'p'), 'utf8'), 'x');
      const df = execFileSync('df', ['--output=fstype', path], { encoding: 'utf8' });
      assert.match(df, /tmpfs/);
      execFileSync('umount', [path]);
      assert.equal(existsSync(join(path, 'p')), false);
    },
  );

  test('row 137: an fsGroup may read them', async () => {
    const spec = { volumes, securityContext: { fsGroup: 2345 } };
    const pod = { ...podOf(spec), objects: first };
    await unable.prepare(pod, NODE);
    const secret = join(volumePath(pod, 'secret', 's'), 'p');
    assert.equal(modeOf(secret), 0o440);
    assert.equal(statSync(secret).gid, 2345);
  });
});

describe('row 138: parts of volumes', () => {
  const work = { volumes: [{ name: 'w', emptyDir: {} }] };
  const part = (rest: Partial<VolumeMount>) =>
    podOf(work, mounted([{ name: 'w', mountPath: '/m', ...rest }]));

  for (const [says, volumes, off] of [
    ['bound', able, skip],
    ['by path, where the agent may not mount', unable, false],
  ] as const) {
    test(`a missing one is made with the volume’s mode, ${says}`, { skip: off }, async () => {
      const pod = part({ subPath: 'a/b' });
      await volumes.prepare(pod, NODE);
      const { mounts } = await mountsOf(volumes, pod);
      const real = join(volumePath(pod, 'empty-dir', 'w'), 'a/b');
      assert.equal(modeOf(real), 0o777);
      assert.equal(statSync(mounts[0]?.hostPath ?? '').ino, statSync(real).ino);
      const again = await mountsOf(volumes, pod);
      assert.deepEqual(again.mounts, mounts);
    });

    test(`a link out of the volume is refused, ${says}`, { skip: off }, async () => {
      const pod = part({ subPath: 'root/etc' });
      await volumes.prepare(pod, NODE);
      symlinkSync('/', join(volumePath(pod, 'empty-dir', 'w'), 'root'));
      await assert.rejects(mountsOf(volumes, pod), {
        name: 'MountError',
        message:
          'failed to prepare subPath for volumeMount "w" of container "app": it leads out of the volume',
      });
    });
  }

  test('a bind that is there holds only while it is of the same file', { skip }, async () => {
    const pod = part({ subPath: 'f' });
    await able.prepare(pod, NODE);
    const real = join(volumePath(pod, 'empty-dir', 'w'), 'f');
    writeFileSync(real, 'old');
    const { mounts } = await mountsOf(able, pod);
    const target = mounts[0]?.hostPath ?? '';
    assert.equal(readFileSync(target, 'utf8'), 'old');
    rmSync(real);
    writeFileSync(real, 'new');
    assert.equal(readFileSync(target, 'utf8'), 'old');
    await mountsOf(able, pod);
    assert.equal(readFileSync(target, 'utf8'), 'new');
    await able.remove(pod.uid);
    assert.equal(existsSync(at(pod)), false);
  });

  test('subPathExpr is expanded; what it expands to must stay inside too', async () => {
    const pod = part({ subPathExpr: 'logs/$(POD)' });
    await unable.prepare(pod, NODE);
    const { mounts } = await mountsOf(unable, pod, new Map([['POD', 'web']]));
    assert.equal(mounts[0]?.hostPath, join(volumePath(pod, 'empty-dir', 'w'), 'logs/web'));
    await assert.rejects(mountsOf(unable, pod), /missing value for POD/);
    await assert.rejects(mountsOf(unable, pod, new Map([['POD', '../..']])), MountError);
  });
});

describe('row 139: how volumes are mounted', () => {
  test('propagation, reading, and reading all the way down', async () => {
    const how: Partial<VolumeMount>[] = [
      {},
      { readOnly: true, mountPropagation: 'HostToContainer' },
      { mountPropagation: 'Bidirectional' },
      { readOnly: true, recursiveReadOnly: 'IfPossible' },
      { readOnly: true, recursiveReadOnly: 'Enabled' },
    ];
    const container = {
      securityContext: { privileged: true },
      volumeMounts: how.map((rest, n) => ({ name: 'w', mountPath: `m${n}`, ...rest })),
    };
    const pod = podOf({ volumes: [{ name: 'w' }] }, container);
    await unable.prepare(pod, NODE);
    const [app] = pod.pod.spec.containers;
    assert.ok(app !== undefined);
    const engine = { appArmor: false, seLinux: false, seccomp: true, rootful: true } as const;
    const can = { ...engine, cgroupVersion: 2, recursiveReadOnly: true } as const;
    const { mounts } = await unable.mounts(pod, app, { ...FACTS, features: can });
    assert.deepEqual(
      mounts
        .slice(0, 5)
        .map(one => [one.containerPath, one.propagation, one.readOnly, one.recursiveReadOnly]),
      [
        ['/m0', 'rprivate', false, false],
        ['/m1', 'rslave', true, false],
        ['/m2', 'rshared', false, false],
        ['/m3', 'rprivate', true, true],
        ['/m4', 'rprivate', true, true],
      ],
    );
    await assert.rejects(unable.mounts(pod, app, FACTS), /recursiveReadOnly/);
  });
});

describe('files with variables', () => {
  test('row 148: those that the container names, as far as they are there', async () => {
    const fileKeyRef = (path: string) => ({
      name: 'A',
      valueFrom: { fileKeyRef: { volumeName: 'w', path, key: 'A' } } as object,
    });
    const pod = podOf(
      { volumes: [{ name: 'w', emptyDir: {} }] },
      { env: [fileKeyRef('env'), fileKeyRef('none')] },
    );
    await unable.prepare(pod, NODE);
    const path = volumePath(pod, 'empty-dir', 'w');
    writeFileSync(join(path, 'env'), "A='x'\n");
    const [app] = pod.pod.spec.containers;
    assert.ok(app !== undefined);
    assert.deepEqual([...(await unable.envFiles(pod, app))], [['w/env', "A='x'\n"]]);
    rmSync(join(path, 'env'));
    symlinkSync('/etc/passwd', join(path, 'env'));
    await assert.rejects(unable.envFiles(pod, app), /env of volume w: it leads out of the volume/);
  });
});
