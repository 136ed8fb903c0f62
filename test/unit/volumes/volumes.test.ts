/** A pod's emptyDirs and hostPaths, on the real file system and, where it may be, with real mounts. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openHostMounts } from '../../../agent/volumes/host-mounts.js';
import { MountError } from '../../../agent/volumes/mount-error.js';
import { openPodVolumes } from '../../../agent/volumes/volumes.js';
import { REAL_CLOCK } from '../../support/clock.js';
import {
  able,
  at,
  dataDir,
  modeOf,
  mounted,
  mountsOf,
  NODE,
  NO_MOUNTS,
  podOf,
  skip,
  unable,
  volumePath,
} from '../../support/volume-pods.js';

/** Whether this kernel can keep a tmpfs out of the swap. */
function hasNoSwap(): boolean {
  const place = mkdtempSync(join(dataDir, 'noswap-'));
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', 'noswap', 'tmpfs', place]).status === 0;
  if (done) spawnSync('umount', [place]);
  return done;
}

describe('emptyDir', () => {
  test('row 132: 0777, kept over a second prepare, gone with the pod', async () => {
    const pod = podOf({ volumes: [{ name: 'd', emptyDir: {} }] });
    await unable.prepare(pod, NODE);
    const path = volumePath(pod, 'empty-dir', 'd');
    assert.equal(modeOf(path), 0o777);
    writeFileSync(join(path, 'kept'), '');
    await unable.prepare(pod, NODE);
    assert.ok(existsSync(join(path, 'kept')));
    assert.deepEqual([...(await unable.uids())].includes(pod.uid), true);
    await unable.remove(pod.uid);
    await unable.remove(pod.uid);
    assert.equal(existsSync(at(pod)), false);
  });

  test('row 137: an fsGroup is given once; what the containers change stays', async () => {
    const pod = podOf({
      volumes: [{ name: 'd' }],
      securityContext: { fsGroup: 2345 },
    });
    await unable.prepare(pod, NODE);
    const path = volumePath(pod, 'empty-dir', 'd');
    assert.equal(modeOf(path), 0o2777);
    assert.equal(statSync(path).gid, 2345);
    chmodSync(path, 0o700);
    await unable.prepare(pod, NODE);
    assert.equal(modeOf(path), 0o700);
  });

  test(
    'rows 133, T35: memory is a tmpfs of its size, survives the agent, ends with the pod',
    { skip },
    async () => {
      const pod = podOf({
        volumes: [{ name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '2Mi' } }],
      });
      await able.prepare(pod, NODE);
      const path = volumePath(pod, 'empty-dir', 'm');
      const df = execFileSync('df', ['--output=fstype,size', path], { encoding: 'utf8' });
      assert.match(df, /tmpfs\s+2048\n/);
      const { stdout } = spawnSync('findmnt', ['-no', 'OPTIONS', path], { encoding: 'utf8' });
      assert.equal(stdout.includes('noswap'), hasNoSwap());
      writeFileSync(join(path, 'kept'), '');
      await openPodVolumes({ dataDir, clock: REAL_CLOCK }).prepare(pod, NODE);
      assert.ok(existsSync(join(path, 'kept')));
      await able.remove(pod.uid);
      assert.equal(existsSync(path), false);
      assert.equal((await openHostMounts().below(at(pod))).length, 0);
    },
  );

  test('memory where nothing may be mounted names the field', async () => {
    const pod = podOf({ volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] });
    await assert.rejects(
      unable.prepare(pod, NODE),
      /volume "m" : emptyDir\.medium: not on this engine: not here/,
    );
  });

  test('row 134, P22: what is over its limit is found', async () => {
    const pod = podOf({
      volumes: [
        { name: 'small', emptyDir: { sizeLimit: '64Ki' } },
        { name: 'large', emptyDir: { sizeLimit: '1Gi' } },
        { name: 'free', emptyDir: {} },
      ],
    });
    await unable.prepare(pod, NODE);
    assert.deepEqual(await unable.overruns(pod), []);
    for (const name of ['small', 'large', 'free']) {
      writeFileSync(join(volumePath(pod, 'empty-dir', name), 'f'), Buffer.alloc(128 * 1024, 1));
    }
    const overruns = await unable.overruns(pod);
    assert.deepEqual(
      overruns.map(({ volume, sizeLimit }) => [volume, sizeLimit]),
      [['small', '64Ki']],
    );
  });
});

describe('hostPath', () => {
  const host = mkdtempSync(join(tmpdir(), 'fl-host-'));
  after(() => {
    rmSync(host, { recursive: true, force: true });
  });
  writeFileSync(join(host, 'file'), '');
  mkdirSync(join(host, 'dir'));
  const hostPath = (path: string, type?: string) =>
    podOf({
      volumes: [{ name: 'h', hostPath: { path, ...(type === undefined ? {} : { type }) } }],
    });

  test('row 129: without a type a missing path becomes a directory', async () => {
    await unable.prepare(hostPath(join(host, 'a/b')), NODE);
    assert.equal(modeOf(join(host, 'a/b')), 0o755);
    await unable.prepare(hostPath(join(host, 'file')), NODE);
  });

  test('row 131: a link that leads nowhere is said to be one, and nothing is made behind it', async () => {
    symlinkSync(join(host, 'nowhere'), join(host, 'link'));
    for (const type of [undefined, 'FileOrCreate', 'DirectoryOrCreate', 'File', 'Directory']) {
      await assert.rejects(
        unable.prepare(hostPath(join(host, 'link'), type), NODE),
        /hostPath type check failed: .*\/link is a link that leads nowhere$/,
      );
    }
    assert.equal(existsSync(join(host, 'nowhere')), false);
  });

  test('row 130: what may be made is made, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await unable.prepare(hostPath(join(host, 'u/d'), 'DirectoryOrCreate'), NODE);
      await unable.prepare(hostPath(join(host, 'u/f'), 'FileOrCreate'), NODE);
    } finally {
      process.umask(umask);
    }
    assert.deepEqual(
      ['u', 'u/d', 'u/f'].map(name => modeOf(join(host, name))),
      [0o755, 0o755, 0o644],
    );
    await unable.prepare(hostPath(join(host, 'c/d'), 'DirectoryOrCreate'), NODE);
    assert.equal(modeOf(join(host, 'c/d')), 0o755);
    await unable.prepare(hostPath(join(host, 'c/f'), 'FileOrCreate'), NODE);
    assert.equal(modeOf(join(host, 'c/f')), 0o644);
    await assert.rejects(
      unable.prepare(hostPath(join(host, 'none/f'), 'FileOrCreate'), NODE),
      /MountVolume\.SetUp failed for volume "h"/,
    );
  });

  const wrong: readonly [string, string, string][] = [
    ['Directory', 'file', 'directory'],
    ['DirectoryOrCreate', 'file', 'directory'],
    ['File', 'dir', 'file'],
    ['FileOrCreate', 'dir', 'file'],
    ['Socket', 'file', 'socket file'],
    ['CharDevice', 'file', 'character device'],
    ['BlockDevice', 'none', 'block device'],
  ];
  for (const [type, name, kind] of wrong) {
    test(`row 131: ${type} is checked, and tried again`, async () => {
      const path = join(host, name);
      const message =
        `MountVolume.SetUp failed for volume "h" : hostPath type check failed: ` +
        `${path} is not a ${kind}`;
      await assert.rejects(
        unable.prepare(hostPath(path, type), NODE),
        (error: unknown) => error instanceof MountError && error.message === message,
      );
    });
  }

  test('a device that is named as one may be opened, for reading alone if mounted so', async () => {
    const pod = podOf(
      {
        volumes: [
          { name: 'typed', hostPath: { path: '/dev/null', type: 'CharDevice' } },
          { name: 'plain', hostPath: { path: '/dev/zero' } },
        ],
      },
      mounted([
        { name: 'typed', mountPath: '/dev/a' },
        { name: 'typed', mountPath: '/dev/b', readOnly: true },
        { name: 'plain', mountPath: '/dev/c' },
      ]),
    );
    await unable.prepare(pod, NODE);
    const { devices, mounts } = await mountsOf(unable, pod);
    assert.equal(mounts.length, 3);
    assert.deepEqual(devices, [
      { hostPath: '/dev/null', containerPath: '/dev/a', permissions: 'rw' },
      { hostPath: '/dev/null', containerPath: '/dev/b', permissions: 'r' },
    ]);
  });
});

test('row 140: what no container mounts is neither made nor waited for', async () => {
  const volumes = [
    { name: 'used' },
    { name: 'unused' },
    { name: 'missing', hostPath: { path: join(dataDir, 'not-there'), type: 'Directory' } },
    { name: 'object', configMap: { name: 'not-there' } },
  ];
  const pod = podOf({ volumes }, mounted([{ name: 'used', mountPath: '/v' }]));
  await unable.prepare(pod, NODE);
  await unable.refresh(pod, NODE);
  assert.deepEqual(readdirSync(at(pod, 'volumes/kubernetes.io~empty-dir')), ['used']);
});

test('whether the agent may mount is asked again when there was no answer', async () => {
  let asked = 0;
  const probe = () => (asked++ === 0 ? Promise.reject(new Error('full')) : Promise.resolve(null));
  const volumes = openPodVolumes({
    dataDir,
    clock: REAL_CLOCK,
    hostMounts: { ...NO_MOUNTS, probe },
  });
  await assert.rejects(volumes.mountProblem(), /full/);
  assert.deepEqual([await volumes.mountProblem(), await volumes.mountProblem()], [null, null]);
  assert.equal(asked, 2);
});
