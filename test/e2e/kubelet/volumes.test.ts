/**
 * Volumes, ConfigMaps, Secrets and the environment, as a container sees them. Each test names the row of the kubelet's
 * behaviour that it covers; ConfigMaps and Secrets beside the pods are what a kubelet of its own does not have (P12).
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { docker, noEngine } from '../../support/docker.js';
import { eventually } from '../../support/wait.js';

const mount = (name: string, mountPath: string, more: Record<string, unknown> = {}) => ({
  name,
  mountPath,
  ...more,
});

function configMap(name: string, data: Record<string, string>): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

describe('volumes and environment, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  before(async () => {
    await box.start();
  });
  after(() => box.close());

  test('row 132: an emptyDir is 0777, shared, and survives containers and the agent', async () => {
    const volumeMounts = [mount('v', '/v')];
    box.put(
      'empty.json',
      pod(
        'empty',
        [container('a', FOREVER, { volumeMounts }), container('b', FOREVER, { volumeMounts })],
        {
          volumes: [{ name: 'v', emptyDir: {} }],
        },
      ),
    );
    await box.ready('empty');
    assert.equal(box.exec('empty', 'a', 'stat', '-c', '%a', '/v'), '777');
    box.exec('empty', 'a', 'sh', '-c', 'echo kept > /v/file');
    const { Id } = box.running('empty', 'a');
    docker('kill', Id);
    await eventually('it runs again', () => box.running('empty', 'a').Id !== Id);
    await box.restart();
    assert.equal(box.exec('empty', 'a', 'cat', '/v/file'), 'kept');
    assert.equal(box.exec('empty', 'b', 'cat', '/v/file'), 'kept');
    box.remove('empty.json');
    await box.gone('empty');
  });

  test('row 133: medium Memory is a tmpfs of its sizeLimit, or is refused with its path where none can be mounted', async () => {
    box.put(
      'memory.json',
      pod('memory', [container('app', FOREVER, { volumeMounts: [mount('m', '/m')] })], {
        volumes: [{ name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } }],
      }),
    );
    const found = await box.until('an answer', 'memory', one =>
      one.status?.phase === 'Running' || (one.status?.message ?? '').includes('medium')
        ? one
        : null,
    );
    if (found.status?.phase === 'Running') {
      const [, size, , , , on] =
        box.exec('memory', 'app', 'df', '-k', '/m').split('\n')[1]?.split(/\s+/) ?? [];
      assert.deepEqual([size, on], ['8192', '/m']);
    } else {
      assert.match(found.status?.message ?? '', /spec\.volumes\[0\]\.emptyDir\.medium/);
    }
    box.remove('memory.json');
    await box.gone('memory');
  });

  test('rows 129 to 131: hostPath is made where its type says so, and waited for where it does not', async () => {
    const at = (name: string) => box.path('host', name);
    mkdirSync(box.path('host'));
    const volumes = [
      { name: 'made', hostPath: { path: at('made'), type: 'DirectoryOrCreate' } },
      { name: 'file', hostPath: { path: at('file'), type: 'FileOrCreate' } },
      { name: 'plain', hostPath: { path: at('plain') } },
    ];
    const volumeMounts = volumes.map(({ name }) => mount(name, `/${name}`));
    box.put('host.json', pod('host', [container('app', FOREVER, { volumeMounts })], { volumes }));
    await box.ready('host');
    assert.equal(statSync(at('made')).mode & 0o777, 0o755);
    assert.equal(statSync(at('file')).mode & 0o777, 0o644);
    assert.ok(statSync(at('plain')).isDirectory());
    const waits = [{ name: 'w', hostPath: { path: at('wanted'), type: 'Directory' } }];
    box.put(
      'waits.json',
      pod('waits', [container('app', FOREVER, { volumeMounts: [mount('w', '/w')] })], {
        volumes: waits,
      }),
    );
    await eventually('it is told', async () =>
      (await box.events('FailedMount')).some(one =>
        /hostPath type check failed: .*wanted is not a directory/.test(one.message ?? ''),
      ),
    );
    mkdirSync(at('wanted'));
    await box.ready('waits');
    for (const name of ['host.json', 'waits.json']) box.remove(name);
    for (const name of ['host', 'waits']) await box.gone(name);
  });

  test('a device of the host may be opened when the volume says that it is one', async () => {
    const volumes = [
      { name: 'typed', hostPath: { path: '/dev/full', type: 'CharDevice' } },
      { name: 'dev', hostPath: { path: '/dev/null', type: 'CharDevice' } },
    ];
    const volumeMounts = [mount('typed', '/dev/mine'), mount('dev', '/dev/other')];
    box.put(
      'device.json',
      pod('device', [container('app', FOREVER, { volumeMounts })], { volumes }),
    );
    await box.ready('device');
    assert.equal(
      box.exec('device', 'app', 'sh', '-c', 'echo x > /dev/other && head -c 1 /dev/mine | wc -c'),
      '1',
    );
    box.remove('device.json');
    await box.gone('device');
  });

  test('rows 135, 136: downwardAPI and projected files, through a link that is swapped', async () => {
    const items = [
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
      { path: 'name', fieldRef: { fieldPath: 'metadata.name' }, mode: 0o400 },
      {
        path: 'cpu',
        resourceFieldRef: { containerName: 'app', resource: 'limits.cpu', divisor: '1m' },
      },
    ];
    const resources = { limits: { cpu: '250m' } };
    const labels = { b: '2', a: 'one' };
    const document = (more: Record<string, string>) =>
      pod('down', [container('app', FOREVER, { resources, volumeMounts: [mount('d', '/d')] })], {
        metadata: { labels: { ...labels, ...more } },
        volumes: [{ name: 'd', downwardAPI: { items } }],
      });
    box.put('down.json', document({}));
    await box.ready('down');
    const { Id } = box.running('down', 'app');
    assert.equal(box.exec('down', 'app', 'cat', '/d/labels'), 'a="one"\nb="2"');
    assert.equal(box.exec('down', 'app', 'cat', '/d/name'), `down-${NODE}`);
    assert.equal(box.exec('down', 'app', 'cat', '/d/cpu'), '250');
    assert.equal(box.exec('down', 'app', 'stat', '-Lc', '%a', '/d/name'), '400');
    assert.match(box.exec('down', 'app', 'readlink', '/d/..data'), /^\.\.\d{4}_/);
    box.put('down.json', document({ c: 'new' }));
    await eventually('the file follows the label', () =>
      box.exec('down', 'app', 'cat', '/d/labels').endsWith('c="new"'),
    );
    assert.equal(box.running('down', 'app').Id, Id);
    box.remove('down.json');
    await box.gone('down');
  });

  test('P12: a ConfigMap and a Secret in the directory serve env, envFrom and volumes', async () => {
    box.put('config.yaml', configMap('conf', { GREETING: 'hello', 'app.ini': 'a=1\n' }));
    box.put('secret.yaml', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys' },
      stringData: { TOKEN: 's3cret-value' },
    });
    chmodSync(box.file('secret.yaml'), 0o600);
    const more = {
      env: [
        { name: 'ONE', valueFrom: { configMapKeyRef: { name: 'conf', key: 'GREETING' } } },
        { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'TOKEN' } } },
      ],
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'conf' } }],
      volumeMounts: [mount('conf', '/conf'), mount('keys', '/keys')],
    };
    const volumes = [
      { name: 'conf', configMap: { name: 'conf' } },
      { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
    ];
    box.put(
      'uses.json',
      pod('uses', [container('app', `echo $ONE $TOKEN $P_GREETING; ${FOREVER}`, more)], {
        volumes,
      }),
    );
    await box.ready('uses');
    await eventually('it spoke', () => box.output('uses', 'app') === 'hello s3cret-value hello');
    assert.equal(
      box.exec('uses', 'app', 'cat', '/conf/app.ini', '/keys/TOKEN'),
      'a=1\ns3cret-value',
    );
    const { Id } = box.running('uses', 'app');
    box.put('config.yaml', configMap('conf', { GREETING: 'hello', 'app.ini': 'a=2\n' }));
    await eventually('the mounted file follows', () =>
      box.exec('uses', 'app', 'cat', '/conf/app.ini').startsWith('a=2'),
    );
    assert.equal(box.running('uses', 'app').Id, Id);
    for (const path of ['/pods', '/status', '/events', '/plan']) {
      assert.doesNotMatch((await box.get(path)).body, /s3cret-value/, path);
    }
    assert.doesNotMatch(box.log(), /s3cret-value/);
    box.remove('uses.json');
    await box.gone('uses');
  });

  test('a pod whose ConfigMap is missing is refused before anything is made, with the field, and runs when it comes', async () => {
    const envFrom = [{ configMapRef: { name: 'later' } }];
    box.put('missing.json', pod('missing', [container('app', FOREVER, { envFrom })]));
    const found = await box.until('told', 'missing', one =>
      (one.status?.message ?? '').includes('later') ? one : null,
    );
    assert.match(found.status?.message ?? '', /spec\.containers\[0\]\.envFrom\[0\]\.configMapRef/);
    assert.deepEqual(box.inspect('missing'), []);
    box.put('later.yaml', configMap('later', { A: 'b' }));
    await box.ready('missing');
    box.remove('missing.json');
    await box.gone('missing');
  });

  test('row 138: subPath is made, subPathExpr expands, and a link out of the volume is refused', async () => {
    const host = box.path('sub');
    mkdirSync(host);
    writeFileSync(box.path('outside'), 'secret');
    symlinkSync('/', `${host}/escape`);
    const volumes = [{ name: 's', hostPath: { path: host } }];
    const env = [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
    const volumeMounts = [
      mount('s', '/one', { subPath: 'a/b' }),
      mount('s', '/two', { subPathExpr: '$(NAME)' }),
    ];
    box.put(
      'sub.json',
      pod('sub', [container('app', FOREVER, { env, volumeMounts })], { volumes }),
    );
    await box.ready('sub');
    assert.ok(existsSync(`${host}/a/b`));
    assert.ok(existsSync(`${host}/sub-${NODE}`));
    const escapes = [mount('s', '/e', { subPath: 'escape/etc' })];
    box.put(
      'escape.json',
      pod('escape', [container('app', FOREVER, { volumeMounts: escapes })], { volumes }),
    );
    await box.waiting('escape', 'CreateContainerConfigError');
    assert.ok(box.inspect('escape', 'app').every(one => !one.State.Running));
    box.remove('sub.json');
    box.remove('escape.json');
    for (const name of ['sub', 'escape']) await box.gone(name);
  });

  test('row 137: fsGroup owns what the pod may write; row 139: read-only is read-only', async () => {
    const volumes = [{ name: 'v', emptyDir: {} }];
    const volumeMounts = [mount('v', '/v'), mount('v', '/r', { readOnly: true })];
    box.put(
      'group.json',
      pod('group', [container('app', FOREVER, { volumeMounts })], {
        volumes,
        securityContext: { fsGroup: 4321 },
      }),
    );
    await box.ready('group');
    const [mode, owner] = box.exec('group', 'app', 'stat', '-c', '%a %g', '/v').split(' ');
    assert.deepEqual([mode, owner], ['2777', '4321']);
    assert.throws(() => box.exec('group', 'app', 'touch', '/r/x'), /Read-only/);
    box.remove('group.json');
    await box.gone('group');
  });

  test('row 147: resources in the environment, rounded up', async () => {
    const ref = (resource: string, divisor?: string) => ({
      valueFrom: { resourceFieldRef: { resource, ...(divisor === undefined ? {} : { divisor }) } },
    });
    const env = [
      { name: 'WHOLE', ...ref('limits.cpu') },
      { name: 'MILLI', ...ref('limits.cpu', '1m') },
      { name: 'MEM', ...ref('limits.memory', '1Mi') },
    ];
    const resources = { limits: { cpu: '250m', memory: '64Mi' } };
    box.put(
      'resources.json',
      pod('resources', [
        container('app', `echo $WHOLE $MILLI $MEM; ${FOREVER}`, { env, resources }),
      ]),
    );
    await box.ready('resources');
    await eventually('it spoke', () => box.output('resources', 'app') === '1 250 64');
    box.remove('resources.json');
    await box.gone('resources');
  });

  test('row 148, T6, T21: a variable from a file that an init container wrote', async () => {
    const volumes = [{ name: 'v', emptyDir: {} }];
    const env = [
      {
        name: 'FROM_FILE',
        valueFrom: { fileKeyRef: { volumeName: 'v', path: 'env', key: 'KEY' } },
      },
    ];
    box.put(
      'envfile.json',
      pod('envfile', [container('app', `echo $FROM_FILE; ${FOREVER}`, { env })], {
        volumes,
        initContainers: [
          container('init', 'echo "KEY=\'written\'" > /v/env', {
            volumeMounts: [mount('v', '/v')],
          }),
        ],
      }),
    );
    await box.ready('envfile');
    await eventually('it spoke', () => box.output('envfile', 'app') === 'written');
    box.remove('envfile.json');
    await box.gone('envfile');
  });

  const refused: [string, Record<string, unknown>, RegExp][] = [
    [
      'row 59: a PersistentVolumeClaim',
      { volumes: [{ name: 'p', persistentVolumeClaim: { claimName: 'c' } }] },
      /spec\.volumes\[0\]\.persistentVolumeClaim/,
    ],
    [
      'row 60: NFS on this engine',
      { volumes: [{ name: 'n', nfs: { server: 's', path: '/' } }] },
      /spec\.volumes\[0\]\.nfs.*not on this engine/,
    ],
    [
      'row 59: a projected token',
      {
        volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }],
      },
      /serviceAccountToken/,
    ],
    ['row 59: a service account', { serviceAccountName: 'sa' }, /spec\.serviceAccountName/],
  ];
  for (const [sentence, spec, wanted] of refused) {
    test(`${sentence} is refused with its path before anything is started`, async () => {
      box.put('refused.json', pod('refused', undefined, spec));
      await eventually('refused', async () =>
        (await box.conditions('ManifestRefused')).some(one => wanted.test(one)),
      );
      assert.deepEqual(box.inspect('refused'), []);
      box.remove('refused.json');
      await eventually(
        'no trace',
        async () => (await box.conditions('ManifestRefused')).length === 0,
      );
    });
  }
});
