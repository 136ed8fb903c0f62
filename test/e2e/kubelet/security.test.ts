/**
 * Security contexts, namespaces, names and DNS, as a container sees them, and what the node lets in. Each test names the
 * row of the kubelet's behaviour that it covers.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

const secured = (name: string, securityContext: Record<string, unknown>) =>
  container(name, FOREVER, { securityContext });

describe('security, network and names, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  before(async () => {
    await box.start();
  });
  after(() => box.close());

  const status = (name: string, only: string, field: string) =>
    new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(box.exec(name, only, 'cat', '/proc/1/status'))?.[1];

  test('rows 156, 157, 159, 160: ids, groups, capabilities, no new privileges, seccomp, read-only root', async () => {
    box.put(
      'ids.json',
      pod(
        'ids',
        [
          secured('both', { runAsUser: 1001, runAsGroup: 1002, allowPrivilegeEscalation: false }),
          secured('pods', {}),
          secured('caps', {
            capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
            readOnlyRootFilesystem: true,
          }),
          secured('open', { seccompProfile: { type: 'Unconfined' } }),
        ],
        { securityContext: { runAsUser: 2001, supplementalGroups: [3001], fsGroup: 3002 } },
      ),
    );
    await box.ready('ids');
    assert.match(
      box.exec('ids', 'both', 'id'),
      /^uid=1001 gid=1002 groups=.*3001.*3002|uid=1001 gid=1002/,
    );
    assert.equal(status('ids', 'both', 'NoNewPrivs'), '1');
    assert.match(box.exec('ids', 'pods', 'id'), /^uid=2001/);
    assert.match(box.exec('ids', 'pods', 'id', '-G'), /3001.*3002|3002.*3001/);
    assert.equal(status('ids', 'pods', 'NoNewPrivs'), '0');
    assert.equal(status('ids', 'pods', 'Seccomp'), '2');
    assert.equal(status('ids', 'caps', 'CapBnd'), '0000000000000400');
    assert.throws(() => box.exec('ids', 'caps', 'touch', '/tmp/x'), /Read-only/);
    assert.equal(status('ids', 'open', 'Seccomp'), '0');
    box.remove('ids.json');
    await box.gone('ids');
  });

  test('row 158: runAsNonRoot with an image that runs as root does not start, and says why', async () => {
    box.put('root.json', pod('root', [secured('app', { runAsNonRoot: true })]));
    const found = await box.waiting('root', 'CreateContainerConfigError');
    const message = found.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '';
    assert.match(message, /container has runAsNonRoot and image will run as root/);
    box.remove('root.json');
  });

  test('row 162: a safe sysctl is set; another is SysctlForbidden', async () => {
    const withSysctl = (name: string, value: string) => ({
      securityContext: { sysctls: [{ name, value }] },
    });
    box.put('safe.json', pod('safe', undefined, withSysctl('net.ipv4.tcp_syncookies', '0')));
    box.put('unsafe.json', pod('unsafe', undefined, withSysctl('net.core.somaxconn', '100')));
    const found = await box.phase('unsafe', 'Failed');
    assert.equal(found.status?.reason, 'SysctlForbidden');
    assert.deepEqual(box.inspect('unsafe'), []);
    await box.ready('safe');
    assert.equal(box.exec('safe', 'app', 'cat', '/proc/sys/net/ipv4/tcp_syncookies'), '0');
    box.remove('safe.json');
    box.remove('unsafe.json');
    await box.gone('safe');
  });

  test('rows 155, 166, 167, T42: one network and one shared memory for the pod; processes only where shared', async () => {
    box.put(
      'shared.json',
      pod('shared', [container('a'), container('b')], { shareProcessNamespace: true }),
    );
    box.put('apart.json', pod('apart', [container('a'), container('b')]));
    await box.ready('shared');
    await box.ready('apart');
    box.exec('apart', 'a', 'sh', '-c', 'echo x > /dev/shm/seen');
    assert.equal(box.exec('apart', 'b', 'cat', '/dev/shm/seen'), 'x');
    assert.match(box.exec('shared', 'a', 'ps'), /1 .*pause/);
    assert.match(box.exec('apart', 'a', 'ps'), /^\s*1 .*\/bin\/sh/m);
    for (const name of ['shared', 'apart']) {
      box.remove(`${name}.json`);
      await box.gone(name);
    }
  });

  test('rows 57, 106, 146, 167, 169, 175, 201 better: the host’s network, with its addresses and name', async () => {
    const env = [
      { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ];
    box.put(
      'host.json',
      pod('host', [container('app', `echo $HOST $POD; ${FOREVER}`, { env })], {
        hostNetwork: true,
      }),
    );
    const found = await box.ready('host');
    const { hostIP = '', podIP } = found.status ?? {};
    assert.notEqual(hostIP, '');
    assert.equal(podIP, hostIP);
    await eventually('it spoke', () => box.output('host', 'app') === `${hostIP} ${hostIP}`);
    assert.equal(box.exec('host', 'app', 'hostname'), hostname());
    assert.match(
      box.exec('host', 'app', 'cat', '/etc/hosts'),
      /Kubernetes-managed hosts file \(host network\)/,
    );
    box.remove('host.json');
    await box.gone('host');
  });

  test('rows 169, 170, 173, 174, T40: names, hosts file, aliases', async () => {
    const hostAliases = [{ ip: '10.1.2.3', hostnames: ['alias.one', 'alias.two'] }];
    box.put(
      'names.json',
      pod('names', undefined, {
        hostname: 'me',
        subdomain: 'sub',
        setHostnameAsFQDN: true,
        hostAliases,
      }),
    );
    const found = await box.ready('names');
    const full = 'me.sub.default.svc.cluster.local';
    assert.equal(box.exec('names', 'app', 'hostname'), full);
    const hosts = box.exec('names', 'app', 'cat', '/etc/hosts');
    assert.match(hosts, /^# Kubernetes-managed hosts file\.$/m);
    assert.match(hosts, new RegExp(`^${found.status?.podIP ?? ''}\\s+${full}\\s+me$`, 'm'));
    assert.match(hosts, /^10\.1\.2\.3\s+alias\.one\s+alias\.two$/m);
    box.remove('names.json');
    await box.gone('names');
  });

  test('rows 171 to 173: the node’s resolver by default, one’s own with None, options by name', async () => {
    const dnsConfig = {
      nameservers: ['192.0.2.1'],
      searches: ['one.example', 'two.example'],
      options: [{ name: 'ndots', value: '2' }],
    };
    box.put('none.json', pod('none', undefined, { dnsPolicy: 'None', dnsConfig }));
    box.put('default.json', pod('default', undefined, { dnsPolicy: 'Default', dnsConfig }));
    await box.ready('none');
    await box.ready('default');
    const none = box.exec('none', 'app', 'cat', '/etc/resolv.conf');
    assert.deepEqual(none.split('\n').sort(), [
      'nameserver 192.0.2.1',
      'options ndots:2',
      'search one.example two.example',
    ]);
    const merged = box.exec('default', 'app', 'cat', '/etc/resolv.conf');
    assert.match(merged, /192\.0\.2\.1/);
    const [, nodes = ''] =
      /^nameserver (\S+)/m.exec(readFileSync('/etc/resolv.conf', 'utf8')) ?? [];
    assert.ok(nodes.startsWith('127.') || merged.includes(nodes));
    for (const name of ['none', 'default']) {
      box.remove(`${name}.json`);
      await box.gone(name);
    }
  });

  test('row 176: the engine neither restarts nor probes what is ours', async () => {
    box.put('plain.json', pod('plain'));
    await box.ready('plain');
    const { HostConfig, Config } = box.running('plain', 'app');
    assert.equal(HostConfig.RestartPolicy?.Name, 'no');
    assert.deepEqual(Config.Healthcheck?.Test, ['NONE']);
    box.remove('plain.json');
    await box.gone('plain');
  });

  test('acceptance 5, rows 180, 184, P2 better: of two pods with one host port the second runs when the first is gone, without a touch', async () => {
    const ports = [{ containerPort: 80, hostPort: await freePort('0.0.0.0') }];
    box.put('first.json', pod('first', [container('app', FOREVER, { ports })]));
    await box.ready('first');
    box.put('second.json', pod('second', [container('app', FOREVER, { ports })]));
    const found = await box.phase('second', 'Failed');
    assert.equal(found.status?.reason, 'NodePorts');
    assert.match(found.status.message ?? '', /first/);
    assert.deepEqual(box.inspect('second'), []);
    box.remove('first.json');
    await box.ready('second');
    box.remove('second.json');
    await box.gone('second');
  });

  test('acceptance 5: a port that a program of the host holds: the pod runs when it is free', async () => {
    const hostPort = await freePort('0.0.0.0');
    const holder = createServer().listen(hostPort, '0.0.0.0');
    await once(holder, 'listening');
    const ports = [{ containerPort: 80, hostPort }];
    box.put('held.json', pod('held', [container('app', FOREVER, { ports })]));
    await box.until('it is told', 'held', found =>
      found.status?.message?.includes(String(hostPort)),
    );
    holder.close();
    await box.ready('held');
    box.remove('held.json');
    await box.gone('held');
  });

  test('rows 177 to 179: a pod for another node is rejected, listed, and not made', async () => {
    box.put('fit.json', pod('fit', undefined, { nodeSelector: { 'kubernetes.io/os': 'linux' } }));
    box.put('other.json', pod('other', undefined, { nodeSelector: { site: 'elsewhere' } }));
    const resources = { requests: { cpu: '1000' } };
    box.put('large.json', pod('large', [container('app', FOREVER, { resources })]));
    assert.equal((await box.phase('other', 'Failed')).status?.reason, 'NodeAffinity');
    const large = (await box.phase('large', 'Failed')).status;
    assert.equal(large?.reason, 'OutOfcpu');
    assert.match(large.message ?? '', /^Pod was rejected: /);
    await box.ready('fit');
    assert.deepEqual(box.inspect('other'), []);
    for (const name of ['fit', 'other', 'large']) box.remove(`${name}.json`);
    await box.gone('fit');
  });

  test('P20 better: a pod that starts after another waits until that is ready', async () => {
    const annotations = { 'flotilla.dev/start-after': 'base' };
    box.put('after.json', pod('after', undefined, { metadata: { annotations } }));
    await box.until('it waits', 'after', found => /base/.test(found.status?.message ?? ''));
    assert.deepEqual(box.inspect('after'), []);
    const exec = { command: ['test', '-e', '/tmp/ok'] };
    const readinessProbe = { exec, periodSeconds: 1, timeoutSeconds: 10 };
    box.put('base.json', pod('base', [container('app', FOREVER, { readinessProbe })]));
    await box.phase('base', 'Running');
    assert.deepEqual(box.inspect('after'), []);
    box.exec('base', 'app', 'touch', '/tmp/ok');
    await box.ready('after');
    for (const name of ['after', 'base']) {
      box.remove(`${name}.json`);
      await box.gone(name);
    }
  });
});

describe('pod security of a node, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  after(() => box.close());

  test('rows 163 to 165 better: what the node’s policy forbids is refused with its rule and field', async () => {
    mkdirSync(box.path('allowed'));
    box.configure({
      admission: {
        file: {
          podSecurity: 'baseline',
          hostPaths: [{ prefix: box.path('allowed'), readOnly: false }],
        },
      },
    });
    await box.start();
    const volume = (path: string) => ({ volumes: [{ name: 'v', hostPath: { path } }] });
    box.put('privileged.json', pod('privileged', [secured('app', { privileged: true })]));
    box.put('hostpath.json', pod('hostpath', undefined, volume('/etc')));
    box.put('plain.json', pod('plain'));
    for (const [name, wanted] of [
      ['privileged', /privileged/],
      ['hostpath', /hostPath/],
    ] as const) {
      const found = await box.phase(name, 'Failed');
      assert.match(found.status?.message ?? '', wanted);
      assert.match(found.status?.message ?? '', /spec\./);
      assert.deepEqual(box.inspect(name), []);
    }
    await box.ready('plain');
    assert.equal((await box.pod('plain'))?.metadata?.name, `plain-${NODE}`);
  });
});
