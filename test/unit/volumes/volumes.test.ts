/** A pod's volumes from prepare to remove, on the real file system and, where it may be, with real mounts. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import { failureKey } from '../../../agent/pods/back-off.js';
import { openHostMounts, type HostMounts } from '../../../agent/volumes/host-mounts.js';
import { FAILED_UNMOUNT, leftData } from '../../../agent/volumes/left-data.js';
import { MountError } from '../../../agent/volumes/mount-error.js';
import { openPodVolumes, type PodVolumes } from '../../../agent/volumes/volumes.js';
import type { Container, PodSpec, VolumeMount } from '../../../protocol/pod.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { configObjects } from '../../support/config-objects.js';
import { manifest, nodeFactsOf, wish } from '../../support/pods.js';
import { eventually } from '../../support/wait.js';

const dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'fl-pods-')));
const NODE = nodeFactsOf();
const FACTS = { env: new Map<string, string>(), features: null };

/** A node on which the agent may not mount. */
const NO_MOUNTS: HostMounts = {
  probe: () => Promise.resolve('not here'),
  mountTmpfs: () => Promise.reject(new Error('nothing may be mounted')),
  bindOpened: () => Promise.reject(new Error('nothing may be mounted')),
  below: () => Promise.resolve([]),
  unmount: () => Promise.reject(new Error('nothing is mounted')),
};

const unable = openPodVolumes({ dataDir, clock: REAL_CLOCK, hostMounts: NO_MOUNTS });
const able = openPodVolumes({ dataDir, clock: REAL_CLOCK });
const problem = await able.mountProblem();
const skip = problem === null ? false : `mounts are not possible here: ${problem}`;

const made: DesiredPod[] = [];
after(async () => {
  for (const { uid } of made) await able.remove(uid);
  rmSync(dataDir, { recursive: true, force: true });
});

const mounted = (volumeMounts: VolumeMount[]) => ({ volumeMounts });

let count = 0;
/** Its container mounts all volumes unless it says otherwise. */
function podOf(
  spec: Partial<PodSpec>,
  container: Partial<Container> = mounted(
    (spec.volumes ?? []).map(({ name }) => ({ name, mountPath: `/${name}` })),
  ),
  labels = {},
): DesiredPod {
  const name = `p${count++}`;
  const pod = wish(manifest(name, { spec, labels, containers: [{ name: 'app', ...container }] }));
  made.push(pod);
  return pod;
}

const at = ({ uid }: DesiredPod, ...steps: string[]) => join(dataDir, 'pods', uid, ...steps);
const volumePath = (pod: DesiredPod, plugin: string, name: string) =>
  at(pod, 'volumes', `kubernetes.io~${plugin}`, name);
const modeOf = (path: string) => statSync(path).mode & 0o7777;

async function mountsOf(volumes: PodVolumes, pod: DesiredPod, env = FACTS.env) {
  const [container] = pod.pod.spec.containers;
  assert.ok(container !== undefined);
  const found = await volumes.mounts(pod, container, { ...FACTS, env });
  return { ...found, mounts: found.mounts.filter(one => !one.containerPath.startsWith('/etc/')) };
}

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
