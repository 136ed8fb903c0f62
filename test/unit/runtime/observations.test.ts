/** What engines and the kernel say, in the port's words. */
import assert from 'node:assert/strict';
import type { ContainerInspectInfo, DockerVersion } from 'dockerode';
import { describe, test } from 'node:test';
import {
  isGone,
  missingMountSource,
  runtimeErrorOf,
} from '../../../agent/runtime/docker-errors.js';
import { withoutSecrets } from '../../../agent/runtime/docker-images.js';
import {
  failedStart,
  observedSandbox,
  runtimeInfo,
} from '../../../agent/runtime/docker-observe.js';
import { containerStats } from '../../../agent/runtime/docker-stats.js';
import { memoryStatPath, oomGroupPath } from '../../../agent/runtime/host-cgroups.js';
import { tellsOfKill } from '../../../agent/runtime/host-kernel-log.js';
import { containerLogName, podLogPath } from '../../../agent/runtime/log-paths.js';

const ID = 'c'.repeat(64);

describe('what a container uses', () => {
  const statsOf = (usage: number, stats: Record<string, number> | null) =>
    containerStats({
      cpu_stats: { cpu_usage: { total_usage: 5 } },
      memory_stats: { usage, stats },
    })?.workingSetBytes;

  /** Sentence → working set, expected. */
  const ROWS: Readonly<Record<string, [number | undefined, number | undefined]>> = {
    'cgroup v1: without the inactive files of all below it': [
      statsOf(100, { inactive_file: 10, total_inactive_file: 30 }),
      70,
    ],
    'cgroup v2: without the inactive files': [statsOf(100, { inactive_file: 40 }), 60],
    'never below nothing': [statsOf(10, { inactive_file: 40 }), 0],
    'all of it, where nothing more is known': [statsOf(100, null), 100],
  };
  for (const [sentence, [made, expected]] of Object.entries(ROWS)) {
    test(sentence, () => assert.equal(made, expected));
  }

  test('a container that does not run uses nothing that could be counted', () => {
    assert.equal(
      containerStats({ cpu_stats: { cpu_usage: { total_usage: 0 } }, memory_stats: {} }),
      null,
    );
  });

  test('where the kernel counts, on cgroup v1 and v2, and only for this container', () => {
    const v1 = `3:cpu,cpuacct:/x\n4:memory:/docker/${ID}\n0::/docker/${ID}\n`;
    assert.equal(memoryStatPath(v1, ID), `/sys/fs/cgroup/memory/docker/${ID}/memory.stat`);
    const v2 = `0::/system.slice/docker-${ID}.scope\n`;
    assert.equal(
      memoryStatPath(v2, ID),
      `/sys/fs/cgroup/system.slice/docker-${ID}.scope/memory.stat`,
    );
    assert.equal(memoryStatPath('0::/user.slice\n', ID), null);
  });

  test('row 154: where the processes of a container are told to die together: cgroup v2, its own group', () => {
    const scope = `/sys/fs/cgroup/system.slice/docker-${ID}.scope/memory.oom.group`;
    assert.equal(oomGroupPath(`0::/system.slice/docker-${ID}.scope\n`, ID), scope);
    assert.equal(oomGroupPath(`0::/system.slice/docker-${ID}.scope/init.scope\n`, ID), scope);
    const podman = `0::/libpod_parent/libpod-${ID}/container\n`;
    assert.equal(
      oomGroupPath(podman, ID),
      `/sys/fs/cgroup/libpod_parent/libpod-${ID}/memory.oom.group`,
    );
    assert.equal(oomGroupPath(`4:memory:/docker/${ID}\n0::/docker/${ID}\n`, ID), null);
    assert.equal(oomGroupPath(`0::/../../docker/${ID}\n`, ID), null);
    assert.equal(oomGroupPath('0::/user.slice\n', ID), null);
  });
});

describe('row 145: the address of a sandbox', () => {
  const addressOf = (...networks: object[]) =>
    observedSandbox({
      Id: ID,
      Created: '2026-01-01T00:00:00Z',
      Config: { Labels: {} },
      HostConfig: { NetworkMode: 'bridge' },
      State: { Running: true },
      NetworkSettings: { Networks: Object.fromEntries(networks.entries()) },
    } as unknown as ContainerInspectInfo);
  const rows: [string, object[], string[]][] = [
    ['IPv4', [{ IPAddress: '172.17.0.2', GlobalIPv6Address: '' }], ['172.17.0.2']],
    [
      'IPv4 before IPv6',
      [{ IPAddress: '172.17.0.2', GlobalIPv6Address: 'fd00::2' }],
      ['172.17.0.2', 'fd00::2'],
    ],
    ['IPv6 alone', [{ IPAddress: '', GlobalIPv6Address: 'fd00::2' }], ['fd00::2']],
    ['none yet', [{ IPAddress: '' }], []],
    ['none with the host’s network', [], []],
  ];
  for (const [says, networks, wanted] of rows) {
    test(says, () => {
      const { ip, ips } = addressOf(...networks);
      assert.deepEqual([ip, ips], [wanted[0] ?? '', wanted]);
    });
  }
});

describe('row 197: what the kernel says of a kill', () => {
  const record =
    '6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,' +
    `oom_memcg=/libpod_parent/libpod-${ID},task_memcg=/libpod_parent/libpod-${ID},task=sh`;
  test('the limit of the container is its doing, a full machine or another container is not', () => {
    assert.equal(tellsOfKill(record, ID), true);
    assert.equal(tellsOfKill(record, 'd'.repeat(64)), false);
    assert.equal(tellsOfKill(record.replace('oom_memcg=', 'global_oom,'), ID), false);
  });
});

describe('errors of engines', () => {
  const error = (statusCode: number, message: string) =>
    Object.assign(new Error(message), { statusCode });

  test('a container that went is gone, whichever number says it', () => {
    assert.equal(isGone(error(404, 'x')), true);
    assert.equal(isGone(error(500, 'no such container abc')), true);
    assert.equal(isGone(error(500, 'out of space')), false);
  });

  test('the engine speaks, not its client', () => {
    for (const said of [
      '(HTTP code 500) server error - Get "https://r:5000/v2/": no basic auth credentials ',
      '(HTTP code 404) no such container - Get "https://r:5000/v2/": no basic auth credentials ',
    ]) {
      const { message } = runtimeErrorOf(error(500, said), 'ErrImagePull');
      assert.equal(message, 'Get "https://r:5000/v2/": no basic auth credentials');
    }
    const json = { message: 'pull access denied - try login' };
    const { message } = runtimeErrorOf(Object.assign(error(500, 'x'), { json }), 'ErrImagePull');
    assert.equal(message, json.message);
  });

  test('a port in use is HostPortTaken on Docker and Podman', () => {
    for (const text of [
      'Bind for 0.0.0.0:8080 failed: port is already allocated',
      'listen tcp4 0.0.0.0:8080: bind: address already in use',
      'cannot listen on the TCP port: listen tcp4 :8080: bind: address already in use',
    ]) {
      const failure = runtimeErrorOf(error(500, text), 'EngineError');
      assert.equal(failure.code, 'HostPortTaken');
      assert.match(failure.message, /^host port 8080 is taken/);
    }
  });

  test('row 129: the path that is to be made is read from the error', () => {
    const text = 'invalid mount config for type "bind": bind source path does not exist: /a b/c';
    assert.equal(missingMountSource(error(400, text)), '/a b/c');
    assert.equal(missingMountSource(error(400, 'other')), null);
  });

  test('row 197: a start that failed has the exit code that Docker would have noted', () => {
    assert.equal(failedStart('exec: "x": executable file not found in $PATH').exitCode, 127);
    assert.equal(failedStart('stat /x: no such file or directory').exitCode, 127);
    assert.equal(failedStart('exec /x: permission denied').exitCode, 126);
    assert.equal(failedStart('something else').exitCode, 128);
  });

  test('nothing of a password is left in what a registry said', () => {
    const auth = [{ username: 'u', password: 'p4ss', serverAddress: '' }];
    const encoded = Buffer.from('u:p4ss').toString('base64');
    assert.equal(
      withoutSecrets(`no: p4ss, ${encoded}, https://u:other@reg.io/v2`, auth),
      'no: ***, ***, https://***@reg.io/v2',
    );
  });
});

describe('what an engine can do', () => {
  const infoOf = (
    version: { Version: string; KernelVersion?: string; Components?: { Name: string }[] },
    info: Record<string, unknown> = {},
  ) =>
    runtimeInfo(
      { ApiVersion: '1.41', Os: 'linux', Arch: 'amd64', ...version } as unknown as DockerVersion,
      info,
    );

  test('read-only all the way down takes Docker 25 and Linux 5.12', () => {
    const can = (Version: string, KernelVersion: string) =>
      infoOf({ Version, KernelVersion }).features.recursiveReadOnly;
    assert.equal(can('25.0.0', '5.12.0'), true);
    assert.equal(can('24.0.9', '6.1.0'), false);
    assert.equal(can('28.1.1', '5.10.0-8-amd64'), false);
    const Components = [{ Name: 'Podman Engine' }];
    const podman = infoOf({ Version: '26.0.0', KernelVersion: '6.1.0', Components });
    assert.deepEqual([podman.name, podman.features.recursiveReadOnly], ['podman', false]);
  });

  test('AppArmor, SELinux, seccomp, rootless and the cgroup version are as the engine says', () => {
    const { features } = infoOf(
      { Version: '20.10.24' },
      {
        SecurityOptions: ['name=seccomp,profile=default', 'name=apparmor', 'name=rootless'],
        CgroupVersion: '2',
      },
    );
    assert.deepEqual(features, {
      recursiveReadOnly: false,
      appArmor: true,
      seLinux: false,
      seccomp: true,
      cgroupVersion: 2,
      rootful: false,
    });
  });
});

describe('row 205: where logs lie', () => {
  const pod = { name: 'web-n1', namespace: 'shop', uid: 'u1' };
  test('as a kubelet names them', () => {
    const path = podLogPath('/var/log/pods', pod, { name: 'main', attempt: 3 });
    assert.equal(path, '/var/log/pods/shop_web-n1_u1/main/3.log');
    assert.equal(containerLogName(pod, { name: 'main', id: ID }), `web-n1_shop_main-${ID}.log`);
  });

  test('a name that no file can have is cut in front of its ending', () => {
    const long = containerLogName({ ...pod, name: 'w'.repeat(253) }, { name: 'main', id: ID });
    assert.equal(long.length, 255);
    assert.match(long, /\.log$/);
  });
});
