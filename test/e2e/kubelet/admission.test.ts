/**
 * Admission, resources and the node's shutdown as a black box: which pods may begin, what they get, in which order they end.
 * Each test names the row of the kubelet's behaviour that it covers.
 */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, pod } from '../../support/black-box.js';
import { docker, noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

const listening = (port: number) =>
  new Promise<Server>(done => {
    const server = createServer();
    server.listen(port, '0.0.0.0', () => done(server));
  });

describe('admission, black box', { skip: noEngine(), concurrency: 3 }, () => {
  const box = new BlackBox();
  const allowed = box.path('allowed');
  before(async () => {
    for (const name of ['allowed/sub', 'allowed2', 'secret']) {
      mkdirSync(box.path(name), { recursive: true });
    }
    symlinkSync('../secret', box.path('allowed/out'));
    box.configure({
      nodeLabels: { site: 'berlin' },
      admission: { file: { hostPaths: [{ prefix: allowed, readOnly: false }] } },
    });
    await box.start();
  });
  after(() => box.close());

  const put = (name: string, more: object = {}, spec: object = {}) =>
    box.put(`${name}.yaml`, pod(name, [container('app', undefined, { ...more })], { ...spec }));
  const refused = (name: string, reason: string) =>
    box.until(`refused: ${reason}`, name, found => found.status?.reason === reason && found);
  const removeAll = async (...names: string[]) => {
    for (const name of names) box.remove(`${name}.yaml`);
    await Promise.all(names.map(name => box.gone(name)));
  };

  test('rows 177 to 179, 182: what does not fit is Failed with the plain reason and the kubelet’s words, and nothing of it is made', async () => {
    const REFUSED: Readonly<Record<string, readonly [object, object, string, RegExp]>> = {
      cpu: [
        { resources: { requests: { cpu: '1000' } } },
        {},
        'OutOfcpu',
        /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+$/,
      ],
      memory: [
        { resources: { limits: { memory: '4Pi' } } },
        {},
        'OutOfmemory',
        /: memory, requested/,
      ],
      disk: [
        { resources: { requests: { 'ephemeral-storage': '4Pi' } } },
        {},
        'OutOfephemeral-storage',
        /: ephemeral-storage, requested/,
      ],
      label: [
        {},
        { nodeSelector: { site: 'paris' } },
        'NodeAffinity',
        /Predicate NodeAffinity failed: node\(s\) didn't match Pod's node affinity\/selector: spec\.nodeSelector\[site\]/,
      ],
      windows: [{}, { os: { name: 'windows' } }, 'PodOSNotSupported', /spec\.os\.name is windows/],
    };
    put('fits', {}, { nodeSelector: { site: 'berlin', 'kubernetes.io/hostname': 'n1' } });
    for (const [name, [more, spec]] of Object.entries(REFUSED)) put(name, more, spec);
    for (const [name, [, , reason, message]] of Object.entries(REFUSED)) {
      const found = await refused(name, reason);
      assert.equal(found.status?.phase, 'Failed');
      assert.match(found.status.message ?? '', message);
      assert.equal(found.status.containerStatuses, undefined);
      assert.equal(box.inspect(name).length, 0);
    }
    await box.ready('fits');
    put('cpu', { resources: { requests: { cpu: '1m' } } });
    await box.ready('cpu');
    await removeAll('fits', ...Object.keys(REFUSED));
  });

  test('rows 180, 184 better: a host port that is taken by a pod or by a plain process, and the pod that starts when it is free', async () => {
    const [shared, foreign] = [await freePort('0.0.0.0'), await freePort('0.0.0.0')];
    const ports = (hostPort: number) => ({ ports: [{ containerPort: 80, hostPort }] });
    const server = await listening(foreign);
    put('first', ports(shared));
    put('busy', ports(foreign));
    await box.ready('first');
    put('second', ports(shared));
    const found = await refused('second', 'NodePorts');
    assert.match(
      found.status?.message ?? '',
      /Predicate NodePorts failed: node\(s\) didn't have free ports for the requested pod ports: spec\.containers\[0\]\.ports\[0\]\.hostPort: .* taken by pod default\/first-n1$/,
    );
    const busy = await refused('busy', 'HostPortTaken');
    assert.equal(busy.status?.phase, 'Pending');
    await new Promise(done => server.close(done));
    box.remove('first.yaml');
    await Promise.all([box.ready('second'), box.ready('busy')]);
    await removeAll('second', 'busy');
  });

  test('row 64: two pods that exchange their host ports end, and begin on each other’s', async () => {
    const [first, second] = [await freePort(), await freePort()];
    const on = (hostPort: number) => ({ ports: [{ containerPort: 80, hostPort }] });
    put('left', on(first));
    put('right', on(second));
    await Promise.all([box.ready('left'), box.ready('right')]);
    put('left', on(second));
    put('right', on(first));
    const portOf = (name: string) =>
      box.inspect(name, 'POD').map(({ HostConfig }) => {
        const bound = HostConfig.PortBindings as Record<string, { HostPort: string }[]>;
        return bound['80/tcp']?.[0]?.HostPort;
      });
    await eventually('both have moved', () => {
      return portOf('left').join() === String(second) && portOf('right').join() === String(first);
    });
    await Promise.all([box.ready('left'), box.ready('right')]);
    await removeAll('left', 'right');
  });

  test('P2: what runs in the place of an edit that may not begin is restarted and probed as before', async () => {
    const [first, second] = [await freePort(), await freePort()];
    const on = (hostPort: number) => ({ ports: [{ containerPort: 80, hostPort }] });
    const exec = { command: ['sh', '-c', '! test -e /tmp/sick'] };
    const probed = {
      livenessProbe: { exec, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 },
    };
    put('holder', on(first));
    put('kept', { ...on(second), ...probed });
    await Promise.all([box.ready('holder'), box.ready('kept')]);
    const before = box.running('kept', 'app').Id;
    put('kept', { ...on(first), ...probed });
    await eventually('the edit is held', async () => {
      const pods = (await box.pods()).filter(({ metadata }) => metadata?.name === 'kept-n1');
      return pods.some(({ status }) => status?.reason === 'NodePorts');
    });
    assert.equal(box.running('kept', 'app').Id, before);
    docker('exec', before, 'touch', '/tmp/sick');
    const probedAnew = await eventually('its probe restarts it', () => {
      const [newest] = box.inspect('kept', 'app');
      return newest !== undefined && newest.Id !== before && newest.State.Running && newest.Id;
    });
    docker('kill', String(probedAnew));
    await eventually('it is restarted again', () => {
      const [newest] = box.inspect('kept', 'app');
      return newest !== undefined && newest.Id !== probedAnew && newest.State.Running;
    });
    put('holder', on(second));
    await eventually('the edit begins', () =>
      box.inspect('kept', 'POD').some(({ HostConfig, State }) => {
        const bound = HostConfig.PortBindings as Record<string, { HostPort: string }[]>;
        return State.Running && bound['80/tcp']?.[0]?.HostPort === String(first);
      }),
    );
    await removeAll('holder', 'kept');
  });

  test('row 163 better: a host path that is listed, a longer name, a link that leads out', async () => {
    const mounting = (name: string, path: string) =>
      put(
        name,
        { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
        { volumes: [{ name: 'v', hostPath: { path: box.path(path) } }] },
      );
    mounting('inside', 'allowed/sub');
    mounting('longer', 'allowed2');
    mounting('link', 'allowed/out');
    await box.ready('inside');
    const longer = await refused('longer', 'HostPathNotAllowed');
    assert.match(longer.status?.message ?? '', /allowed2 is not in admission\.file\.hostPaths/);
    const link = await box.until('waits', 'link', found => {
      const { message = '' } = found.status?.containerStatuses?.[0]?.state?.waiting ?? {};
      return message === '' ? null : { found, message };
    });
    assert.match(link.message, /links followed: .*\/secret is not in admission\.file\.hostPaths/);
    assert.equal(box.inspect('link', 'app').length, 0);
    await removeAll('inside', 'longer', 'link');
  });

  test('rows 149 to 153, 155: shares, quota, memory without swap, score, shared memory', async () => {
    /** Resources → shares, quota, memory, class. */
    const ROWS: Readonly<Record<string, [object, number, number, number, string]>> = {
      'r-none': [{}, 2, 0, 0, 'BestEffort'],
      'r-request': [{ requests: { cpu: '500m' } }, 512, 0, 0, 'Burstable'],
      'r-limit': [{ limits: { cpu: '250m' } }, 256, 25_000, 0, 'Burstable'],
      'r-least': [{ limits: { cpu: '1m' } }, 2, 1000, 0, 'Burstable'],
      'r-whole': [{ limits: { cpu: '1', memory: '64Mi' } }, 1024, 100_000, 2 ** 26, 'Guaranteed'],
    };
    for (const [name, [resources]] of Object.entries(ROWS)) put(name, { resources });
    for (const [name, [, shares, quota, memory, qosClass]] of Object.entries(ROWS)) {
      assert.equal((await box.ready(name)).status?.qosClass, qosClass);
      const { HostConfig } = box.running(name, 'app');
      const { CpuShares, CpuQuota, Memory, MemorySwap } = HostConfig;
      assert.deepEqual(
        [CpuShares, CpuQuota, Memory, MemorySwap],
        [shares, quota, memory, memory],
        name,
      );
      assert.equal(box.running(name, 'POD').HostConfig.ShmSize, 64 * 2 ** 20);
    }
    assert.equal(box.running('r-none', 'app').HostConfig.OomScoreAdj, 1000);
    await removeAll(...Object.keys(ROWS));
  });

  test('row 177: what cannot be counted with is refused, and the others go on', async () => {
    put('endless', { resources: { requests: { cpu: '1e18' } } });
    put('beside');
    await box.ready('beside');
    const found = await refused('endless', 'Invalid');
    assert.match(found.status?.message ?? '', /requests\.cpu: Invalid value: "1e18"/);
    await removeAll('endless', 'beside');
  });
});

describe('the node’s shutdown, black box', { skip: noEngine() }, () => {
  const box = new BlackBox({
    shutdownGracePeriod: '9s',
    shutdownGracePeriodCriticalPods: '4s',
  });
  before(async () => {
    await box.start();
  });
  after(() => box.close());

  test('rows 186 to 188, T36: the unimportant first, then the critical by class or number; none begins; all run again after', async () => {
    const slowly = "trap 'sleep 1; exit 0' TERM; while :; do sleep 3600 & wait; done";
    const put = (name: string, spec: object = {}) =>
      box.put(
        `${name}.yaml`,
        pod(name, [container('app', slowly)], { terminationGracePeriodSeconds: 20, ...spec }),
      );
    put('plain');
    put('classy', { priorityClassName: 'system-cluster-critical' });
    put('number', { priority: 2_000_000_000 });
    const names = ['plain', 'classy', 'number'];
    await Promise.all(names.map(name => box.ready(name)));
    process.kill(box.pid(), 'SIGPWR');
    await box.until('it is ending', 'plain', ({ status }) => status?.reason === 'Terminated');
    put('late');
    const late = await box.until('refused', 'late', found =>
      found.status?.reason === undefined ? null : found,
    );
    assert.deepEqual(
      [late.status?.phase, late.status?.reason, late.status?.message],
      [
        'Failed',
        'NodeShutdown',
        'Pod was rejected: Pod was rejected as the node is shutting down.',
      ],
    );
    await eventually('all have ended', () =>
      names.every(name => box.inspect(name, 'app').every(({ State }) => !State.Running)),
    );
    const ends = names.map(name => Date.parse(box.inspect(name, 'app')[0]?.State.FinishedAt ?? ''));
    const [plain = 0, ...critical] = ends;
    assert.ok(
      critical.every(at => at - plain > 500),
      ends.join(),
    );
    await box.restart();
    await Promise.all([...names, 'late'].map(name => box.ready(name)));
  });
});
