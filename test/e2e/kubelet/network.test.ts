/**
 * Names, resolvers, ports and namespaces as the kubelet's own tests look at them (`pod_hostnamefqdn_test.go`,
 * `security_context_test.go`, `node/security_context.go`, `node/kubelet_etc_hosts.go`, `proc_mount_test.go`), on a node that
 * has a cluster's name server configured. All pods are dropped at once and looked at one after the other.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { docker, ensureTestImage, noEngine, randomHex } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';

const CLUSTER_DNS = '192.0.2.53';
const DOMAIN = 'cluster.local';
const LONG = 'l'.repeat(60);

const port = (containerPort: number, hostPort: number, more: Record<string, unknown> = {}) => ({
  containerPort,
  hostPort,
  ...more,
});

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort('0.0.0.0'));
  return ports;
}

/** The test's image with users and groups of its own, and what its configuration says besides. */
function imageOf(root: string, ...changes: string[]): string {
  const name = `flotilla.dev/test-${randomHex(4)}:1`;
  const id = docker('create', ensureTestImage());
  docker('cp', `${root}/.`, `${id}:/`);
  docker('commit', ...changes.flatMap(change => ['-c', change]), id, name);
  docker('rm', id);
  return name;
}

describe('names, network and namespaces, black box', { skip: noEngine() }, () => {
  const box = new BlackBox({ clusterDNS: [CLUSTER_DNS], clusterDomain: DOMAIN });
  const cat = (name: string, path: string) => box.exec(name, 'app', 'cat', path);
  const put = (name: string, more = {}, containers?: Record<string, unknown>[]) => {
    box.put(`${name}.json`, pod(name, containers, more));
  };
  const root = box.path('root');
  mkdirSync(`${root}/etc`, { recursive: true });
  writeFileSync(`${root}/etc/passwd`, 'root:x:0:0::/:/bin/sh\nbob:x:1000:1000::/:/bin/sh\n');
  writeFileSync(`${root}/etc/group`, 'root:x:0:\nbob:x:1000:\nextra:x:50000:bob\n');
  const images = {
    named: imageOf(root, 'USER bob'),
    numeric: imageOf(root, 'USER 1000:50'),
    entry: imageOf(root, 'ENTRYPOINT ["/bin/echo", "E"]', 'CMD ["C"]', 'WORKDIR /tmp'),
  };

  const names: Record<string, object> = {
    'fqdn-none': { hostname: 'h', setHostnameAsFQDN: false },
    'fqdn-alone': { hostname: 'h', setHostnameAsFQDN: true },
    'fqdn-hosts': { hostname: 'h', subdomain: 's' },
    'fqdn-both': { hostname: 'h', subdomain: 's', setHostnameAsFQDN: true },
    'fqdn-long': { hostname: LONG, subdomain: 's', setHostnameAsFQDN: true },
  };
  const dnsConfig = {
    nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    searches: ['own.example'],
    options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
  };
  const policies: Record<string, object> = {
    'dns-first': { dnsPolicy: 'ClusterFirst' },
    'dns-limit': { dnsPolicy: 'ClusterFirst', dnsConfig },
    'dns-hostnet': { dnsPolicy: 'ClusterFirst', hostNetwork: true },
    'dns-with': { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true },
    'dns-default': { dnsPolicy: 'Default' },
    'dns-none': { dnsPolicy: 'None', dnsConfig },
  };
  const strict = { supplementalGroupsPolicy: 'Strict', supplementalGroups: [7] };
  const users: Record<string, [string, object, object?]> = {
    'user-numeric': [images.numeric, { runAsNonRoot: true }],
    'user-named': [images.named, { runAsNonRoot: true }],
    'groups-merge': [images.named, {}],
    'groups-strict': [images.named, { runAsUser: 1000, runAsGroup: 1000 }, strict],
  };

  /** What is given over ENTRYPOINT and CMD, and what is run. */
  const commands: Record<string, [object, string]> = {
    'run-image': [{}, 'E C'],
    'run-args': [
      { args: ['A', '$(V)', '$$(V)', '$V'], env: [{ name: 'V', value: 'v' }] },
      'E A v $(V) $V',
    ],
    'run-command': [{ command: ['/bin/echo', 'K'] }, 'K'],
    'run-both': [{ command: ['/bin/echo', 'K'], args: ['A'] }, 'K A'],
    'run-dir': [{ command: ['/bin/pwd'] }, '/tmp'],
  };

  before(async () => {
    for (const [name, [own]] of Object.entries(commands)) {
      const app = { name: 'app', image: images.entry, imagePullPolicy: 'Never', ...own };
      put(name, { restartPolicy: 'Never' }, [app]);
    }
    for (const [name, spec] of Object.entries({ ...names, ...policies })) put(name, spec);
    for (const [name, [image, own, securityContext = {}]] of Object.entries(users)) {
      put(name, { securityContext }, [container('app', FOREVER, { image, securityContext: own })]);
    }
    for (const name of ['hostPID', 'hostIPC', 'hostNetwork']) {
      put(`with-${name.toLowerCase()}`, { [name]: true });
    }
    put('strict-alone', { securityContext: strict });
    const unmasked = { securityContext: { procMount: 'Unmasked' } };
    put('unmasked', {}, [container('app', FOREVER, unmasked)]);
    const mounts = { volumeMounts: [{ name: 'e', mountPath: '/etc/hosts', subPath: 'own' }] };
    const hostAliases = [
      { ip: '2001:db8::5', hostnames: ['six.example'] },
      { ip: '192.0.2.9', hostnames: ['nine.example', 'nine'] },
    ];
    writeFileSync(box.path('own'), 'mine\n');
    put('hosts', { hostAliases, volumes: [{ name: 'e', hostPath: { path: box.dir } }] }, [
      container('app'),
      container('own', FOREVER, mounts),
    ]);
    put('hosts-node', { hostAliases, hostNetwork: true });
    await box.start();
  });
  after(async () => {
    await box.close();
    docker('rmi', '-f', ...Object.values(images));
  });

  const fqdn = `h.s.default.svc.${DOMAIN}`;
  const fqdns: [string, string, string, RegExp][] = [
    ['without a subdomain: short hostname', 'fqdn-none', 'h', /^\S+\th$/m],
    ['setHostnameAsFQDN without a subdomain has no effect', 'fqdn-alone', 'h', /^\S+\th$/m],
    [
      'a subdomain: the FQDN in the hosts file',
      'fqdn-hosts',
      'h',
      new RegExp(`\\t${fqdn}\\th$`, 'm'),
    ],
    ['both: the FQDN as hostname', 'fqdn-both', fqdn, new RegExp(`\\t${fqdn}\\th$`, 'm')],
  ];
  for (const [says, name, kernel, hosts] of fqdns) {
    test(`T40 pod_hostnamefqdn_test.go: ${says}`, async () => {
      await box.ready(name);
      assert.equal(box.exec(name, 'app', 'hostname'), kernel);
      assert.equal(cat(name, '/proc/sys/kernel/hostname'), kernel);
      assert.match(cat(name, '/etc/hosts'), hosts);
    });
  }

  test('T40 pod_hostnamefqdn_test.go: over 64 characters it stays Pending, with the reason', async () => {
    const found = await box.until('told', 'fqdn-long', one =>
      one.status?.message?.includes('is too long (64 characters is the max') === true ? one : null,
    );
    assert.equal(found.status?.phase, 'Pending');
    assert.deepEqual(box.inspect('fqdn-long'), []);
  });

  test('rows 171, 172: ClusterFirst has the cluster’s servers, searches and ndots', async () => {
    await box.ready('dns-first');
    const text = cat('dns-first', '/etc/resolv.conf');
    assert.match(text, new RegExp(`^nameserver ${CLUSTER_DNS}$`, 'm'));
    assert.equal(text.match(/^nameserver/gm)?.length, 1);
    assert.match(
      text,
      new RegExp(`^search default\\.svc\\.${DOMAIN} svc\\.${DOMAIN} ${DOMAIN}`, 'm'),
    );
    assert.match(text, /^options ndots:5$/m);
  });

  test('row 172: dnsConfig is merged, a fourth server is cut with an event', async () => {
    await box.ready('dns-limit');
    const text = cat('dns-limit', '/etc/resolv.conf');
    const servers = [...text.matchAll(/^nameserver (\S+)$/gm)].map(([, server]) => server);
    assert.deepEqual(servers, [CLUSTER_DNS, '192.0.2.1', '192.0.2.2']);
    assert.match(text, new RegExp(` ${DOMAIN} .*own\\.example$|${DOMAIN} own\\.example$`, 'm'));
    assert.match(text, /^options ndots:2 rotate$/m);
    const told = (await box.events('DNSConfigForming')).map(one => one.message ?? '');
    assert.ok(
      told.some(one => /Nameserver limits were exceeded.*192\.0\.2\.2$/.test(one)),
      told.join(),
    );
  });

  test('row 171: with the host’s network only ClusterFirstWithHostNet asks the cluster', async () => {
    for (const name of ['dns-with', 'dns-hostnet', 'dns-default', 'dns-none'])
      await box.ready(name);
    const asks = (name: string) => cat(name, '/etc/resolv.conf').includes(CLUSTER_DNS);
    assert.deepEqual(['dns-with', 'dns-hostnet', 'dns-default', 'dns-none'].map(asks), [
      true,
      false,
      false,
      false,
    ]);
    const own = cat('dns-none', '/etc/resolv.conf').split('\n').sort();
    assert.deepEqual(own, [
      ...dnsConfig.nameservers.map(server => `nameserver ${server}`),
      'options ndots:2 rotate',
      'search own.example',
    ]);
  });

  test('T71 kubelet_etc_hosts.go: managed, the container’s own, the node’s, each with its aliases', async () => {
    await box.ready('hosts');
    await box.ready('hosts-node');
    const managed = cat('hosts', '/etc/hosts');
    assert.match(managed, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n::1\t/);
    const aliases =
      '\n# Entries added by HostAliases.\n2001:db8::5\tsix.example\n192.0.2.9\tnine.example\tnine';
    assert.ok(managed.endsWith(aliases));
    assert.equal(box.exec('hosts', 'own', 'cat', '/etc/hosts'), 'mine');
    const ofNode = cat('hosts-node', '/etc/hosts');
    assert.match(ofNode, /^# Kubernetes-managed hosts file \(host network\)\.$/m);
    assert.ok(ofNode.endsWith(aliases));
    assert.equal(
      box.exec('hosts', 'app', 'stat', '-c', '%a', '/etc/hosts', '/etc/resolv.conf'),
      '644\n644',
    );
  });

  test('T42 security_context_test.go: hostPID, hostIPC, hostNetwork are visible, and not without', async () => {
    const asks = ['hostpid', 'hostipc', 'hostnetwork'].map(name => `with-${name}`);
    for (const name of asks) await box.ready(name);
    const spaces = ['pid', 'ipc', 'net', 'uts'];
    const ofHost = (name: string) =>
      spaces.filter(
        space =>
          box.exec(name, 'app', 'readlink', `/proc/self/ns/${space}`) ===
          readlinkSync(`/proc/self/ns/${space}`),
      );
    assert.deepEqual(asks.map(ofHost), [['pid'], ['ipc'], ['net', 'uts']]);
    await box.ready('fqdn-none');
    assert.deepEqual(ofHost('fqdn-none'), []);
    const seen = box.exec('with-hostpid', 'app', 'cat', `/proc/${box.pid()}/cmdline`);
    assert.match(seen, /flotilla-agent/);
    assert.equal(box.exec('with-hostnetwork', 'app', 'hostname'), hostname());
    assert.equal(box.exec('fqdn-none', 'app', 'cat', '/proc/1/comm'), 'sh');
  });

  test('T73 security_context.go: runAsNonRoot goes by the user of the image', async () => {
    await box.ready('user-numeric');
    assert.equal(box.exec('user-numeric', 'app', 'id', '-u'), '1000');
    const { status } = await box.waiting('user-named', 'CreateContainerConfigError');
    const message = status?.containerStatuses?.[0]?.state?.waiting?.message ?? '';
    assert.match(message, /image has non-numeric user \(bob\), cannot verify user is non-root/);
    assert.deepEqual(box.inspect('user-named', 'app'), []);
  });

  test('T73 security_context.go: supplementalGroupsPolicy Merge and Strict', async () => {
    await box.ready('groups-merge');
    await box.ready('groups-strict');
    assert.equal(box.exec('groups-merge', 'app', 'id', '-G'), '1000 50000');
    const groups = box.exec('groups-strict', 'app', 'id', '-G').split(' ').sort();
    assert.deepEqual(groups, ['1000', '7']);
    const refused = await box.conditions('ManifestRefused');
    assert.ok(refused.some(one => /supplementalGroupsPolicy.*without runAsGroup/.test(one)));
  });

  test('row 141, T70 containers.go: ENTRYPOINT and CMD, args, command, both', async () => {
    const said: Record<string, string> = {};
    for (const name of Object.keys(commands)) {
      await box.phase(name, 'Succeeded');
      said[name] = box.output(name, 'app');
    }
    const wanted = Object.entries(commands).map(([name, [, says]]) => [name, says]);
    assert.deepEqual(said, Object.fromEntries(wanted));
  });

  test('T43 proc_mount_test.go: /proc is masked; Unmasked without a user namespace is refused', async () => {
    await box.ready('fqdn-none');
    const mounts = cat('fqdn-none', '/proc/mounts');
    assert.match(mounts, /^tmpfs \/proc\/(kcore|keys|timer_list) /m);
    assert.match(mounts, /^proc \/proc\/sys proc ro/m);
    const refused = await box.conditions('ManifestRefused');
    assert.ok(refused.some(one => /containers\[0\]\.securityContext\.procMount/.test(one)));
    assert.deepEqual(box.inspect('unmasked'), []);
  });

  test('row 168: host ports of the pod by protocol and address, those of a sidecar too', async () => {
    const [web = 0, local = 0, side = 0] = await freePorts(3);
    const ports = [
      port(80, web),
      port(80, web, { protocol: 'UDP' }),
      port(81, local, { hostIP: '127.0.0.1' }),
    ];
    put(
      'ports',
      {
        initContainers: [
          container('side', FOREVER, { restartPolicy: 'Always', ports: [port(82, side)] }),
        ],
      },
      [container('app', FOREVER, { ports })],
    );
    await box.ready('ports');
    const [sandbox] = box.inspect('ports', 'POD');
    const published = docker('port', sandbox?.Id ?? '')
      .split('\n')
      .filter(line => !line.includes('::'))
      .sort();
    assert.deepEqual(published, [
      `80/tcp -> 0.0.0.0:${web}`,
      `80/udp -> 0.0.0.0:${web}`,
      `81/tcp -> 127.0.0.1:${local}`,
      `82/tcp -> 0.0.0.0:${side}`,
    ]);
    put('other', {}, [
      container('app', FOREVER, { ports: [port(80, local, { hostIP: '127.0.0.2' })] }),
    ]);
    await box.ready('other');
  });

  test('rows 168, 184: one IPv6 address in two spellings is taken once', async () => {
    const [taken = 0] = await freePorts(1);
    const at = (hostIP: string) => [
      container('app', FOREVER, { ports: [port(80, taken, { hostIP })] }),
    ];
    put('six', {}, at('::1'));
    await box.ready('six');
    put('six-again', {}, at('0:0:0:0:0:0:0:1'));
    const { status } = await box.phase('six-again', 'Failed');
    assert.equal(status?.reason, 'NodePorts');
    assert.match(
      status?.message ?? '',
      new RegExp(`::1:${taken}/TCP is taken by pod default/six-${NODE}`),
    );
  });
});
