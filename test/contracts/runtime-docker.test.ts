/** A real Docker Engine keeps the container runtime contract; and what only a real one can show. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { OWN_NAMESPACES, PLAIN_SECURITY } from '../../agent/runtime/runtime.js';
import { pauseImageName } from '../../agent/runtime/pause-image.js';
import { docker, ensureTestImage, noEngine, randomHex, removeOwned } from '../support/docker.js';
import { dockerSubject, runtimeOf } from '../support/docker-subject.js';
import { attachContract } from './runtime-attach.contract.js';
import { execContract } from './runtime-exec.contract.js';
import { securityContract } from './runtime-security.contract.js';
import { runtimeContract } from './runtime.contract.js';

const skip = noEngine();
runtimeContract('Docker Engine', dockerSubject, skip);
execContract('Docker Engine', dockerSubject, skip);
attachContract('Docker Engine', dockerSubject, skip);
securityContract('Docker Engine', dockerSubject, skip);

describe('on a real Docker Engine', { skip }, () => {
  const owner = `/test/${randomHex(6)}`;
  const runtime = runtimeOf(owner);
  const pod = { name: 'web-node', namespace: 'shop', uid: 'b'.repeat(32) };
  const inspect = (id: string) =>
    (JSON.parse(docker('inspect', id)) as Record<string, never>[])[0] as unknown as {
      Config: {
        Labels: Record<string, string>;
        Healthcheck?: { Test: string[] };
        Hostname: string;
      };
      HostConfig: Record<string, unknown>;
      Name: string;
    };
  const run = async (change: { attempt?: number } = {}) => {
    const sandbox = await runtime.runSandbox({
      pod,
      attempt: change.attempt ?? 0,
      hostname: 'web-node',
      namespaces: OWN_NAMESPACES,
      sysctls: {},
      ports: [],
      labels: { app: 'web', 'io.kubernetes.pod.uid': 'forged' },
      annotations: { note: 'n' },
      terminationGracePeriodSeconds: 30,
      hash: 'h',
    });
    const container = await runtime.createContainer(sandbox, pod, {
      name: 'main',
      attempt: change.attempt ?? 0,
      image: ensureTestImage(),
      command: ['sleep'],
      args: ['1000'],
      env: ['A=b'],
      workingDir: '/tmp',
      mounts: [],
      devices: [],
      security: PLAIN_SECURITY,
      namespaces: OWN_NAMESPACES,
      stopSignal: '',
      resources: {
        cpuShares: 512,
        cpuQuota: 25_000,
        memoryLimit: 32 * 1024 ** 2,
        oomScoreAdj: -997,
        pidsLimit: 100,
      },
      stdin: false,
      stdinOnce: false,
      tty: false,
      annotations: {},
      hash: 'c',
    });
    await runtime.startContainer(container);
    return { sandbox, container };
  };
  after(() => removeOwned(owner));

  test('row 211–213: labels are those of a kubelet, pod labels on the sandbox only, none forged', async () => {
    const { sandbox, container } = await run();
    const outer = inspect(sandbox).Config.Labels;
    const inner = inspect(container).Config.Labels;
    assert.equal(outer['app'], 'web');
    assert.equal(outer['annotation.note'], 'n');
    assert.equal(outer['io.kubernetes.pod.uid'], pod.uid);
    assert.equal(outer['io.kubernetes.container.name'], 'POD');
    assert.equal(outer['io.kubernetes.docker.type'], 'podsandbox');
    assert.equal(inner['app'], undefined);
    assert.equal(inner['io.kubernetes.docker.type'], 'container');
    assert.equal(inner['io.kubernetes.sandbox.id'], sandbox);
    assert.equal(inner['annotation.io.kubernetes.container.restartCount'], '0');
    assert.equal(
      inner['io.kubernetes.container.logpath'],
      `/var/log/pods/shop_web-node_${pod.uid}/main/0.log`,
    );
  });

  test('rows 149–151, 166, 176: resources, shared namespaces, no health check, no restart by the engine', async () => {
    const { sandbox, container } = await run();
    const { HostConfig: host, Config: config } = inspect(container);
    assert.equal(host['CpuShares'], 512);
    assert.equal(host['CpuQuota'], 25_000);
    assert.equal(host['Memory'], 32 * 1024 ** 2);
    assert.equal(host['MemorySwap'], 32 * 1024 ** 2);
    assert.equal(host['NetworkMode'], `container:${sandbox}`);
    assert.equal(host['IpcMode'], `container:${sandbox}`);
    assert.deepEqual(config.Healthcheck?.Test, ['NONE']);
    assert.deepEqual(host['RestartPolicy'], { Name: 'no', MaximumRetryCount: 0 });
    assert.deepEqual(inspect(sandbox).HostConfig['SecurityOpt'], ['no-new-privileges']);
    assert.equal(docker('exec', container, 'hostname'), 'web-node');
  });

  test('the sandbox needs no registry, and its image is made again when somebody removed it', async () => {
    await run();
    removeOwned(owner);
    const image = pauseImageName(process.arch);
    // Another test file's sandboxes may hold it: then it cannot be removed, and there is nothing to show.
    try {
      docker('image', 'rm', image);
    } catch {
      return;
    }
    const { sandbox } = await run();
    assert.equal(docker('inspect', '--format', '{{.State.Running}}', sandbox), 'true');
  });

  test('row 210: a foreign container that holds the name is left alone', async () => {
    const name = `k8s_POD_${pod.name}_${pod.namespace}_${pod.uid}_9`;
    const foreign = docker('run', '-d', '--name', name, ensureTestImage(), 'sleep', '1000');
    try {
      const { sandbox } = await run({ attempt: 9 });
      assert.match(inspect(sandbox).Name, new RegExp(`^/${name}_[0-9a-f]{8}$`));
      assert.equal(docker('inspect', '--format', '{{.State.Running}}', foreign), 'true');
    } finally {
      docker('rm', '-f', foreign);
    }
  });
});
