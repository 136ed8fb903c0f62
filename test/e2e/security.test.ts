/**
 * Security contexts, namespaces, names and DNS on a real Docker Engine, seen from inside the containers, as the
 * kubelet's own node tests look at them (T40, T42, T43, T71, T73). Files in, `docker exec` out.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NO_MKDIR = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
};

const container = (name: string, securityContext: object = {}, more: object = {}) => ({
  name,
  image: TEST_IMAGE,
  imagePullPolicy: 'Never',
  command: ['sleep', '100000'],
  securityContext,
  ...more,
});

const PODS: Readonly<Record<string, object>> = {
  who: {
    hostname: 'me',
    subdomain: 'sub',
    setHostnameAsFQDN: true,
    hostAliases: [{ ip: '10.1.1.1', hostnames: ['x', 'y.z'] }],
    dnsConfig: { searches: ['more.example'], options: [{ name: 'ndots', value: '2' }] },
    securityContext: {
      runAsUser: 1000,
      runAsGroup: 2000,
      fsGroup: 3000,
      supplementalGroups: [4000],
      sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '81' }],
    },
    containers: [
      container('plain'),
      container('tight', {
        runAsUser: 7,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
        seccompProfile: { type: 'Localhost', localhostProfile: 'no-mkdir.json' },
      }),
      container('loose', { runAsUser: 0, seccompProfile: { type: 'Unconfined' } }),
    ],
  },
  nonroot: {
    securityContext: { runAsNonRoot: true },
    containers: [
      container('of-image'),
      container('of-spec', { runAsUser: 0 }),
      container('missing', {
        runAsUser: 5,
        seccompProfile: { type: 'Localhost', localhostProfile: 'none.json' },
      }),
      container('fine', { runAsUser: 5 }),
    ],
  },
  host: {
    hostNetwork: true,
    hostPID: true,
    hostIPC: true,
    hostAliases: [{ ip: '10.1.1.1', hostnames: ['x'] }],
    containers: [container('of-host')],
  },
  share: {
    shareProcessNamespace: true,
    containers: [container('first'), container('second')],
  },
  long: {
    hostname: 'h'.repeat(60),
    subdomain: 'sub',
    setHostnameAsFQDN: true,
    containers: [container('never')],
  },
};

const skip = noEngine();
describe('pods on Docker, from inside', { skip }, () => {
  const play = skip === false ? new Playground() : null;
  const path = (name: string) => play?.path('node', name) ?? '';

  /** The container of this name, or '' while it is not there. */
  const idOf = (name: string) =>
    docker(
      'ps',
      '-q',
      ...['--filter', `label=flotilla.dev/owner=${path('')}`.replace(/\/$/, '')],
      ...['--filter', `label=io.kubernetes.container.name=${name}`],
    );
  const inside = (name: string, script: string) => docker('exec', idOf(name), 'sh', '-c', script);
  const lineOf = (name: string, word: string) =>
    inside(name, `grep ^${word}: /proc/self/status`).split(/\s+/)[1];

  before(async () => {
    ensureTestImage();
    mkdirSync(path('manifests'), { recursive: true });
    mkdirSync(path('seccomp'));
    writeFileSync(path('seccomp/no-mkdir.json'), JSON.stringify(NO_MKDIR));
    for (const [name, spec] of Object.entries(PODS)) {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: { terminationGracePeriodSeconds: 0, ...spec },
      };
      writeFileSync(path(`manifests/.${name}`), JSON.stringify(pod));
      renameSync(path(`manifests/.${name}`), path(`manifests/${name}.json`));
    }
    play?.startAgent('node');
    await eventually('all containers that may run do', () =>
      ['plain', 'tight', 'loose', 'fine', 'of-host', 'first', 'second'].every(
        name => idOf(name) !== '',
      ),
    );
  });
  after(async () => {
    await play?.close();
  });

  test('rows 156, 157, T73: users and groups, the container’s over the pod’s', () => {
    const ids = (name: string) => inside(name, 'id -u; id -g; id -G').split('\n');
    assert.deepEqual(ids('plain'), ['1000', '2000', '2000 3000 4000']);
    assert.deepEqual(ids('tight'), ['7', '2000', '2000 3000 4000']);
    assert.deepEqual(ids('loose').slice(0, 2), ['0', '2000']);
  });

  test('row 159, T73: capabilities, no new privileges, read-only root', () => {
    assert.equal(lineOf('tight', 'CapBnd'), '0000000000000400');
    assert.equal(lineOf('tight', 'NoNewPrivs'), '1');
    assert.equal(lineOf('plain', 'NoNewPrivs'), '0');
    assert.match(inside('tight', 'touch /x 2>&1; true'), /Read-only file system/);
  });

  test('row 160, T43: seccomp of the engine, of a file, and none', () => {
    assert.deepEqual(
      ['plain', 'tight', 'loose'].map(name => lineOf(name, 'Seccomp')),
      ['2', '2', '0'],
    );
    assert.match(inside('tight', 'mkdir /tmp/x 2>&1; true'), /Operation not permitted/);
  });

  test('row 158, T73: what would run as root or has no profile is not made, and says why', async () => {
    const log = () => play?.log('node') ?? '';
    await eventually('the agent has said why', () =>
      [
        'container has runAsNonRoot and image will run as root',
        "container's runAsUser breaks non-root policy",
        `cannot load seccomp profile \\"${path('seccomp/none.json')}\\"`,
      ].every(text => log().includes(text)),
    );
    for (const name of ['of-image', 'of-spec', 'missing']) assert.equal(idOf(name), '');
    await eventually('the table shows it', async () => {
      const { stdout } = (await play?.agent('pods', '--data-dir', path(''))) ?? { stdout: '' };
      return /nonroot-\S+ +1\/4 +Create/.test(stdout);
    });
  });

  test('row 162, T73: sysctls of the pod', () => {
    assert.equal(inside('plain', 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '81');
  });

  test('rows 170, 174, T40, T71: the full name, the hosts file with aliases', () => {
    const full = 'me.sub.default.svc.cluster.local';
    assert.equal(inside('plain', 'hostname'), full);
    const hosts = inside('tight', 'cat /etc/hosts');
    assert.match(hosts, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
    const ip = inside('plain', `hostname -i`).split(' ')[0] ?? '';
    assert.ok(hosts.includes(`\n${ip}\t${full}\tme\n`), hosts);
    assert.match(hosts, /\n\n# Entries added by HostAliases\.\n10\.1\.1\.1\tx\ty\.z$/);
  });

  test('row 170, T40: a name over 64 characters leaves the pod without a sandbox', async () => {
    await eventually('the agent has said why', () =>
      (play?.log('node') ?? '').includes('is too long (64 characters is the max'),
    );
    const owned = `label=flotilla.dev/owner=${path('').replace(/\/$/, '')}`;
    const format = '{{.Label "io.kubernetes.pod.name"}}';
    const pods = docker('ps', '-a', '--filter', owned, '--format', format).split('\n');
    assert.ok(pods.some(name => name.startsWith('who-')));
    assert.ok(!pods.some(name => name.startsWith('long-')), pods.join(' '));
  });

  test('rows 171 to 173: resolv.conf is the agent’s, the same in every container', () => {
    const text = inside('plain', 'cat /etc/resolv.conf');
    assert.match(text, /^search .*more\.example$/m);
    assert.match(text, /^options .*ndots:2/m);
    assert.ok(!text.includes('127.0.0.11'));
    assert.equal(inside('loose', 'cat /etc/resolv.conf'), text);
  });

  test('rows 167, 169, 175, T42: the host’s namespaces', () => {
    assert.equal(inside('of-host', 'hostname'), hostname());
    const [header, ...rest] = inside('of-host', 'cat /etc/hosts').split('\n');
    assert.equal(header, '# Kubernetes-managed hosts file (host network).');
    const own = readFileSync('/etc/hosts', 'utf8').trimEnd().split('\n');
    assert.deepEqual(rest.slice(0, own.length), own);
    assert.equal(rest.at(-1), '10.1.1.1\tx');
    const ofHost = docker('inspect', idOf('of-host'), '--format', '{{.State.Pid}}');
    assert.equal(inside('of-host', `test -d /proc/${ofHost} && echo there`), 'there');
  });

  test('row 167, T42: a shared process namespace has pause as process 1', () => {
    const processes = inside('first', 'ps');
    assert.match(processes, /^ +1 .*\/pause/m);
    assert.equal(processes.match(/sleep 100000/g)?.length, 2);
    assert.ok(!inside('plain', 'ps').includes('pause'));
  });
});
