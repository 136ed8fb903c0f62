/**
 * Identity, edits, deletion, restarts of the agent, restart policy and back-off, names and labels: what `docker ps` and
 * the node's API show. Each test names the row of the kubelet's behaviour, or the kubelet's own test, that it covers.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { docker, noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

const labelOf = (one: { Config: { Labels: Record<string, string> } }, label: string) =>
  one.Config.Labels[label];

describe('life of a pod, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  before(async () => {
    await box.start();
  });
  after(() => box.close());

  test('rows 46, 50, 54, 55, 207, 209, 211 to 213: identity, defaults, names and labels, logs that rotate', async () => {
    const metadata = { labels: { app: 'web' }, annotations: { note: 'x' } };
    box.put(
      'id.yaml',
      pod('id', undefined, { metadata, terminationGracePeriodSeconds: undefined }),
    );
    const found = await box.ready('id');
    const uid = found.metadata?.uid ?? '';
    assert.match(uid, /^[0-9a-f]{32}$/);
    assert.equal(found.metadata?.name, `id-${NODE}`);
    assert.equal(found.metadata.namespace, 'default');
    assert.equal(found.metadata.annotations?.['kubernetes.io/config.source'], 'file');
    assert.equal(found.spec?.nodeName, NODE);
    const { restartPolicy, dnsPolicy, terminationGracePeriodSeconds, schedulerName } = found.spec;
    assert.deepEqual(
      [restartPolicy, dnsPolicy, terminationGracePeriodSeconds, schedulerName],
      ['Always', 'ClusterFirst', 30, 'default-scheduler'],
    );
    const app = box.running('id', 'app');
    const sandbox = box.running('id', 'POD');
    assert.equal(app.Name, `/k8s_app_id-${NODE}_default_${uid}_0`);
    assert.equal(sandbox.Name, `/k8s_POD_id-${NODE}_default_${uid}_0`);
    assert.equal(labelOf(app, 'io.kubernetes.docker.type'), 'container');
    assert.equal(labelOf(app, 'io.kubernetes.sandbox.id'), sandbox.Id);
    assert.equal(labelOf(sandbox, 'app'), 'web');
    assert.equal(labelOf(sandbox, 'annotation.note'), 'x');
    assert.equal(labelOf(app, 'app'), undefined);
    const { LogConfig } = app.HostConfig;
    assert.deepEqual(LogConfig, {
      Type: 'json-file',
      Config: { 'max-size': '10m', 'max-file': '5' },
    });
    box.remove('id.yaml');
    await box.gone('id');
  });

  test('rows 53, 64 better: an edit of one of two containers restarts that one alone; a label restarts nothing', async () => {
    const two = (value: string) => [
      container('one', undefined, { env: [{ name: 'V', value }] }),
      container('two'),
    ];
    box.put('edit.yaml', pod('edit', two('a')));
    await box.ready('edit');
    const [one, other, sandbox] = ['one', 'two', 'POD'].map(name => box.running('edit', name).Id);
    box.put('edit.yaml', pod('edit', two('b')));
    await eventually('the edit runs', () => box.running('edit', 'one').Id !== one);
    assert.equal(box.running('edit', 'two').Id, other);
    assert.equal(box.running('edit', 'POD').Id, sandbox);
    const edited = box.running('edit', 'one').Id;
    box.put('edit.yaml', pod('edit', two('b'), { metadata: { labels: { new: 'label' } } }));
    await box.until('the label', 'edit', found => found.metadata?.labels?.['new'] === 'label');
    assert.equal(box.running('edit', 'one').Id, edited);
    box.remove('edit.yaml');
    await box.gone('edit');
  });

  test('row 49, P10 better: with a given uid every edit of a container is applied', async () => {
    const metadata = { uid: 'my-own-uid' };
    box.put('uid.yaml', pod('uid', undefined, { metadata }));
    await box.ready('uid');
    const sandbox = box.running('uid', 'POD').Id;
    box.put(
      'uid.yaml',
      pod('uid', [container('app', FOREVER, { workingDir: '/tmp' })], { metadata }),
    );
    await eventually('the edit runs', () => box.running('uid', 'app').Config.WorkingDir === '/tmp');
    assert.equal(box.running('uid', 'POD').Id, sandbox);
    box.remove('uid.yaml');
    await box.gone('uid');
  });

  test('row 66, T9: of many quick edits the last one runs, and nothing is left over', async () => {
    const text = (n: number) =>
      pod('quick', [container('app', FOREVER, { env: [{ name: 'N', value: String(n) }] })]);
    for (let n = 0; n < 60; n++) {
      box.put('quick.yaml', text(n));
      await new Promise(done => setTimeout(done, 25));
    }
    await eventually('the last one runs', () =>
      box.running('quick', 'app').Config.Env.includes('N=59'),
    );
    await box.ready('quick');
    await eventually('at most one dead copy', () => box.inspect('quick', 'app').length <= 2, {
      withinMs: 90_000,
    });
    box.remove('quick.yaml');
    await box.gone('quick');
  });

  test('rows 64, 67, T3: removed and put back while it ends, it ends fully and runs again under the same uid', async () => {
    const slow = pod('again', [container('app', "trap '' TERM; while :; do sleep 3600; done")], {
      terminationGracePeriodSeconds: 3,
    });
    box.put('again.yaml', slow);
    const uid = (await box.ready('again')).metadata?.uid;
    const id = box.running('again', 'app').Id;
    box.remove('again.yaml');
    await eventually('it is ending', async () =>
      (await box.pods()).some(one => one.metadata?.deletionTimestamp !== undefined),
    );
    box.put('again.yaml', slow);
    await eventually('it runs again', () => box.running('again', 'app').Id !== id);
    const found = await box.ready('again');
    assert.equal(found.metadata?.uid, uid);
    box.remove('again.yaml');
    await box.gone('again');
  });

  test('rows 68, 71, T8: the grace is honoured, and meanwhile the pod is shown as ending', async () => {
    const stubborn = container('app', "trap '' TERM; while :; do sleep 3600; done");
    box.put('grace.yaml', pod('grace', [stubborn], { terminationGracePeriodSeconds: 4 }));
    await box.ready('grace');
    const from = Date.now();
    box.remove('grace.yaml');
    await eventually('shown as ending', async () =>
      (await box.pods()).some(
        one =>
          one.metadata?.name === `grace-${NODE}` && one.metadata.deletionTimestamp !== undefined,
      ),
    );
    await box.gone('grace');
    // Not before its grace: the clock of the test is the same as the engine's.
    assert.ok(Date.now() - from >= 3_900);
  });

  test('row 192: of a pod that is ending the exit codes, counts and logs stay until the last container has ended', async () => {
    const quick = container(
      'quick',
      "trap 'exit 3' TERM; echo hello; while :; do sleep 3600 & wait; done",
    );
    const deaf = container('deaf', "trap '' TERM; while [ ! -e /tmp/end ]; do sleep 0.1; done");
    box.put('parts.yaml', pod('parts', [quick, deaf], { terminationGracePeriodSeconds: 60 }));
    await box.ready('parts');
    await eventually('it hears', () => box.output('parts', 'quick') === 'hello');
    box.remove('parts.yaml');
    const ended = await eventually('the first has ended', async () => {
      const found = (await box.pods()).find(one => one.metadata?.name === `parts-${NODE}`);
      const status = found?.status?.containerStatuses?.find(one => one.name === 'quick');
      return status?.state?.running === undefined ? status : undefined;
    });
    assert.equal(ended?.state?.terminated?.exitCode, 3);
    assert.equal(ended.restartCount, 0);
    const logs = await box.get(`/containerLogs/default/parts/quick`);
    assert.equal(logs.body, 'hello\n');
    box.exec('parts', 'deaf', 'touch', '/tmp/end');
    await box.gone('parts');
  });

  test('rows 74, 90, T7, T20: an agent that ends or is killed leaves containers alone and knows them again', async () => {
    box.put('stay.yaml', pod('stay', [container('app'), container('ends', 'sleep 1; exit 3')]));
    await box.until('a restart', 'stay', found =>
      found.status?.containerStatuses?.some(one => one.name === 'ends' && one.restartCount >= 1),
    );
    const { Id, State } = box.running('stay', 'app');
    const count = async () =>
      (await box.pod('stay'))?.status?.containerStatuses?.find(one => one.name === 'ends')
        ?.restartCount ?? -1;
    const before = await count();
    await box.restart('SIGTERM');
    await eventually('counted again', async () => (await count()) >= before);
    await box.restart('SIGKILL');
    await box.until('known again', 'stay', found => found.status?.phase === 'Running');
    assert.equal(box.running('stay', 'app').Id, Id);
    assert.equal(box.running('stay', 'app').State.StartedAt, State.StartedAt);
    await eventually('counted again', async () => (await count()) >= before);
    box.remove('stay.yaml');
    await box.gone('stay');
  });

  test('row 214: an agent that has lost all that it wrote down knows from the labels what runs', async () => {
    const two = [container('app'), container('ends', 'sleep 1; exit 3')];
    box.put('known.yaml', pod('known', two));
    const ends = (found: Pod) =>
      found.status?.containerStatuses?.find(one => one.name === 'ends')?.restartCount ?? 0;
    await box.until('a restart', 'known', found => ends(found) >= 1);
    const before = ['POD', 'app'].map(name => box.running('known', name).Id);
    await box.stop('SIGKILL');
    for (const name of readdirSync(box.dir)) {
      const isKept = ['manifests', 'pods', 'agent.yaml', 'agent.log'].includes(name);
      if (!isKept) rmSync(box.path(name), { recursive: true });
    }
    await box.start();
    await box.until('known again', 'known', found => ends(found) >= 1);
    assert.deepEqual(
      ['POD', 'app'].map(name => box.running('known', name).Id),
      before,
    );
    box.remove('known.yaml');
    await box.gone('known');
  });

  test('row 72, T13: a file deleted while the agent was away ends its pod at the next start', async () => {
    box.put('orphan.yaml', pod('orphan'));
    await box.ready('orphan');
    await box.stop('SIGKILL');
    box.remove('orphan.yaml');
    await box.start();
    await box.gone('orphan');
  });

  test('row 82: an agent that ends in the middle of a stop does not wait for it; the next one goes on', async () => {
    const deaf = container('deaf', "trap '' TERM; while :; do sleep 3600; done");
    box.put('deaf.yaml', pod('deaf', [deaf], { terminationGracePeriodSeconds: 15 }));
    await box.ready('deaf');
    const before = box.log().length;
    box.remove('deaf.yaml');
    await eventually('the stop has begun', async () => {
      const told = await box.events('Killing');
      return told.some(({ involvedObject }) => involvedObject.name === `deaf-${NODE}`);
    });
    await box.stop('SIGTERM');
    assert.equal(box.running('deaf', 'deaf').State.Running, true);
    assert.doesNotMatch(box.log().slice(before), /ERROR/);
    await box.start();
    await box.gone('deaf');
  });

  test('row 73 better: a file changed while the agent was away: never both at once', async () => {
    const ports = [{ containerPort: 80, hostPort: await freePort('0.0.0.0') }];
    box.put('away.yaml', pod('away', [container('app', FOREVER, { ports })]));
    await box.ready('away');
    const uid = (await box.pod('away'))?.metadata?.uid;
    await box.stop();
    const volumes = [{ name: 'v' }];
    box.put('away.yaml', pod('away', [container('app', FOREVER, { ports })], { volumes }));
    await box.start();
    await box.until('another pod', 'away', found => found.metadata?.uid !== uid);
    await box.ready('away');
    assert.equal(box.inspect('away', 'POD').filter(one => one.State.Running).length, 1);
    box.remove('away.yaml');
    await box.gone('away');
  });

  test('row 77: without its sandbox the whole pod is made again, under the next attempt', async () => {
    box.put('dead.yaml', pod('dead'));
    await box.ready('dead');
    const app = box.running('dead', 'app').Id;
    docker('kill', box.running('dead', 'POD').Id);
    await eventually('another sandbox', () => box.running('dead', 'POD').Name.endsWith('_1'));
    await eventually('another container', () => box.running('dead', 'app').Id !== app);
    await box.ready('dead');
    box.remove('dead.yaml');
    await box.gone('dead');
  });

  test('row 79: a container removed by hand comes back', async () => {
    box.put('hand.yaml', pod('hand'));
    await box.ready('hand');
    const { Id } = box.running('hand', 'app');
    docker('rm', '-f', Id);
    await eventually('it is back', () => box.running('hand', 'app').Id !== Id);
    box.remove('hand.yaml');
    await box.gone('hand');
  });

  test('P11: a change of a host file that the pod names restarts who mounts it, also when the agent was away', async () => {
    const conf = box.path('conf');
    mkdirSync(conf);
    writeFileSync(`${conf}/app.conf`, 'one');
    const volumes = [{ name: 'conf', hostPath: { path: conf } }];
    const volumeMounts = [{ name: 'conf', mountPath: '/conf', readOnly: true }];
    const metadata = { annotations: { 'flotilla.dev/restart-on-change': 'conf' } };
    const containers = [container('app', FOREVER, { volumeMounts }), container('other')];
    box.put('conf.yaml', pod('conf', containers, { metadata, volumes }));
    await box.ready('conf');
    const [app, other] = ['app', 'other'].map(name => box.running('conf', name).Id);
    const restarted = (before: string | undefined) =>
      eventually('it was restarted', () => box.running('conf', 'app').Id !== before);
    writeFileSync(`${conf}/app.conf`, 'two');
    await restarted(app);
    await box.ready('conf');
    const second = box.running('conf', 'app').Id;
    await box.stop();
    writeFileSync(`${conf}/app.conf`, 'three');
    await box.start();
    await restarted(second);
    const third = box.running('conf', 'app').Id;
    await box.restart();
    await box.ready('conf');
    assert.equal(box.running('conf', 'app').Id, third);
    assert.equal(box.running('conf', 'other').Id, other);
    box.remove('conf.yaml');
    await box.gone('conf');
  });

  test('rows 26, 33, 78, 87, 210 at once: another file name, SIGKILL, a finished job, an edit in a crash loop, a taken name', async () => {
    const uid = `life-${process.pid}`;
    const taken = `k8s_app_clash-${NODE}_default_${uid}_0`;
    const holder = docker('create', '--name', taken, 'flotilla.dev/test:1', 'true');
    try {
      box.put('name.yaml', pod('name'));
      box.put('nine.yaml', pod('nine'));
      box.put('job.yaml', pod('job', [container('app', 'exit 0')], { restartPolicy: 'Never' }));
      box.put('crash.yaml', pod('crash', [container('app', 'exit 1')]));
      box.put('clash.yaml', pod('clash', undefined, { metadata: { uid } }));
      await Promise.all([box.ready('name'), box.ready('nine'), box.phase('job', 'Succeeded')]);
      const { Id } = box.running('name', 'app');
      renameSync(box.file('name.yaml'), box.file('other-name.yaml'));
      docker('kill', box.running('nine', 'app').Id);
      const last = await box.until('its last run', 'nine', ({ status }) => {
        return status?.containerStatuses?.[0]?.lastState?.terminated;
      });
      assert.deepEqual([last.exitCode, last.reason], [137, 'Error']);
      for (const one of box.inspect('job', 'POD')) docker('rm', '-f', one.Id);
      await box.waiting('crash', 'CrashLoopBackOff');
      box.put('crash.yaml', pod('crash'));
      await Promise.all([box.ready('crash'), box.ready('clash')]);
      // A name of another's is left to it; ours gets eight digits more.
      assert.match(box.running('clash', 'app').Name, new RegExp(`^/${taken}_[0-9a-f]{8}$`));
      assert.equal(box.running('name', 'app').Id, Id);
      assert.equal(box.inspect('job', 'POD').length, 0);
      assert.equal((await box.pod('job'))?.status?.phase, 'Succeeded');
    } finally {
      docker('rm', '-f', holder);
    }
    for (const name of ['other-name', 'nine', 'job', 'crash', 'clash']) box.remove(`${name}.yaml`);
    await Promise.all(['name', 'nine', 'job', 'crash', 'clash'].map(name => box.gone(name)));
  });

  test('row 203: what the agent did not make it does not touch', async () => {
    const id = docker(
      'run',
      '-d',
      '--label',
      'io.kubernetes.pod.name=x',
      'flotilla.dev/test:1',
      'sleep',
      '1000',
    );
    try {
      box.put('other.yaml', pod('other'));
      await box.ready('other');
      box.remove('other.yaml');
      await box.gone('other');
      await box.restart();
      assert.equal(docker('inspect', '-f', '{{.State.Running}}', id), 'true');
    } finally {
      docker('rm', '-f', id);
    }
  });

  test('rows 141 to 145: command, args, expansion', async () => {
    const env = [
      { name: 'A', value: '$(B)' },
      { name: 'B', value: 'x' },
      { name: 'C', value: '$(B)' },
      { name: 'D', value: '$$(B)' },
      { name: 'E', value: '$(NONE)' },
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ];
    const more = { env, args: ['ignored', '$(C)'] };
    box.put(
      'env.yaml',
      pod('env', [container('app', `echo "$A|$C|$D|$E|$NAME|$IP|$1"; ${FOREVER}`, more)]),
    );
    const found = await box.ready('env');
    const ip = found.status?.podIP ?? '';
    assert.notEqual(ip, '');
    await eventually(
      'it spoke',
      () => box.output('env', 'app') === `$(B)|x|$(B)|$(NONE)|env-${NODE}|${ip}|x`,
    );
    box.remove('env.yaml');
    await box.gone('env');
  });

  test('rows 149 to 153: cpu shares, quota, memory, oom score', async () => {
    const resources = {
      requests: { cpu: '500m', memory: '16Mi' },
      limits: { cpu: '750m', memory: '64Mi' },
    };
    box.put('res.yaml', pod('res', [container('some', FOREVER, { resources }), container('none')]));
    const found = await box.ready('res');
    assert.equal(found.status?.qosClass, 'Burstable');
    const { CpuShares, CpuQuota, Memory, MemorySwap } = box.running('res', 'some').HostConfig;
    assert.deepEqual(
      [CpuShares, CpuQuota, Memory, MemorySwap],
      [512, 75_000, 67_108_864, 67_108_864],
    );
    const none = box.running('res', 'none').HostConfig;
    assert.deepEqual([none.CpuShares, none.Memory], [2, 0]);
    box.remove('res.yaml');
    await box.gone('res');
  });

  test('row 208: with the pod its files go', async () => {
    const volumes = [{ name: 'v', emptyDir: {} }];
    const volumeMounts = [{ name: 'v', mountPath: '/v' }];
    box.put('files.yaml', pod('files', [container('app', FOREVER, { volumeMounts })], { volumes }));
    await box.ready('files');
    const source = box.running('files', 'app').Mounts.find(one => one.Destination === '/v')?.Source;
    assert.ok(source !== undefined && source.startsWith(box.dir));
    box.remove('files.yaml');
    await box.gone('files');
    await eventually('the files are gone', () => !existsSync(source));
  });
});
