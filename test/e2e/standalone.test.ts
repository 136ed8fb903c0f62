/**
 * The stand-alone kubelet on a real Docker Engine: a directory, the loop, containers. What a person who drops
 * files sees, from `docker ps` and the reports alone.
 */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  noEngine,
  randomHex,
  removeOwned,
  TEST_IMAGE,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { NODE, pod, StandaloneAgent } from '../support/standalone-agent.js';
import { eventually } from '../support/wait.js';

describe('the stand-alone kubelet', { skip: noEngine() }, () => {
  const agent = new StandaloneAgent();
  let foreign = '';

  before(async () => {
    ensureTestImage();
    foreign = docker(
      'run',
      '-d',
      '--name',
      `flotilla-foreign-${randomHex(4)}`,
      TEST_IMAGE,
      'sleep',
      '100000',
    );
    await agent.start();
  });

  after(async () => {
    await agent.stop();
    removeOwned(agent.owner);
    docker('rm', '-f', foreign);
    rmSync(agent.root, { recursive: true, force: true });
  });

  test('a dropped file becomes a pod whose web server answers on the host port', async () => {
    const port = await freePort('0.0.0.0');
    const ports = [{ containerPort: 80, hostPort: port }];
    const script = 'echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp';
    agent.put('web.json', pod('web', [{ name: 'app', script, more: { ports } }]));
    await agent.runs('web');
    await eventually(
      'the port answers',
      () =>
        new Promise<boolean>(resolve => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.destroy();
            resolve(true);
          });
          socket.on('error', () => {
            resolve(false);
          });
        }),
    );
    const status = agent.status('web');
    assert.equal(status?.phase, 'Running');
    assert.match(status.podIP ?? '', /^\d+\.\d+\.\d+\.\d+$/);
    const [id] = agent.ids('web', 'app');
    const hosts = docker('exec', id ?? '', 'cat', '/etc/hosts');
    assert.match(hosts, /^# Kubernetes-managed hosts file\./);
    assert.ok(hosts.endsWith(`${status.podIP}\tweb-${NODE}`), hosts);
    assert.match(
      docker('inspect', '-f', '{{.Name}}', id ?? ''),
      /^\/k8s_app_web-edge1_default_[0-9a-f]{32}_0$/,
    );
    const reasons = agent.events.map(event => event.reason);
    for (const reason of ['Pulled', 'Created', 'Started'])
      assert.ok(reasons.includes(reason), reason);
  });

  test('an edit of one container of two leaves the other one alone', async () => {
    agent.put('pair.json', pod('pair', [{ name: 'a' }, { name: 'b' }]));
    await agent.runs('pair');
    const [kept] = agent.ids('pair', 'b');
    const [replaced] = agent.ids('pair', 'a');
    agent.put(
      'pair.json',
      pod('pair', [{ name: 'a', more: { env: [{ name: 'X', value: '1' }] } }, { name: 'b' }]),
    );
    await eventually('a is replaced', () => {
      const [id] = agent.ids('pair', 'a');
      return id !== undefined && id !== replaced;
    });
    assert.deepEqual(agent.ids('pair', 'b'), [kept]);
    await agent.runs('pair');
  });

  test('volumes: an emptyDir is shared and goes with the pod, a missing hostPath waits', async () => {
    const wanted = join(agent.root, 'wanted');
    const volumes = [
      { name: 'shared', emptyDir: {} },
      { name: 'host', hostPath: { path: wanted, type: 'Directory' } },
    ];
    const mounts = {
      volumeMounts: [
        { name: 'shared', mountPath: '/shared' },
        { name: 'host', mountPath: '/host' },
      ],
    };
    const writer = { name: 'writer', script: 'echo hi > /shared/file; sleep 100000', more: mounts };
    agent.put(
      'volumes.json',
      pod('volumes', [writer, { name: 'reader', more: mounts }], { volumes }),
    );
    await eventually('the reason shows', () => agent.status('volumes')?.reason === 'FailedMount');
    assert.deepEqual(agent.ids('volumes', 'POD', true), []);
    mkdirSync(wanted);
    await agent.runs('volumes');
    const [reader] = agent.ids('volumes', 'reader');
    await eventually(
      'the file is there',
      () => docker('exec', reader ?? '', 'ls', '/shared') === 'file',
    );
    assert.equal(docker('exec', reader ?? '', 'stat', '-c', '%a', '/shared'), '777');
    agent.remove('volumes.json');
    await eventually('it is gone', () => agent.ids('volumes', 'POD', true).length === 0);
    await eventually('no report', () => agent.status('volumes') === undefined);
  });

  test('a running manifest that breaks, in whatever way, keeps its containers', async () => {
    const good = pod('pair', [{ name: 'a' }, { name: 'b' }]);
    agent.put('pair.json', good);
    await agent.runs('pair');
    await eventually('the edit is taken back', () => {
      const [id] = agent.ids('pair', 'a');
      return docker('inspect', '-f', '{{.Config.Env}}', id ?? '').includes('X=1') ? null : true;
    });
    const before = [agent.ids('pair', 'a'), agent.ids('pair', 'b'), agent.ids('pair', 'POD')];
    const broken = [
      '',
      good.slice(0, 100),
      'a: b: c',
      good.replace('"Pod"', '"Deployment"'),
      good.replace('"name":"pair",', ''),
      good.replace('"spec"', '"sepc"'),
      good.replace('"command"', '"comand"'),
      `# ${'x'.repeat(11 * 1024 * 1024)}`,
    ];
    for (const text of broken) {
      agent.put('pair.json', text);
      await eventually(`refused: ${text.slice(0, 30)}`, () => agent.condition('ManifestRefused'));
      assert.match(agent.condition('ManifestRefused') ?? '', /^pair\.json/);
      agent.put('pair.json', good);
      await eventually('mended', () => (agent.condition('ManifestRefused') === null ? true : null));
    }
    assert.deepEqual(
      [agent.ids('pair', 'a'), agent.ids('pair', 'b'), agent.ids('pair', 'POD')],
      before,
    );
  });

  test('rm -r of the directory keeps everything running and is a condition', async () => {
    const before = agent.picture();
    renameSync(agent.dir, `${agent.dir}.aside`);
    await eventually('the condition', () =>
      /does not exist/.test(agent.condition('StaticPodPath') ?? ''),
    );
    assert.equal(agent.picture(), before);
    renameSync(`${agent.dir}.aside`, agent.dir);
    await eventually('it is read again', () => agent.condition('StaticPodPath') === agent.dir);
    assert.equal(agent.picture(), before);
  });

  test('a restart of the agent touches nothing', async () => {
    const before = agent.picture();
    await agent.stop();
    await agent.start();
    await agent.runs('web');
    await agent.runs('pair');
    assert.equal(agent.picture(), before);
    await eventually('nothing to do', () => agent.pods.planText() === 'nothing to do');
    assert.equal(agent.picture(), before);
  });

  test('a killed container comes back in its sandbox, then waits longer', async () => {
    const [sandbox] = agent.ids('web', 'POD');
    const [first] = agent.ids('web', 'app');
    docker('kill', first ?? '');
    const another = (than: string | undefined) => agent.ids('web', 'app').find(id => id !== than);
    const second = await eventually('it is back', () => another(first));
    assert.deepEqual(agent.ids('web', 'POD'), [sandbox]);
    await eventually(
      'counted',
      () => agent.status('web')?.containerStatuses?.[0]?.restartCount === 1,
    );
    const last = agent.status('web')?.containerStatuses?.[0]?.lastState?.terminated;
    assert.equal(last?.exitCode, 137);
    docker('kill', second);
    await eventually(
      'it waits',
      () =>
        agent.status('web')?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const timeOf = (id: string, what: string) =>
      Date.parse(docker('inspect', '-f', `{{.State.${what}}}`, id));
    const endedAt = timeOf(second, 'FinishedAt');
    const third = await eventually('it is back again', () => another(second));
    const waited = timeOf(third, 'StartedAt') - endedAt;
    assert.ok(waited > 9_000, `the second restart waits: ${waited} ms`);
  });

  test('a killed pause container: the pod is rebuilt with a new sandbox', async () => {
    const [sandbox] = agent.ids('pair', 'POD');
    const [a] = agent.ids('pair', 'a');
    docker('kill', sandbox ?? '');
    await eventually('another sandbox', () => {
      const [id] = agent.ids('pair', 'POD');
      return id !== undefined && id !== sandbox;
    });
    await eventually(
      'counted',
      () => agent.status('pair')?.containerStatuses?.[1]?.restartCount === 1,
    );
    await agent.runs('pair');
    assert.notEqual(agent.ids('pair', 'a')[0], a);
  });

  test('a job that ended stays ended, over a restart of the agent too', async () => {
    agent.put(
      'job.json',
      pod('job', [{ name: 'app', script: 'exit 0' }], { restartPolicy: 'Never' }),
    );
    await eventually('it succeeded', () => agent.status('job')?.phase === 'Succeeded');
    await eventually('its sandbox is stopped', () => agent.ids('job', 'POD').length === 0);
    const ids = agent.ids('job', 'app', true);
    await agent.stop();
    await agent.start();
    await eventually('known again', () => agent.status('job')?.phase === 'Succeeded');
    assert.deepEqual(agent.ids('job', 'app', true), ids);
    agent.remove('job.json');
    await eventually('gone', () => agent.ids('job', 'app', true).length === 0);
  });

  test('an image that nobody has: the pod waits and says so, the others run', async () => {
    agent.put(
      'missing.json',
      pod('missing', [{ name: 'app', more: { image: 'localhost:1/none:1' } }, { name: 'b' }]),
    );
    await eventually('the reason shows', () => {
      const reason = agent.status('missing')?.containerStatuses?.[0]?.state?.waiting?.reason ?? '';
      return ['ErrImagePull', 'ImagePullBackOff'].includes(reason);
    });
    await eventually('b runs', () => agent.ids('missing', 'b').length === 1);
    agent.remove('missing.json');
    await eventually('gone', () => agent.ids('missing', 'POD', true).length === 0);
  });

  test('a program that does not exist: RunContainerError, then a crash loop', async () => {
    agent.put('cannot.json', pod('cannot', [{ name: 'app', more: { command: ['/no/such'] } }]));
    await eventually('it waits', () => {
      const state = agent.status('cannot')?.containerStatuses?.[0];
      return (
        state?.state?.waiting?.reason === 'CrashLoopBackOff' &&
        state.lastState?.terminated?.reason === 'ContainerCannotRun'
      );
    });
    agent.remove('cannot.json');
    await eventually('gone', () => agent.ids('cannot', 'POD', true).length === 0);
  });

  test('a file deleted while the agent was down: its pod ends, the others stay', async () => {
    const kept = agent.ids('web', 'app');
    await agent.stop();
    agent.remove('pair.json');
    await agent.start();
    await eventually('pair is gone', () => agent.ids('pair', 'POD', true).length === 0);
    assert.deepEqual(agent.ids('pair', 'a', true), []);
    assert.deepEqual(agent.ids('web', 'app'), kept);
  });

  test('nothing foreign was touched', () => {
    assert.equal(
      docker('inspect', '-f', '{{.State.Running}} {{.RestartCount}}', foreign),
      'true 0',
    );
  });
});
