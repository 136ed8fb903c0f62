/** Which sysctls a pod may set on a node, and what the node may allow besides. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { engineLimit } from '../../../agent/pods/engine-limits.js';
import { engineGate, sysctlGate } from '../../../agent/pods/security-gates.js';
import { forbiddenSysctl, podSysctls, sysctlPatternProblem } from '../../../agent/pods/sysctls.js';
import type { EngineFeatures } from '../../../agent/runtime/runtime.js';
import type { PodSpec, ValidPod } from '../../../protocol/pod.js';
import { manifest, wish, type PodOptions } from '../../support/pods.js';

function setting(names: readonly string[], spec: Partial<PodSpec> = {}): ValidPod {
  const sysctls = names.map(name => ({ name, value: '1' }));
  const { pod } = wish(manifest('web', { spec: { securityContext: { sysctls } } }));
  // What validation refuses already is still not let through here.
  return { ...pod, spec: { ...pod.spec, ...spec } };
}

const rows: readonly [string, string[], Partial<PodSpec>, string[], string | null][] = [
  ['a safe one', ['net.ipv4.tcp_syncookies'], {}, [], null],
  ['a safe one with slashes', ['net/ipv4/tcp_syncookies'], {}, [], null],
  ['one that is not safe', ['kernel.msgmax'], {}, [], '"kernel.msgmax" not allowlisted'],
  ['one of the whole machine', ['vm.swappiness'], {}, [], '"vm.swappiness" not allowlisted'],
  ['one that the node allows', ['kernel.msgmax'], {}, ['kernel.msgmax'], null],
  ['one that a pattern allows', ['net.core.somaxconn'], {}, ['net.core.*'], null],
  ['one beside the pattern', ['net.ipv4.x'], {}, ['net.core.*'], '"net.ipv4.x" not allowlisted'],
  [
    'the second of two',
    ['net.ipv4.tcp_rmem', 'kernel.sem'],
    {},
    [],
    '"kernel.sem" not allowlisted',
  ],
  [
    'one of the network with the host’s network',
    ['net.ipv4.tcp_rmem'],
    { hostNetwork: true },
    [],
    'not allowed with host net enabled',
  ],
  [
    'one of the IPC namespace with the host’s',
    ['kernel.shm_rmid_forced'],
    { hostIPC: true },
    [],
    'not allowed with host ipc enabled',
  ],
  ['one of the other namespace', ['net.ipv4.tcp_rmem'], { hostIPC: true }, [], null],
];

describe('forbiddenSysctl', () => {
  for (const [says, names, spec, allowed, wanted] of rows) {
    test(`row 162: ${says} is ${wanted === null ? 'allowed' : 'forbidden'}`, () => {
      const found = forbiddenSysctl(setting(names, spec), allowed);
      if (wanted === null) return assert.equal(found, null);
      const message = found?.message ?? '';
      assert.ok(message.startsWith('forbidden sysctl: '), message);
      assert.ok(message.includes(wanted), message);
      assert.equal(found?.path, `spec.securityContext.sysctls[${names.length - 1}].name`);
      assert.ok(message.endsWith(`: ${found?.path ?? ''}`));
    });
  }

  test('row 162: the engine gets names with dots', () => {
    assert.deepEqual(podSysctls(setting(['net/ipv4/conf/eth0.100/arp_ignore'])), {
      'net.ipv4.conf.eth0/100.arp_ignore': '1',
    });
  });

  const patterns: readonly [string, boolean][] = [
    ['kernel.msg*', true],
    ['net.*', true],
    ['net.core.somaxconn', true],
    ['net/core/*', true],
    ['*', false],
    ['kernel.*', false],
    ['vm.swappiness', false],
    ['net.*.x', false],
    ['Net.core', false],
  ];
  for (const [pattern, ok] of patterns) {
    test(`row 162: allowedUnsafeSysctls ${ok ? 'takes' : 'refuses'} ${pattern}`, () => {
      assert.equal(sysctlPatternProblem(pattern) === null, ok);
    });
  }
});

const NOTHING: EngineFeatures = {
  recursiveReadOnly: false,
  appArmor: false,
  seLinux: false,
  seccomp: false,
  cgroupVersion: 1,
  rootful: true,
};
const ALL: EngineFeatures = {
  ...NOTHING,
  appArmor: true,
  seLinux: true,
  seccomp: true,
  rootful: false,
};
const APP_ARMOR = { type: 'Localhost', localhostProfile: 'web' };
const ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/app';

const limits: readonly [string, PodOptions, [string, string] | null][] = [
  ['nothing', {}, null],
  [
    'AppArmor for the pod',
    { spec: { securityContext: { appArmorProfile: APP_ARMOR } } },
    ['AppArmor', 'spec.securityContext.appArmorProfile'],
  ],
  [
    'AppArmor for the second container',
    { containers: [{ name: 'a' }, { name: 'b', securityContext: { appArmorProfile: APP_ARMOR } }] },
    ['AppArmor', 'spec.containers[1].securityContext.appArmorProfile'],
  ],
  [
    'AppArmor by annotation',
    { annotations: { [ANNOTATION]: 'runtime/default' } },
    ['AppArmor', `metadata.annotations[${ANNOTATION}]`],
  ],
  [
    'AppArmor off',
    { spec: { securityContext: { appArmorProfile: { type: 'Unconfined' } } } },
    null,
  ],
  [
    'a seccomp profile',
    { spec: { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } } },
    ['Seccomp', 'spec.securityContext.seccompProfile'],
  ],
  [
    'no seccomp at all',
    { spec: { securityContext: { seccompProfile: { type: 'Unconfined' } } } },
    null,
  ],
  [
    'SELinux options',
    { containers: [{ name: 'app', securityContext: { seLinuxOptions: { type: 'spc_t' } } }] },
    ['SELinux', 'spec.containers[0].securityContext.seLinuxOptions'],
  ],
  ['empty SELinux options', { spec: { securityContext: { seLinuxOptions: { level: '' } } } }, null],
  ['a user namespace', { spec: { hostUsers: false } }, ['UserNamespaces', 'spec.hostUsers']],
  ['the host’s users', { spec: { hostUsers: true } }, null],
];

describe('engineLimit', () => {
  for (const [says, options, wanted] of limits) {
    test(`row 161: ${says} on an engine without all of it`, () => {
      const { pod } = wish(manifest('web', options));
      const found = engineLimit(pod, NOTHING);
      assert.deepEqual(found === null ? null : [found.reason, found.path], wanted);
      if (found !== null) assert.ok(found.message.endsWith(found.path), found.message);
      assert.equal(engineLimit(pod, ALL), null);
    });
  }

  test('row 161: AppArmor is refused in the kubelet’s words', () => {
    const { pod } = wish(manifest('web', limits[1]?.[1] ?? {}));
    assert.match(engineLimit(pod, NOTHING)?.message ?? '', /^Cannot enforce AppArmor: /);
  });
});

describe('the gates', () => {
  const unsafe = wish(
    manifest('web', {
      spec: { securityContext: { sysctls: [{ name: 'kernel.sem', value: '1' }] } },
    }),
  );
  const confined = wish(manifest('web', limits[1]?.[1] ?? {}));

  test('row 162: a pod with a forbidden sysctl is rejected, until the node allows it', () => {
    const no = sysctlGate([])(unsafe, { engine: null });
    assert.deepEqual([no?.phase, no?.reason], ['Failed', 'SysctlForbidden']);
    assert.equal(sysctlGate(['kernel.sem'])(unsafe, { engine: null }), null);
  });

  test('row 161: a pod is rejected for what the engine lacks, once the engine has said so', () => {
    assert.equal(engineGate(confined, { engine: NOTHING })?.reason, 'AppArmor');
    assert.equal(engineGate(confined, { engine: ALL }), null);
    assert.equal(engineGate(confined, { engine: null }), null);
  });
});
