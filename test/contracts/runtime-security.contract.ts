/**
 * What a real engine has to make of the security context, namespaces, mounts and devices of a container, seen from inside it.
 * What this machine cannot do is probed and skipped with the reason.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  OWN_NAMESPACES,
  PLAIN_SECURITY,
  RuntimeError,
  type ContainerSecurity,
  type ContainerSpec,
  type LinuxResources,
  type Mount,
  type Namespaces,
} from '../../agent/runtime/runtime.js';
import { eventually } from '../support/wait.js';
import { containerSpec, SCRIPT, startedOn, type RuntimeSubject } from './runtime-case.js';

export interface RealSubject extends RuntimeSubject {
  /** The host's pid of the first process of a container. */
  pidOf(id: string): number;
}

const OPTIONS = { timeoutMs: 30_000, maxOutputBytes: 65_536 };
const PLAIN_RESOURCES: LinuxResources = {
  cpuShares: 2,
  cpuQuota: 0,
  memoryLimit: 0,
  oomScoreAdj: 0,
  pidsLimit: 0,
};
const NET_BIND_SERVICE = '0000000000000400';

/** Lines `Name:\tvalue` of a file like /proc/self/status. */
function fieldOf(text: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
}

export function securityContract(
  name: string,
  open: () => RealSubject | Promise<RealSubject>,
  skip: string | false = false,
): void {
  describe(`security, namespaces and mounts: ${name}`, { skip }, () => {
    let subject: RealSubject;
    let folder = '';
    before(async () => {
      subject = await open();
      folder = mkdtempSync(join(tmpdir(), 'flotilla-mounts-'));
    });
    after(async () => {
      await subject?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const inside = async (id: string, script: string): Promise<string> =>
      (await subject.runtime.exec(id, ['/bin/sh', '-c', script], OPTIONS)).output.trim();
    const container = async (change: Partial<ContainerSpec>, namespaces = OWN_NAMESPACES) =>
      (
        await startedOn(subject, SCRIPT.runs, {
          sandbox: { namespaces },
          container: { ...change, namespaces },
        })
      ).id;
    const secured = (change: Partial<ContainerSecurity>) =>
      container({ security: { ...PLAIN_SECURITY, ...change } });
    const status = (id: string) => inside(id, 'cat /proc/self/status');
    const mount = (change: Partial<Mount> & { hostPath: string }): Mount => ({
      containerPath: '/mnt',
      readOnly: false,
      propagation: 'rprivate',
      recursiveReadOnly: false,
      ...change,
    });

    test('row 157: user, group and supplementary groups', async () => {
      const id = await secured({ user: '1234:2345', groups: [3456, 4567] });
      const ids = await inside(id, 'id -u; id -g; id -G');
      const [uid, gid, groups = ''] = ids.split('\n');
      assert.deepEqual([uid, gid], ['1234', '2345']);
      assert.deepEqual(groups.split(' ').sort(), ['2345', '3456', '4567']);
    });

    test('rows 159, 160: what nothing is said about has the default capabilities and the profile of the engine', async () => {
      const seen = await status(await secured({}));
      assert.equal(fieldOf(seen, 'NoNewPrivs'), '0');
      assert.equal(fieldOf(seen, 'Seccomp'), '2');
      assert.match(fieldOf(seen, 'CapEff'), /^00000000[0-9a-f]{6}fb$/);
    });

    test('row 159: capabilities are dropped and added, ALL among them', async () => {
      const dropped = await status(
        await secured({ capDrop: ['ALL'], capAdd: ['NET_BIND_SERVICE'] }),
      );
      assert.equal(fieldOf(dropped, 'CapEff'), NET_BIND_SERVICE);
      assert.equal(fieldOf(dropped, 'CapBnd'), NET_BIND_SERVICE);
      const fewer = await status(await secured({ capDrop: ['CHOWN', 'KILL'] }));
      assert.equal(BigInt(`0x${fieldOf(fewer, 'CapEff')}`) & 0x21n, 0n);
    });

    test('row 159: allowPrivilegeEscalation false is no-new-privileges', async () => {
      const seen = await status(await secured({ noNewPrivileges: true }));
      assert.equal(fieldOf(seen, 'NoNewPrivs'), '1');
    });

    test('row 159: a read-only root; mounts in it are still written to', async () => {
      const hostPath = join(folder, 'written');
      mkdirSync(hostPath);
      const id = await container({
        security: { ...PLAIN_SECURITY, readOnlyRootFilesystem: true },
        mounts: [mount({ hostPath })],
      });
      assert.match(await inside(id, 'touch /x 2>&1'), /Read-only file system/);
      assert.equal(await inside(id, 'echo yes > /mnt/x && cat /mnt/x'), 'yes');
    });

    test('row 159: privileged, where this engine may give it', async t => {
      let id: string;
      try {
        id = await secured({ privileged: true });
      } catch (error) {
        assert.ok(error instanceof RuntimeError && error.code === 'RunContainerError');
        t.skip(`this engine may not start a privileged container: ${error.message}`);
        return;
      }
      const seen = await status(id);
      assert.equal(fieldOf(seen, 'Seccomp'), '0');
      assert.equal(BigInt(`0x${fieldOf(seen, 'CapEff')}`) & 0x200000n, 0x200000n, 'CAP_SYS_ADMIN');
    });

    test("row 160: seccomp unconfined, and a profile of one's own", async () => {
      assert.equal(fieldOf(await status(await secured({ seccomp: 'unconfined' })), 'Seccomp'), '0');
      const profile = JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
      });
      const id = await secured({ seccomp: { profile } });
      assert.equal(fieldOf(await status(id), 'Seccomp'), '2');
      assert.match(await inside(id, 'mkdir /tmp/x 2>&1'), /Operation not permitted/);
    });

    test('row 161: procMount Unmasked shows all of /proc', async () => {
      const hidden = 'grep -c " /proc/[a-z]" /proc/mounts';
      assert.notEqual(await inside(await secured({}), hidden), '0');
      assert.equal(await inside(await secured({ unmaskedProc: true }), hidden), '0');
    });

    test('rows 159, 166: the sandbox runs under the default profile, with no-new-privileges', async () => {
      const { sandbox } = await startedOn(subject, SCRIPT.runs);
      const seen = readFileSync(`/proc/${subject.pidOf(sandbox)}/status`, 'utf8');
      assert.equal(fieldOf(seen, 'NoNewPrivs'), '1');
      assert.equal(fieldOf(seen, 'Seccomp'), '2');
    });

    const space = (id: string, kind: string) => inside(id, `readlink /proc/self/ns/${kind}`);
    const host = (kind: string) => readlinkSync(`/proc/self/ns/${kind}`);

    test("rows 166, 169: network, IPC and hostname are the pod's, PIDs each container's own", async () => {
      const { runtime, image } = subject;
      const { pod, sandbox, id } = await startedOn(subject, SCRIPT.runs, {
        sandbox: { hostname: 'of-the-pod' },
      });
      const spec = containerSpec(image, SCRIPT.runs, { name: 'second' });
      const second = await runtime.createContainer(sandbox, pod, spec);
      await runtime.startContainer(second);
      for (const kind of ['net', 'ipc']) {
        assert.equal(await space(id, kind), await space(second, kind));
        assert.notEqual(await space(id, kind), host(kind));
      }
      assert.notEqual(await space(id, 'pid'), await space(second, 'pid'));
      assert.equal(await inside(id, 'hostname'), 'of-the-pod');
      assert.match(await inside(id, 'cat /proc/1/comm'), /^(sh|busybox)$/);
      await inside(id, 'echo shared > /dev/shm/note');
      assert.equal(await inside(second, 'cat /dev/shm/note'), 'shared');
      assert.match(await inside(id, 'df -k /dev/shm'), /\s65536\s/);
    });

    test('row 167: one PID namespace for the pod, with pause as its first process', async () => {
      const namespaces: Namespaces = { ...OWN_NAMESPACES, pid: 'pod' };
      const id = await container({}, namespaces);
      assert.equal(await inside(id, 'cat /proc/1/comm'), 'pause');
    });

    test('row 167: the namespaces of the host', async () => {
      const id = await container({}, { network: 'host', ipc: 'host', pid: 'host' });
      for (const kind of ['net', 'ipc', 'pid', 'uts'])
        assert.equal(await space(id, kind), host(kind));
      assert.equal(await inside(id, 'hostname'), hostname());
      const sandboxes = (await subject.runtime.observe()).containers.find(c => c.id === id);
      assert.ok(sandboxes);
    });

    test('row 162: sysctls hold in the whole pod', async () => {
      const name = 'net.ipv4.ip_unprivileged_port_start';
      const { id } = await startedOn(subject, SCRIPT.runs, {
        sandbox: { sysctls: { [name]: '81', 'kernel.shm_rmid_forced': '1' } },
      });
      assert.equal(await inside(id, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '81');
      assert.equal(await inside(id, 'cat /proc/sys/kernel/shm_rmid_forced'), '1');
    });

    test('row 139: a read-only mount refuses writing, without a word about mounts below it', async () => {
      const hostPath = join(folder, 'read-only');
      mkdirSync(hostPath);
      const id = await container({ mounts: [mount({ hostPath, readOnly: true })] });
      assert.match(await inside(id, 'touch /mnt/x 2>&1'), /Read-only file system/);
    });

    test("row 129: host directories that are not there are made, and are root's", async () => {
      const paths = [join(folder, 'made/one'), join(folder, 'made/two')];
      const id = await container({
        mounts: paths.map((hostPath, at) => mount({ hostPath, containerPath: `/mnt${at}` })),
      });
      assert.equal(await inside(id, 'stat -c "%u %F" /mnt0 /mnt1'), '0 directory\n0 directory');
      for (const path of paths) assert.ok(existsSync(path));
    });

    test('row 139: a mount of the host shows up below rslave and not below rprivate', async t => {
      const hostPath = join(folder, 'shared');
      mkdirSync(join(hostPath, 'late'), { recursive: true });
      try {
        execFileSync('mount', ['--bind', hostPath, hostPath], { stdio: 'pipe' });
      } catch (error) {
        t.skip(`this machine lets nobody mount: ${String(error)}`);
        return;
      }
      try {
        execFileSync('mount', ['--make-rshared', hostPath]);
        const slave = await container({ mounts: [mount({ hostPath, propagation: 'rslave' })] });
        const apart = await container({ mounts: [mount({ hostPath })] });
        execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(hostPath, 'late')]);
        assert.equal(await inside(slave, 'grep -c " /mnt/late " /proc/mounts'), '1');
        assert.equal(await inside(apart, 'grep -c " /mnt/late " /proc/mounts'), '0');
      } finally {
        execFileSync('umount', ['-R', '-l', hostPath]);
      }
    });

    test('a device can be opened only where it was given, and only as far as it was', async t => {
      const hostPath = '/dev/loop-control';
      if (!existsSync(hostPath)) {
        t.skip(`this machine has no ${hostPath}`);
        return;
      }
      const device = { hostPath, containerPath: '/dev/given', permissions: 'r' as const };
      const given = await container({ devices: [device] });
      assert.equal(await inside(given, 'exec 3</dev/given && echo opened'), 'opened');
      assert.doesNotMatch(
        await inside(given, '(exec 3<>/dev/given && echo opened) 2>&1'),
        /^opened/,
      );
      const seen = await container({ mounts: [mount({ hostPath, containerPath: '/dev/given' })] });
      assert.doesNotMatch(await inside(seen, '(exec 3</dev/given && echo opened) 2>&1'), /^opened/);
    });

    test('row 197: a program that takes more memory than it may have is OOMKilled', async () => {
      const resources = { ...PLAIN_RESOURCES, memoryLimit: 16 * 1024 ** 2 };
      const script = 'x=aaaaaaaaaaaaaaaa; while :; do x="$x$x"; done';
      const { id } = await startedOn(subject, script, { container: { resources } });
      const seen = await eventually('it was killed', async () => {
        const { containers } = await subject.runtime.observe();
        return containers.find(c => c.id === id && c.state === 'exited');
      });
      assert.deepEqual([seen.exitCode, seen.reason], [137, 'OOMKilled']);
    });

    test('row 197: one that was killed by somebody is not', async () => {
      const resources = { ...PLAIN_RESOURCES, memoryLimit: 64 * 1024 ** 2 };
      const { id } = await startedOn(subject, SCRIPT.ignoresTerm, { container: { resources } });
      await subject.runtime.stopContainer(id, 0);
      const seen = (await subject.runtime.observe()).containers.find(c => c.id === id);
      assert.deepEqual([seen?.exitCode, seen?.reason], [137, 'Error']);
    });

    test('row 155: a container that may have so many processes has no more', async () => {
      const id = await container({ resources: { ...PLAIN_RESOURCES, pidsLimit: 77 } });
      const files = '/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max';
      assert.equal(await inside(id, `cat ${files} 2>/dev/null`), '77');
    });

    test('the stop signal of the container is the one that is sent', async () => {
      const script =
        'trap "exit 9" USR1; trap "exit 143" TERM; while :; do sleep 3600 & wait; done';
      const { id } = await startedOn(subject, script, { container: { stopSignal: 'SIGUSR1' } });
      // The shell needs a moment to set its traps.
      await inside(id, 'until grep -q "^SigCgt:.*4[0-9a-f]*$" /proc/1/status; do sleep 0.05; done');
      await subject.runtime.stopContainer(id, 30);
      const seen = (await subject.runtime.observe()).containers.find(c => c.id === id);
      assert.equal(seen?.exitCode, 9);
    });
  });
}
