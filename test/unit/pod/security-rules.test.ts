/** Validation of security contexts, namespaces, names, DNS and resources: each rule with the path that it names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withDefaults } from '../../../protocol/pod-defaults.js';
import { validatePodManifest } from '../../../protocol/pod-validation.js';
import type { ValidPod } from '../../../protocol/pod.js';

interface Given {
  readonly spec?: object;
  readonly container?: object;
  readonly annotations?: Record<string, string>;
}

function validated({ spec = {}, container = {}, annotations = {} }: Given) {
  return validatePodManifest(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', annotations },
      spec: { ...spec, containers: [{ name: 'app', image: 'busybox:1', ...container }] },
    },
    { context: 'file' },
  );
}

function pathsOf(given: Given): string[] {
  const result = validated(given);
  return result.ok ? [] : result.errors.map(({ path }) => path);
}

type Row = readonly [string, Given, string[]];

function table(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    for (const [says, given, paths] of rows) {
      test(`${says} ${paths.length === 0 ? 'passes' : 'is refused'}`, () => {
        assert.deepEqual(pathsOf(given), paths);
      });
    }
  });
}

const ofPod = (securityContext: object, spec: object = {}): Given => ({
  spec: { ...spec, securityContext },
});
const ofContainer = (securityContext: object, spec: object = {}): Given => ({
  spec,
  container: { securityContext },
});
const AT_POD = 'spec.securityContext';
const AT = 'spec.containers[0].securityContext';
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const at = (key: string) => `metadata.annotations[${key}]`;

table('ids and groups', [
  ['row 157: the largest id', ofPod({ runAsUser: 2147483647, runAsGroup: 0, fsGroup: 1 }), []],
  ['row 157: a larger one', ofPod({ runAsUser: 2147483648 }), [`${AT_POD}.runAsUser`]],
  ['row 157: a negative one', ofContainer({ runAsGroup: -1 }), [`${AT}.runAsGroup`]],
  [
    'row 157: a negative group',
    ofPod({ supplementalGroups: [1, -1] }),
    [`${AT_POD}.supplementalGroups[1]`],
  ],
  ['row 157: merged groups', ofPod({ supplementalGroupsPolicy: 'Merge' }), []],
  [
    'row 177: strict groups, which the engine does not have,',
    ofPod({ supplementalGroupsPolicy: 'Strict' }),
    [`${AT_POD}.supplementalGroupsPolicy`],
  ],
  [
    'a policy that does not exist',
    ofPod({ fsGroupChangePolicy: 'Never' }),
    [`${AT_POD}.fsGroupChangePolicy`],
  ],
  [
    'a Windows option',
    ofPod({ windowsOptions: { hostProcess: true } }),
    [`${AT_POD}.windowsOptions`],
  ],
]);

table('privileges and profiles', [
  [
    'row 159: any name of a capability',
    ofContainer({ capabilities: { add: ['X'], drop: ['ALL'] } }),
    [],
  ],
  [
    'row 159: no escalation of a privileged container',
    ofContainer({ allowPrivilegeEscalation: false, privileged: true }),
    [`${AT}.allowPrivilegeEscalation`],
  ],
  [
    'row 159: no escalation with CAP_SYS_ADMIN',
    ofContainer({ allowPrivilegeEscalation: false, capabilities: { add: ['CAP_SYS_ADMIN'] } }),
    [`${AT}.allowPrivilegeEscalation`],
  ],
  [
    'row 159: no escalation with SYS_ADMIN, which the API lets through,',
    ofContainer({ allowPrivilegeEscalation: false, capabilities: { add: ['SYS_ADMIN'] } }),
    [],
  ],
  [
    'row 160: Localhost without a file',
    ofContainer({ seccompProfile: { type: 'Localhost' } }),
    [`${AT}.seccompProfile.localhostProfile`],
  ],
  [
    'row 160: a file without Localhost',
    ofPod({ seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'x' } }),
    [`${AT_POD}.seccompProfile.localhostProfile`],
  ],
  [
    'row 160: a file outside the directory',
    ofPod({ seccompProfile: { type: 'Localhost', localhostProfile: 'a/../../x' } }),
    [`${AT_POD}.seccompProfile.localhostProfile`],
  ],
  [
    'row 160: an absolute file',
    ofPod({ seccompProfile: { type: 'Localhost', localhostProfile: '/x' } }),
    [`${AT_POD}.seccompProfile.localhostProfile`],
  ],
  [
    'row 160: a file in a directory below',
    ofPod({ seccompProfile: { type: 'Localhost', localhostProfile: 'a/x..json' } }),
    [],
  ],
  [
    'row 160: an unknown type',
    ofPod({ seccompProfile: { type: 'Off' } }),
    [`${AT_POD}.seccompProfile.type`],
  ],
  [
    'row 161: an AppArmor name with blanks',
    ofPod({ appArmorProfile: { type: 'Localhost', localhostProfile: ' x' } }),
    [`${AT_POD}.appArmorProfile.localhostProfile`],
  ],
  [
    'row 161: AppArmor Localhost without a name',
    ofContainer({ appArmorProfile: { type: 'Localhost', localhostProfile: ' ' } }),
    [`${AT}.appArmorProfile.localhostProfile`],
  ],
  ['row 161: an annotation', { annotations: { [`${APP_ARMOR}app`]: 'localhost/web' } }, []],
  [
    'row 161: an annotation for nobody',
    { annotations: { [`${APP_ARMOR}none`]: 'unconfined' } },
    [at(`${APP_ARMOR}none`)],
  ],
  [
    'row 161: an annotation that says nothing',
    { annotations: { [`${APP_ARMOR}app`]: 'localhost/' } },
    [at(`${APP_ARMOR}app`)],
  ],
  [
    'row 161: an annotation against the field',
    {
      annotations: { [`${APP_ARMOR}app`]: 'unconfined' },
      ...ofContainer({ appArmorProfile: { type: 'RuntimeDefault' } }),
    },
    [at(`${APP_ARMOR}app`)],
  ],
  ['row 161: the default procMount', ofContainer({ procMount: 'Default' }), []],
  [
    'row 161: an unmasked one with the host’s users',
    ofContainer({ procMount: 'Unmasked' }),
    [`${AT}.procMount`],
  ],
  [
    'row 161: an unmasked one with users of its own',
    ofContainer({ procMount: 'Unmasked' }, { hostUsers: false }),
    [],
  ],
]);

const sysctls = (...names: string[]) => names.map(name => ({ name, value: '1' }));
table('sysctls', [
  ['row 162: names with dots and slashes', ofPod({ sysctls: sysctls('net.a', 'net/b/c_d') }), []],
  ['row 162: no name', ofPod({ sysctls: sysctls('Net.A') }), [`${AT_POD}.sysctls[0].name`]],
  [
    'row 162: one name twice, spelt in two ways',
    ofPod({ sysctls: sysctls('net.a.b', 'net/a/b') }),
    [`${AT_POD}.sysctls[1].name`],
  ],
  [
    'row 162: one of the host’s network',
    ofPod({ sysctls: sysctls('net.a') }, { hostNetwork: true }),
    [`${AT_POD}.sysctls[0].name`],
  ],
  [
    'row 162: one of the host’s IPC namespace',
    ofPod({ sysctls: sysctls('kernel.sem') }, { hostIPC: true }),
    [`${AT_POD}.sysctls[0].name`],
  ],
]);

table('namespaces', [
  ['row 167: all of the host’s', { spec: { hostNetwork: true, hostPID: true, hostIPC: true } }, []],
  [
    'row 167: shared processes with the host’s',
    { spec: { hostPID: true, shareProcessNamespace: true } },
    ['spec.shareProcessNamespace'],
  ],
  [
    'users of its own with the host’s network',
    { spec: { hostUsers: false, hostNetwork: true } },
    ['spec.hostNetwork'],
  ],
  ['users of its own', { spec: { hostUsers: false } }, []],
]);

const port = (change: object) => ({ ports: [{ containerPort: 80, ...change }] });
const PORT = 'spec.containers[0].ports[0]';
const init = (change: object, more: object = {}) => ({
  initContainers: [{ name: 'init', image: 'busybox:1', ...port(change), ...more }],
});
table('ports', [
  [
    'row 57: the host’s network with the same host port',
    { spec: { hostNetwork: true }, container: port({ hostPort: 80 }) },
    [],
  ],
  [
    'row 57: the host’s network with another',
    { spec: { hostNetwork: true }, container: port({ hostPort: 81 }) },
    [`${PORT}.containerPort`],
  ],
  [
    'row 57: one port twice on the host’s network',
    {
      spec: { hostNetwork: true },
      container: { ports: [{ containerPort: 80 }, { containerPort: 80 }] },
    },
    ['spec.containers[0].ports[1].containerPort'],
  ],
  [
    'a host address that is none',
    { container: port({ hostPort: 1, hostIP: '1.2.3' }) },
    [`${PORT}.hostIP`],
  ],
  [
    'a host address with leading zeros',
    { container: port({ hostPort: 1, hostIP: '127.0.0.01' }) },
    [`${PORT}.hostIP`],
  ],
]);

describe('host ports of init containers', () => {
  const clash = (spec: object, container: object) =>
    pathsOf({ spec, container }).filter(path => path.includes('ports'));
  test('row 123: the same binding of an init and an app container passes', () => {
    assert.deepEqual(clash(init({ hostPort: 8080 }), port({ hostPort: 8080 })), []);
  });
  test('row 123: one host port for two ports is refused', () => {
    const second = { ports: [{ containerPort: 81, hostPort: 8080 }] };
    assert.deepEqual(clash(init({ hostPort: 8080 }), second), [`${PORT}.hostPort`]);
  });
});

const LONG = 'a'.repeat(64);
const override = (hostnameOverride: string, spec: object = {}): Given => ({
  spec: { hostnameOverride, ...spec },
});
table('names', [
  ['row 169: a host name with a dot', { spec: { hostname: 'a.b' } }, ['spec.hostname']],
  ['row 170: a subdomain with a dot', { spec: { subdomain: 'a.b' } }, ['spec.subdomain']],
  ['row 169: a host name of 64 characters', { spec: { hostname: LONG } }, ['spec.hostname']],
  ['an override of two labels', override('a.b'), []],
  ['an override of 65 characters', override(`a.${LONG}`), ['spec.hostnameOverride']],
  [
    'an override with setHostnameAsFQDN',
    override('a', { setHostnameAsFQDN: true }),
    ['spec.setHostnameAsFQDN'],
  ],
  [
    'an override with the host’s network',
    override('a', { hostNetwork: true }),
    ['spec.hostnameOverride'],
  ],
  ['row 174: aliases', { spec: { hostAliases: [{ ip: '::1', hostnames: ['a', 'b.c'] }] } }, []],
  [
    'row 174: an alias of no address',
    { spec: { hostAliases: [{ hostnames: ['a'] }] } },
    ['spec.hostAliases[0].ip'],
  ],
  [
    'row 174: an alias of a name',
    { spec: { hostAliases: [{ ip: 'x' }] } },
    ['spec.hostAliases[0].ip'],
  ],
  [
    'row 174: an alias that breaks the line',
    { spec: { hostAliases: [{ ip: '1.1.1.1', hostnames: ['a', 'b\n1.1.1.1 c'] }] } },
    ['spec.hostAliases[0].hostnames[1]'],
  ],
]);

const dns = (dnsConfig: object, dnsPolicy = 'ClusterFirst') => ({ spec: { dnsPolicy, dnsConfig } });
const DNS = 'spec.dnsConfig';
const many = (count: number, of: (n: number) => string) =>
  Array.from({ length: count }, (_, index) => of(index));
table('DNS', [
  ['row 171: an unknown policy', { spec: { dnsPolicy: 'Cluster' } }, ['spec.dnsPolicy']],
  ['row 171: None without dnsConfig', { spec: { dnsPolicy: 'None' } }, [DNS]],
  ['row 171: None without name servers', dns({ searches: ['a'] }, 'None'), [`${DNS}.nameservers`]],
  ['row 171: None with one', dns({ nameservers: ['::1'] }, 'None'), []],
  [
    'row 172: a name server that is a name',
    dns({ nameservers: ['ns.x'] }),
    [`${DNS}.nameservers[0]`],
  ],
  [
    'row 172: four name servers',
    dns({ nameservers: many(4, n => `10.0.0.${n}`) }),
    [`${DNS}.nameservers`],
  ],
  ['row 172: 32 searches', dns({ searches: many(32, n => `s${n}.x.`) }), []],
  ['row 172: 33 searches', dns({ searches: many(33, n => `s${n}`) }), [`${DNS}.searches`]],
  [
    'row 172: over 2048 characters',
    dns({ searches: many(9, n => `${n}${'.abcdefgh'.repeat(27)}`) }),
    [`${DNS}.searches`],
  ],
  ['row 172: a search with an underscore, and a dot alone', dns({ searches: ['_tcp.x', '.'] }), []],
  ['row 172: a search with a blank', dns({ searches: ['a b'] }), [`${DNS}.searches[0]`]],
  ['row 172: options', dns({ options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }] }), []],
  [
    'row 172: an option without a name',
    dns({ options: [{ value: '2' }] }),
    [`${DNS}.options[0].name`],
  ],
  [
    'row 172: an option that breaks the line',
    dns({ options: [{ name: 'a', value: '1\nnameserver 6.6.6.6' }] }),
    [`${DNS}.options[0].value`],
  ],
]);

const resources = (value: object): Given => ({ container: { resources: value } });
const RESOURCES = 'spec.containers[0].resources';
table('resources', [
  ['a request of ephemeral storage', resources({ requests: { 'ephemeral-storage': '1Gi' } }), []],
  [
    'a limit of ephemeral storage, which nothing enforces,',
    resources({ limits: { 'ephemeral-storage': '1Gi' } }),
    [`${RESOURCES}.limits[ephemeral-storage]`],
  ],
  [
    'huge pages',
    resources({ limits: { 'hugepages-2Mi': '2Mi' } }),
    [`${RESOURCES}.limits[hugepages-2Mi]`],
  ],
  [
    'an extended resource',
    resources({ requests: { 'nvidia.com/gpu': '1' } }),
    [`${RESOURCES}.requests[nvidia.com/gpu]`],
  ],
  ['resources of the pod', { spec: { resources: { limits: { cpu: '1' } } } }, ['spec.resources']],
  ['an overhead', { spec: { overhead: { cpu: '1m' } } }, ['spec.overhead']],
]);

describe('defaults', () => {
  const defaulted = (given: Given): ValidPod => {
    const result = validated(given);
    assert.ok(result.ok, JSON.stringify(result));
    return withDefaults(result.pod);
  };
  const hostPort = (given: Given) => defaulted(given).spec.containers[0]?.ports?.[0]?.hostPort;
  test('row 57: with the host’s network the host port is the container’s, given or zero', () => {
    const spec = { hostNetwork: true };
    assert.equal(hostPort({ spec, container: port({}) }), 80);
    assert.equal(hostPort({ spec, container: port({ hostPort: 0 }) }), 80);
    assert.equal(hostPort({ container: port({}) }), undefined);
  });
  test('row 54: the DNS policy and an empty security context', () => {
    const { dnsPolicy, securityContext } = defaulted({}).spec;
    assert.deepEqual([dnsPolicy, securityContext], ['ClusterFirst', {}]);
  });
});
