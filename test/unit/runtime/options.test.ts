/** Specs as the Engine API's options, row by row, where no engine of the tests can show the difference. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  containerOptions,
  sandboxOptions,
  type EngineKind,
} from '../../../agent/runtime/docker-options.js';
import {
  OWN_NAMESPACES,
  PLAIN_SECURITY,
  type ContainerSpec,
  type Mount,
  type Namespaces,
} from '../../../agent/runtime/runtime.js';
import { containerSpec, podIdentity, sandboxSpec } from '../../contracts/runtime-case.js';

const pod = podIdentity();
const ID = 'e'.repeat(64);

function hostConfig(change: Partial<ContainerSpec>, kind: EngineKind = 'docker') {
  const options = containerOptions(pod, containerSpec('web:1', 'x', change), {
    owner: '/data',
    kind,
    sandboxId: ID,
    podLogs: '/var/log/pods',
    oomFloor: -998,
    seccompProfile: profile => (kind === 'docker' ? profile : '/data/seccomp/x.json'),
  });
  return options.HostConfig ?? {};
}
const secured = (change: Partial<typeof PLAIN_SECURITY>, kind?: EngineKind) =>
  hostConfig({ security: { ...PLAIN_SECURITY, ...change } }, kind);
const mounted = (change: Partial<Mount>) =>
  hostConfig({
    mounts: [
      {
        hostPath: '/a',
        containerPath: '/b',
        readOnly: false,
        propagation: 'rprivate',
        recursiveReadOnly: false,
        ...change,
      },
    ],
  }).Mounts?.[0];

describe('a container as options of the engine', () => {
  /** Sentence → made, expected. */
  const ROWS: Readonly<Record<string, [unknown, unknown]>> = {
    'row 160: nothing said is the profile of the engine': [secured({}).SecurityOpt, []],
    'row 160: unconfined': [secured({ seccomp: 'unconfined' }).SecurityOpt, ['seccomp=unconfined']],
    'row 160: a profile is its text for Docker': [
      secured({ seccomp: { profile: '{"a":1}' } }).SecurityOpt,
      ['seccomp={"a":1}'],
    ],
    'row 160: and a file for Podman': [
      secured({ seccomp: { profile: '{"a":1}' } }, 'podman').SecurityOpt,
      ['seccomp=/data/seccomp/x.json'],
    ],
    'row 161: AppArmor by the name of the profile': [
      secured({ appArmor: 'web' }).SecurityOpt,
      ['apparmor=web'],
    ],
    'row 161: SELinux, one option for each part': [
      secured({ seLinux: ['user:u', 'level:s0:c1,c2'] }).SecurityOpt,
      ['label=user:u', 'label=level:s0:c1,c2'],
    ],
    'row 159: no-new-privileges beside others': [
      secured({ noNewPrivileges: true, appArmor: 'unconfined' }).SecurityOpt,
      ['no-new-privileges', 'apparmor=unconfined'],
    ],
    'row 161: all of /proc, as Docker says it': [secured({ unmaskedProc: true }).MaskedPaths, []],
    'row 161: and as Podman says it': [
      secured({ unmaskedProc: true }, 'podman').SecurityOpt,
      ['unmask=ALL'],
    ],
    'row 157: groups are numbers in text': [secured({ groups: [1, 2] }).GroupAdd, ['1', '2']],
    'row 139: read-only is not recursive unless it is asked for': [
      mounted({ readOnly: true })?.BindOptions,
      { Propagation: 'rprivate', CreateMountpoint: true, ReadOnlyNonRecursive: true },
    ],
    'row 139: and then all the way down or not at all': [
      mounted({ readOnly: true, recursiveReadOnly: true })?.BindOptions,
      { Propagation: 'rprivate', CreateMountpoint: true, ReadOnlyForceRecursive: true },
    ],
    'row 139: Bidirectional': [
      mounted({ propagation: 'rshared' })?.BindOptions,
      { Propagation: 'rshared', CreateMountpoint: true },
    ],
    'the hostname comes with the network on Docker': [hostConfig({}).UTSMode, undefined],
    'and by itself on Podman': [hostConfig({}, 'podman').UTSMode, `container:${ID}`],
  };
  for (const [sentence, [made, expected]] of Object.entries(ROWS)) {
    test(sentence, () => assert.deepEqual(made, expected));
  }
});

describe('row 167: namespaces', () => {
  const HOST: Namespaces = { network: 'host', ipc: 'host', pid: 'host' };
  const sandboxOf = (namespaces: Namespaces) =>
    sandboxOptions(sandboxSpec(pod, { namespaces, hostname: 'web' }), 'pause', {
      owner: '/data',
      kind: 'docker',
      oomFloor: -998,
    });

  test('those of the host, for the sandbox and for its containers', () => {
    const { Hostname, HostConfig: host } = sandboxOf(HOST);
    assert.equal(Hostname, undefined);
    const own = [host?.NetworkMode, host?.IpcMode, host?.PidMode, host?.UTSMode];
    assert.deepEqual(own, ['host', 'host', 'host', 'host']);
    const member = hostConfig({ namespaces: HOST });
    const its = [member.NetworkMode, member.IpcMode, member.PidMode, member.UTSMode];
    assert.deepEqual(its, ['host', 'host', 'host', 'host']);
  });

  test('row 155: the memory that a pod shares is 64 MiB, whatever the engine gives by itself', () => {
    assert.equal(sandboxOf(OWN_NAMESPACES).HostConfig?.ShmSize, 64 * 1024 ** 2);
    assert.equal(sandboxOf(HOST).HostConfig?.ShmSize, undefined);
  });

  test('the whole pod in one PID namespace, or each container in its own', () => {
    const shared = hostConfig({ namespaces: { ...OWN_NAMESPACES, pid: 'pod' } });
    assert.equal(shared.PidMode, `container:${ID}`);
    assert.equal(hostConfig({}).PidMode, undefined);
  });
});
