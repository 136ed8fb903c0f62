/**
 * The storage tests of the kubelet's own suite (`test/e2e/common/storage`, `node/expansion.go`, `node/downwardapi.go`), as
 * far as they mean something on one node, and what becomes of volumes at the end of their pods. All pods are dropped at
 * once and looked at one after the other.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { docker, noEngine } from '../../support/docker.js';
import { eventually } from '../../support/wait.js';

const mount = (name: string, mountPath: string, more: Record<string, unknown> = {}) => ({
  name,
  mountPath,
  ...more,
});

const field = (name: string, fieldPath: string) => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
});

const MEDIA = ['', 'Memory'] as const;
const USERS = [0, 1001] as const;
const FS_GROUP = 1234;
const SHOWN = ['downwardAPI', 'projected'] as const;

/** Files of the pod's own fields, as a downwardAPI volume or in a projected one. */
function shown(kind: (typeof SHOWN)[number], items: readonly object[]): object {
  return kind === 'downwardAPI'
    ? { downwardAPI: { defaultMode: 0o400, items } }
    : { projected: { defaultMode: 0o400, sources: [{ downwardAPI: { items } }] } };
}

const ITEMS = [
  { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
  { path: 'item', mode: 0o440, fieldRef: { fieldPath: 'metadata.namespace' } },
  { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
  { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
  ...['limits.cpu', 'requests.cpu', 'limits.memory', 'requests.memory'].map(resource => ({
    path: resource,
    resourceFieldRef: {
      containerName: 'app',
      resource,
      ...(resource.endsWith('cpu') ? { divisor: '1m' } : {}),
    },
  })),
  { path: 'default', resourceFieldRef: { containerName: 'free', resource: 'limits.cpu' } },
];

describe('storage of the kubelet’s own tests, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  const shell = (name: string, script: string, only = 'app') =>
    box.exec(name, only, 'sh', '-c', script);
  const canMount = (path: string) => {
    const done = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', path]).status === 0;
    if (done) spawnSync('mount', ['--make-shared', path]);
    return done;
  };
  const host = box.path('host');
  mkdirSync(host);
  chmodSync(host, 0o1777);
  const shared = box.path('shared');
  mkdirSync(shared);
  const hasMounts = canMount(shared);
  const media = hasMounts ? MEDIA : ([''] as const);
  const skip = hasMounts ? false : 'nothing can be mounted here';

  const put = (name: string, containers: Record<string, unknown>[], more = {}) => {
    box.put(`${name}.json`, pod(name, containers, more));
  };
  const nameOf = (medium: string, user: number) => `e${medium === '' ? 'd' : 'm'}${user}`;

  function putEmptyDirs(): void {
    for (const medium of media) {
      for (const runAsUser of USERS) {
        const more = {
          volumes: [
            { name: 'v', emptyDir: { medium, ...(medium === '' ? {} : { sizeLimit: '4Mi' }) } },
          ],
        };
        const name = nameOf(medium, runAsUser);
        const securityContext = { runAsUser };
        const volumeMounts = [mount('v', '/v')];
        put(name, [container('app', FOREVER, { securityContext, volumeMounts })], more);
        const parts = [...volumeMounts, mount('v', '/sub', { subPath: 'not/there' })];
        put(`g${name}`, [container('app', FOREVER, { securityContext, volumeMounts: parts })], {
          ...more,
          securityContext: { fsGroup: FS_GROUP },
        });
      }
    }
  }

  function expansion(name: string, value: string, subPathExpr: string): void {
    const env = [{ name: 'V', value }];
    const volumeMounts = [mount('v', '/sub', { subPathExpr }), mount('v', '/all')];
    put(name, [container('app', FOREVER, { env, volumeMounts })], {
      volumes: [{ name: 'v', emptyDir: {} }],
    });
  }

  function annotated(annotations: Record<string, string>): void {
    const env = [field('V', "metadata.annotations['path']")];
    const volumeMounts = [mount('v', '/sub', { subPathExpr: '$(V)/$(V)' }), mount('v', '/all')];
    put('late', [container('app', FOREVER, { env, volumeMounts })], {
      metadata: { annotations },
      volumes: [{ name: 'v', emptyDir: {} }],
    });
  }

  function putShown(more: Record<string, string> = {}): void {
    const resources = {
      limits: { cpu: '1250m', memory: '64Mi' },
      requests: { cpu: '250m', memory: '32Mi' },
    };
    const volumes = SHOWN.map(kind => ({ name: kind.toLowerCase(), ...shown(kind, ITEMS) }));
    const volumeMounts = volumes.map(({ name }) => mount(name, `/${name}`));
    put(
      'shown',
      [
        container('app', FOREVER, {
          resources,
          volumeMounts,
          securityContext: { runAsUser: 1001 },
        }),
        container('free'),
      ],
      {
        metadata: { labels: { a: '1', ...more }, annotations: { note: 'n', ...more } },
        securityContext: { fsGroup: FS_GROUP },
        volumes,
      },
    );
  }

  before(async () => {
    putEmptyDirs();
    putShown();
    expansion('fine', 'ok', '$(V)/x');
    expansion('dots', '..', '$(V)');
    expansion('root', '/tmp', '$(V)');
    annotated({ other: 'x' });
    const volumes = [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }];
    const fill = `head -c 3000000 /dev/zero > /v/f; ${FOREVER}`;
    put('over', [container('app', fill, { volumeMounts: [mount('v', '/v')] })], {
      restartPolicy: 'Never',
      volumes,
    });
    await box.start();
  });
  after(() => box.close());

  test('T68 expansion.go: a failing subpath expansion can be modified during the lifecycle of a container', async () => {
    const waits = await box.waiting('late', 'CreateContainerConfigError');
    const [state] = waits.status?.containerStatuses ?? [];
    assert.equal(state?.state?.waiting?.message, 'missing value for V');
    annotated({ path: 'now' });
    const runs = await box.ready('late');
    assert.equal(runs.metadata?.uid, waits.metadata?.uid);
    assert.equal(shell('late', 'ls /all/now'), 'now');
  });

  for (const medium of media) {
    for (const user of USERS) {
      const who = `${user === 0 ? 'root' : 'non-root'}, ${medium === '' ? 'default' : 'tmpfs'}`;
      test(`T74 empty_dir.go: (${who}, 0644, 0666, 0777), volume on the medium has the correct mode`, async () => {
        const name = nameOf(medium, user);
        await box.ready(name);
        const modes = ['644', '666', '777'];
        const script = `for m in ${modes.join(' ')}; do echo $m > /v/$m; chmod $m /v/$m; stat -c '%a %u' /v/$m; cat /v/$m; done; stat -c %a /v`;
        assert.deepEqual(shell(name, script).split('\n'), [
          ...modes.flatMap(mode => [`${mode} ${user}`, mode]),
          '777',
        ]);
        const isTmpfs = shell(name, 'grep " /v tmpfs " /proc/mounts || true') !== '';
        assert.equal(isTmpfs, medium === 'Memory');
      });

      test(`T74 empty_dir.go: FSGroup: (${who}): new files, non-existent subPath, mode of the volume`, async () => {
        const name = `g${nameOf(medium, user)}`;
        await box.ready(name);
        const script = `touch /v/new && stat -c '%u %g' /v/new; stat -c '%a %g' /v /sub; id -G | tr ' ' '\\n' | grep -x ${FS_GROUP}`;
        assert.deepEqual(shell(name, script).split('\n'), [
          `${user} ${FS_GROUP}`,
          `2777 ${FS_GROUP}`,
          `2777 ${FS_GROUP}`,
          String(FS_GROUP),
        ]);
      });
    }
  }

  test(
    'T74 host_path.go: correct mode, r/w, subPath; row 139: readOnly, propagation',
    { skip },
    async () => {
      const volumes = [
        { name: 'h', hostPath: { path: host } },
        { name: 's', hostPath: { path: shared, type: 'Directory' } },
      ];
      mkdirSync(`${shared}/later`);
      const own = [mount('h', '/h'), mount('h', '/sub', { subPath: 'part' })];
      const slave = mount('s', '/s', { mountPropagation: 'HostToContainer' });
      put(
        'hosted',
        [
          container('app', FOREVER, { volumeMounts: [...own, slave] }),
          container('other', FOREVER, {
            volumeMounts: [mount('h', '/h', { readOnly: true }), mount('s', '/s')],
          }),
        ],
        { volumes },
      );
      await box.ready('hosted');
      assert.equal(shell('hosted', 'stat -c %a /h'), '1777');
      assert.equal(shell('hosted', 'echo both > /sub/f; cat /h/part/f'), 'both');
      assert.equal(shell('hosted', 'cat /h/part/f', 'other'), 'both');
      assert.throws(() => shell('hosted', 'echo x > /h/x', 'other'), /Read-only/);
      assert.ok(canMount(`${shared}/later`));
      writeFileSync(`${shared}/later/seen`, '');
      assert.equal(shell('hosted', 'ls /s/later'), 'seen');
      assert.equal(shell('hosted', 'ls /s/later', 'other'), '');
      const propagation = box
        .inspect('hosted')
        .flatMap(({ Mounts }) => Mounts)
        .filter(({ Destination }) => Destination === '/s')
        .map(one => one.Propagation);
      assert.deepEqual(propagation.sort(), ['rprivate', 'rslave']);
    },
  );

  test('T68 expansion.go: volume subpath, with "..", with an absolute path', async () => {
    await box.ready('fine');
    assert.equal(shell('fine', 'touch /sub/f; ls /all/ok/x'), 'f');
    for (const name of ['dots', 'root']) {
      await box.waiting(name, 'CreateContainerConfigError');
      assert.deepEqual(box.inspect(name, 'app'), []);
    }
  });

  test('T69 downwardapi_volume.go, projected_downwardapi.go: name, modes, limits, defaults, updates', async () => {
    const { Id } = await box.ready('shown').then(() => box.running('shown', 'app'));
    const cpus = docker('info', '--format', '{{.NCPU}}');
    for (const kind of SHOWN.map(one => one.toLowerCase())) {
      const of = (name: string) => shell('shown', `cat /${kind}/${name}`);
      assert.equal(of('name'), `shown-${NODE}`);
      const modes = shell('shown', `cd /${kind}; stat -Lc '%a %g' name item`);
      assert.deepEqual(modes.split('\n'), [`440 ${FS_GROUP}`, `440 ${FS_GROUP}`]);
      assert.deepEqual(
        ['limits.cpu', 'requests.cpu', 'limits.memory', 'requests.memory', 'default'].map(of),
        ['1250', '250', String(64 * 2 ** 20), String(32 * 2 ** 20), cpus],
      );
      assert.equal(of('labels'), 'a="1"');
    }
    putShown({ more: 'x' });
    for (const kind of SHOWN.map(one => one.toLowerCase())) {
      await eventually(
        'labels follow',
        () => shell('shown', `cat /${kind}/labels`) === 'a="1"\nmore="x"',
      );
      await eventually('annotations follow', () =>
        shell('shown', `cat /${kind}/annotations`).includes('\nmore="x"'),
      );
    }
    assert.equal(box.running('shown', 'app').Id, Id);
  });

  test('row 140: a volume that nobody mounts is not waited for', async () => {
    put('unused', [container('app')], {
      volumes: [
        { name: 'h', hostPath: { path: box.path('nowhere'), type: 'Directory' } },
        { name: 'c', configMap: { name: 'nowhere' } },
      ],
    });
    await box.ready('unused');
  });

  test('row 132: the volumes of a pod that has ended are gone, its output is not', async () => {
    const volumeMounts = [mount('v', '/v'), mount('v', '/sub', { subPath: 'x' })];
    put('job', [container('app', 'echo said; touch /v/f', { volumeMounts })], {
      restartPolicy: 'Never',
      volumes: [{ name: 'v', emptyDir: { medium: hasMounts ? 'Memory' : '' } }],
    });
    const uid = (await box.phase('job', 'Succeeded')).metadata?.uid ?? '';
    const kept = () => existsSync(box.path('pods', uid, 'volumes'));
    await eventually('no volumes', () => !kept());
    assert.equal(box.output('job', 'app'), 'said');
  });

  test('rows 134, P22: what is over its sizeLimit is evicted, in the kubelet’s words', async () => {
    const { status = {} } = await box.phase('over', 'Failed');
    assert.equal(status.reason, 'Evicted');
    assert.equal(status.message, 'Usage of EmptyDir volume "v" exceeds the limit "1Mi".');
    await eventually('it is ended', () => box.inspect('over').every(one => !one.State.Running));
    await box.restart('SIGKILL');
    const after = await box.phase('over', 'Failed');
    assert.deepEqual(
      [after.status?.reason, after.status?.message],
      [status.reason, status.message],
    );
    assert.ok(box.inspect('over').every(one => !one.State.Running));
  });

  test(
    'rows 67, 132, P24: what cannot be unmounted is told and left alone; the same pod begins without it',
    { skip },
    async () => {
      const again = () => {
        put('stuck', [container('app', FOREVER, { volumeMounts: [mount('v', '/v')] })], {
          volumes: [{ name: 'v', emptyDir: {} }],
        });
      };
      again();
      const uid = (await box.ready('stuck')).metadata?.uid ?? '';
      const disk = box.path('pods', uid, 'volumes/kubernetes.io~empty-dir/v/disk');
      mkdirSync(disk);
      assert.ok(canMount(disk));
      writeFileSync(`${disk}/precious`, '');
      const user: ChildProcess = spawn('sleep', ['600'], { cwd: disk, stdio: 'ignore' });
      try {
        const told = async () => (await box.conditions('PodDataLeft')).join('\n');
        box.remove('stuck.json');
        await box.gone('stuck');
        await eventually('it is told', async () => (await told()).includes('target is busy'));
        await box.restart('SIGKILL');
        await eventually('it is told again', async () => (await told()).includes('target is busy'));
        again();
        await box.ready('stuck');
        assert.equal(shell('stuck', 'ls -A /v'), '');
        const aside = box.path(
          'pods',
          `${uid}.1`,
          'volumes/kubernetes.io~empty-dir/v/disk/precious',
        );
        assert.ok(existsSync(aside));
      } finally {
        user.kill();
      }
      await eventually('it goes', () =>
        readdirSync(box.path('pods')).every(name => name !== `${uid}.1`),
      );
    },
  );
});
