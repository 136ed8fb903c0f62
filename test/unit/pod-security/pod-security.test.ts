/**
 * The Pod Security Standards, check by check: one pod that passes and one that does not, with the official words.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Container, Pod, PodSpec } from '../../../protocol/pod.js';
import {
  checkPodSecurity,
  NO_EXCEPTIONS,
  podSecurityMessage,
  stricterLevel,
  type PodSecurityLevel,
} from '../../../protocol/pod-security-standards.js';

interface Shape {
  readonly spec?: Partial<PodSpec>;
  readonly container?: Partial<Container>;
  readonly init?: Partial<Container>;
  readonly annotations?: Record<string, string>;
}

function podOf({ spec, container, init, annotations = {} }: Shape): Pod {
  return {
    metadata: { name: 'web', annotations },
    spec: {
      ...spec,
      ...(init === undefined ? {} : { initContainers: [{ name: 'init', image: 'x', ...init }] }),
      containers: [{ name: 'app', image: 'x', ...container }],
    },
  };
}

/** Passes level restricted. */
function hardened({ spec, container, init, annotations = {} }: Shape): Pod {
  const secured = (own: Partial<Container> = {}): Partial<Container> => ({
    ...own,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      ...own.securityContext,
    },
  });
  return podOf({
    annotations,
    spec: {
      ...spec,
      securityContext: {
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
        ...spec?.securityContext,
      },
    },
    container: secured(container),
    ...(init === undefined ? {} : { init: secured(init) }),
  });
}

const security = (securityContext: Container['securityContext']): Shape => ({
  container: { securityContext: securityContext ?? {} },
});
const podSecurity = (securityContext: PodSpec['securityContext']): Shape => ({
  spec: { securityContext: securityContext ?? {} },
});

interface Row {
  readonly rule: string;
  readonly passes: Shape;
  readonly fails: Shape;
  readonly path: string;
  readonly says: string;
}

const BASELINE: readonly Row[] = [
  {
    rule: 'hostNamespaces',
    passes: { spec: { hostNetwork: false } },
    fails: { spec: { hostPID: true, hostNetwork: true, hostIPC: true } },
    path: 'spec.hostIPC',
    says: 'host namespaces (hostIPC, hostNetwork, hostPID)',
  },
  {
    rule: 'privileged',
    passes: security({ privileged: false }),
    fails: {
      ...security({ privileged: true }),
      init: { securityContext: { privileged: true } },
    },
    path: 'spec.initContainers[0].securityContext.privileged',
    says: 'privileged (containers "init", "app" must not set securityContext.privileged=true)',
  },
  {
    rule: 'capabilities_baseline',
    passes: security({ capabilities: { add: ['CHOWN', 'SYS_CHROOT'] } }),
    fails: security({ capabilities: { add: ['CHOWN', 'SYS_ADMIN', 'NET_RAW'] } }),
    path: 'spec.containers[0].securityContext.capabilities.add[1]',
    says:
      'non-default capabilities (container "app" must not include "NET_RAW", "SYS_ADMIN" ' +
      'in securityContext.capabilities.add)',
  },
  {
    rule: 'hostPathVolumes',
    passes: { spec: { volumes: [{ name: 'a', emptyDir: {} }] } },
    fails: {
      spec: {
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', hostPath: { path: '/' } },
          { name: 'c', hostPath: { path: '/x' } },
        ],
      },
    },
    path: 'spec.volumes[1].hostPath',
    says: 'hostPath volumes (volumes "b", "c")',
  },
  {
    rule: 'hostPorts',
    passes: { container: { ports: [{ containerPort: 80, hostPort: 0 }] } },
    fails: {
      container: {
        ports: [{ containerPort: 1 }, { containerPort: 80, hostPort: 80 }],
      },
    },
    path: 'spec.containers[0].ports[1].hostPort',
    says: 'hostPort (container "app" uses hostPort 80)',
  },
  {
    rule: 'appArmorProfile',
    passes: {
      ...security({ appArmorProfile: { type: 'Localhost', localhostProfile: 'x' } }),
      annotations: { 'container.apparmor.security.beta.kubernetes.io/app': 'localhost/foo' },
    },
    fails: {
      ...security({ appArmorProfile: { type: 'Unconfined' } }),
      annotations: { 'container.apparmor.security.beta.kubernetes.io/app': 'unconfined' },
    },
    path: 'spec.containers[0].securityContext.appArmorProfile.type',
    says:
      'forbidden AppArmor profiles (container "app" and annotation must not set AppArmor profile ' +
      'type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/app="unconfined"")',
  },
  {
    rule: 'seLinuxOptions',
    passes: podSecurity({ seLinuxOptions: { type: 'container_engine_t', level: 's0' } }),
    fails: {
      ...podSecurity({ seLinuxOptions: { type: 'spc_t' } }),
      ...security({ seLinuxOptions: { user: 'u', role: 'r' } }),
    },
    path: 'spec.securityContext.seLinuxOptions.type',
    says:
      'seLinuxOptions (pod and container "app" set forbidden securityContext.seLinuxOptions: ' +
      'type "spc_t"; user may not be set; role may not be set)',
  },
  {
    rule: 'procMount',
    passes: { ...security({ procMount: 'Unmasked' }), spec: { hostUsers: false } },
    fails: security({ procMount: 'Unmasked' }),
    path: 'spec.containers[0].securityContext.procMount',
    says: 'procMount (container "app" must not set securityContext.procMount to "Unmasked")',
  },
  {
    rule: 'seccompProfile_baseline',
    passes: security({ seccompProfile: { type: 'Localhost', localhostProfile: 'x' } }),
    fails: {
      ...podSecurity({ seccompProfile: { type: 'Unconfined' } }),
      ...security({ seccompProfile: { type: 'Unconfined' } }),
    },
    path: 'spec.securityContext.seccompProfile.type',
    says:
      'seccompProfile (pod and container "app" must not set securityContext.seccompProfile.type ' +
      'to "Unconfined")',
  },
  {
    rule: 'sysctls',
    passes: podSecurity({ sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] }),
    fails: podSecurity({
      sysctls: [
        { name: 'kernel.shm_rmid_forced', value: '1' },
        { name: 'kernel.msgmax', value: '1' },
        { name: 'vm.swappiness', value: '1' },
      ],
    }),
    path: 'spec.securityContext.sysctls[1].name',
    says: 'forbidden sysctls (kernel.msgmax, vm.swappiness)',
  },
  {
    rule: 'windowsHostProcess',
    passes: podSecurity({ windowsOptions: { hostProcess: false } }),
    fails: {
      ...podSecurity({ windowsOptions: { hostProcess: true } }),
      ...security({ windowsOptions: { hostProcess: true } }),
    },
    path: 'spec.securityContext.windowsOptions.hostProcess',
    says:
      'hostProcess (pod and container "app" must not set ' +
      'securityContext.windowsOptions.hostProcess=true)',
  },
  {
    rule: 'hostProbesAndHostLifecycle',
    passes: {
      container: {
        livenessProbe: { httpGet: { port: 80, host: '' } },
        lifecycle: { preStop: { httpGet: { port: 80 } } },
      },
    },
    fails: {
      init: { startupProbe: { tcpSocket: { port: 80, host: '10.0.0.1' } } },
      container: {
        readinessProbe: { httpGet: { port: 80, host: '127.0.0.1' } },
        lifecycle: { postStart: { httpGet: { port: 80, host: '10.0.0.1' } } },
      },
    },
    path: 'spec.initContainers[0].startupProbe.tcpSocket.host',
    says:
      'probe or lifecycle host (containers "app", "init" use probe or lifecycle hosts ' +
      '"10.0.0.1", "127.0.0.1")',
  },
];

const RESTRICTED: readonly Row[] = [
  {
    rule: 'allowPrivilegeEscalation',
    passes: {},
    fails: security({ allowPrivilegeEscalation: true }),
    path: 'spec.containers[0].securityContext.allowPrivilegeEscalation',
    says:
      'allowPrivilegeEscalation != false (container "app" must set ' +
      'securityContext.allowPrivilegeEscalation=false)',
  },
  {
    rule: 'capabilities_restricted',
    passes: security({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }),
    fails: security({ capabilities: { drop: ['CHOWN'], add: ['CHOWN'] } }),
    path: 'spec.containers[0].securityContext.capabilities.drop',
    says:
      'unrestricted capabilities (container "app" must set securityContext.capabilities.drop=' +
      '["ALL"]; container "app" must not include "CHOWN" in securityContext.capabilities.add)',
  },
  {
    rule: 'procMount_restricted',
    passes: security({ procMount: 'Default' }),
    fails: { ...security({ procMount: 'Unmasked' }), spec: { hostUsers: false } },
    path: 'spec.containers[0].securityContext.procMount',
    says: 'procMount (container "app" must not set securityContext.procMount to "Unmasked")',
  },
  {
    rule: 'restrictedVolumes',
    passes: {
      spec: {
        volumes: [
          { name: 'a', configMap: { name: 'x' } },
          { name: 'b', secret: { secretName: 'x' } },
          { name: 'c', projected: { sources: [] } },
          { name: 'd' },
        ],
      },
    },
    fails: {
      spec: {
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', nfs: { server: 's', path: '/' } },
          { name: 'c', hostPath: { path: '/' } },
        ],
      },
    },
    path: 'spec.volumes[1].nfs',
    says: 'restricted volume types (volumes "b", "c" use restricted volume types "hostPath", "nfs")',
  },
  {
    rule: 'runAsNonRoot',
    passes: { spec: { hostUsers: false, securityContext: { runAsNonRoot: false } } },
    fails: {
      ...podSecurity({ runAsNonRoot: false }),
      ...security({ runAsNonRoot: false }),
    },
    path: 'spec.securityContext.runAsNonRoot',
    says:
      'runAsNonRoot != true (pod and container "app" must not set ' +
      'securityContext.runAsNonRoot=false)',
  },
  {
    rule: 'runAsUser',
    passes: podSecurity({ runAsUser: 1000 }),
    fails: { ...podSecurity({ runAsUser: 0 }), init: { securityContext: { runAsUser: 0 } } },
    path: 'spec.securityContext.runAsUser',
    says: 'runAsUser=0 (pod and container "init" must not set runAsUser=0)',
  },
  {
    rule: 'seccompProfile_restricted',
    passes: security({ seccompProfile: { type: 'RuntimeDefault' } }),
    fails: security({ seccompProfile: { type: 'Unconfined' } }),
    path: 'spec.containers[0].securityContext.seccompProfile.type',
    says:
      'seccompProfile (container "app" must not set securityContext.seccompProfile.type ' +
      'to "Unconfined")',
  },
];

function describeLevel(
  level: PodSecurityLevel,
  rows: readonly Row[],
  make: (shape: Shape) => Pod,
): void {
  for (const { rule, passes, fails, path, says } of rows) {
    test(`${rule} passes what it may`, () => {
      assert.deepEqual(checkPodSecurity(make(passes), level), []);
    });
    test(`${rule} names what it forbids and where it stands`, () => {
      assert.deepEqual(checkPodSecurity(make(fails), level), [{ rule, path, message: says }]);
    });
    test(`${rule} says nothing at level privileged`, () => {
      assert.deepEqual(checkPodSecurity(make(fails), 'privileged'), []);
    });
  }
}

describe('row 164: level baseline', () => {
  describeLevel('baseline', BASELINE, podOf);
});

describe('row 165: level restricted', () => {
  describeLevel('restricted', RESTRICTED, hardened);

  test('a plain pod breaks each rule that demands something', () => {
    const rules = checkPodSecurity(podOf({}), 'restricted').map(({ rule }) => rule);
    assert.deepEqual(rules, [
      'allowPrivilegeEscalation',
      'capabilities_restricted',
      'runAsNonRoot',
      'seccompProfile_restricted',
    ]);
  });

  test('what no one set is asked of the pod or its containers', () => {
    const messages = checkPodSecurity(podOf({ init: {} }), 'restricted').map(
      ({ message }) => message,
    );
    assert.deepEqual(messages.slice(2), [
      'runAsNonRoot != true (pod or containers "init", "app" must set ' +
        'securityContext.runAsNonRoot=true)',
      'seccompProfile (pod or containers "init", "app" must set ' +
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ]);
  });

  for (const { rule, fails } of BASELINE) {
    test(`what ${rule} forbids stays forbidden, under that name or a stricter one`, () => {
      const rules = checkPodSecurity(hardened(fails), 'restricted').map(one => one.rule);
      const names: Record<string, string> = {
        capabilities_baseline: 'capabilities_restricted',
        hostPathVolumes: 'restrictedVolumes',
        procMount: 'procMount_restricted',
        seccompProfile_baseline: 'seccompProfile_restricted',
      };
      assert.ok(rules.includes(names[rule] ?? rule), rules.join());
    });
  }

  test('a pod for Windows need not say what only Linux knows', () => {
    const pod = podOf({
      spec: { os: { name: 'windows' }, securityContext: { runAsNonRoot: true } },
    });
    assert.deepEqual(checkPodSecurity(pod, 'restricted'), []);
  });
});

describe('exceptions of a node', () => {
  test('host ports from a number up', () => {
    const pod = podOf({
      container: {
        ports: [
          { containerPort: 1, hostPort: 1024 },
          { containerPort: 2, hostPort: 1023 },
        ],
      },
    });
    const [one, ...more] = checkPodSecurity(pod, 'baseline', {
      ...NO_EXCEPTIONS,
      minHostPort: 1024,
    });
    assert.deepEqual(more, []);
    assert.equal(one?.message, 'hostPort (container "app" uses hostPort 1023)');
    assert.equal(one?.path, 'spec.containers[0].ports[1].hostPort');
  });

  test('host paths that a list speaks about', () => {
    const pod = hardened({ spec: { volumes: [{ name: 'a', hostPath: { path: '/dev' } }] } });
    const listed = { ...NO_EXCEPTIONS, hostPathsAreListed: true };
    assert.deepEqual(checkPodSecurity(pod, 'baseline', listed), []);
    assert.deepEqual(checkPodSecurity(pod, 'restricted', listed), []);
  });
});

test('the message is that of a cluster, with rule and field', () => {
  const pod = podOf({ container: { ports: [{ containerPort: 1, hostPort: 80 }] } });
  assert.equal(
    podSecurityMessage('baseline', checkPodSecurity(pod, 'baseline')),
    'violates PodSecurity "baseline:latest": hostPort (container "app" uses hostPort 80) ' +
      '[rule hostPorts, field spec.containers[0].ports[0].hostPort]',
  );
});

test('the stricter of two levels', () => {
  assert.equal(stricterLevel('privileged', 'baseline'), 'baseline');
  assert.equal(stricterLevel('restricted', 'baseline'), 'restricted');
  assert.equal(stricterLevel('privileged', 'privileged'), 'privileged');
});
