/** Validation of security contexts and resources: each rule with the path that it names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withDefaults } from '../../../protocol/pod-defaults.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { table, validated, type Given } from './rule-table.js';

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
    'row 157: strict groups of a user without a group',
    ofPod({ supplementalGroupsPolicy: 'Strict', runAsUser: 1 }),
    [`${AT_POD}.supplementalGroupsPolicy`],
  ],
  [
    'row 157: strict groups of a pod with a group',
    ofPod({ supplementalGroupsPolicy: 'Strict', runAsGroup: 1 }),
    [],
  ],
  [
    'row 157: strict groups where each container has its own',
    {
      ...ofPod({ supplementalGroupsPolicy: 'Strict' }),
      container: { securityContext: { runAsGroup: 1 } },
    },
    [],
  ],
  [
    'a policy of groups that does not exist',
    ofPod({ supplementalGroupsPolicy: 'Loose' }),
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
  [
    'row 177: more cpu than can be counted, which every kubelet would take,',
    resources({ requests: { cpu: '1e18' } }),
    [`${RESOURCES}.requests.cpu`],
  ],
  [
    'row 177: more memory than can be counted',
    resources({ limits: { memory: '7Ei' } }),
    [`${RESOURCES}.limits.memory`],
  ],
  ['row 177: much cpu and memory', resources({ requests: { cpu: '1T', memory: '7Pi' } }), []],
  [
    'an emptyDir that is larger than can be counted',
    { spec: { volumes: [{ name: 'v', emptyDir: { sizeLimit: '7Ei' } }] } },
    ['spec.volumes[0].emptyDir.sizeLimit'],
  ],
  ['resources of the pod', { spec: { resources: { limits: { cpu: '1' } } } }, ['spec.resources']],
  ['an overhead', { spec: { overhead: { cpu: '1m' } } }, ['spec.overhead']],
]);

describe('defaults', () => {
  const port = (change: object) => ({ ports: [{ containerPort: 80, ...change }] });
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
