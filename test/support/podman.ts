/**
 * A Podman of the tests' own: its Docker-like socket, its storage and its networks under one temporary directory. Needs root, as the
 * Docker Engine of the tests does.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'node:http';
import Docker from 'dockerode';
import { realClock } from '../../agent/clock.js';
import { DockerRuntime } from '../../agent/runtime/docker.js';
import type { Log } from '../../protocol/ports.js';
import type { RealSubject } from '../contracts/runtime-security.contract.js';
import { randomHex, testImageRoot, TEST_IMAGE } from './docker.js';
import { freePort } from './ports.js';
import { eventually } from './wait.js';

const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** False, or a reason to skip. */
export function noPodman(): string | false {
  if (process.getuid?.() !== 0) return 'Podman is tried as root only';
  try {
    execFileSync('podman', ['--version'], { stdio: 'pipe' });
    return false;
  } catch {
    return 'podman is not installed';
  }
}

/** Podman asks for more than this process may give itself unless it is told (no CAP_SYS_RESOURCE). */
function hardLimit(name: string): number {
  const line = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(
    readFileSync('/proc/self/limits', 'utf8'),
  );
  const pidMax = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  const limit = Number(line?.[1]);
  return Number.isNaN(limit) ? pidMax : Math.min(limit, pidMax);
}

export interface PodmanService {
  readonly socketPath: string;
  /** Runs the podman CLI on the same storage; stdout, trimmed. */
  readonly podman: (...args: string[]) => string;
  close(): Promise<void>;
}

/** `insecure`: registries `host:port` that are spoken to without TLS. */
export async function startPodman(insecure: readonly string[] = []): Promise<PodmanService> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-podman-'));
  const at = (name: string) => join(folder, name);
  const nofile = hardLimit('Max open files');
  const nproc = hardLimit('Max processes');
  writeFileSync(
    at('containers.conf'),
    `[containers]
default_ulimits = ["nofile=${nofile}:${nofile}", "nproc=${nproc}:${nproc}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${at('tmp')}"
exit_command_delay = 5
`,
  );
  writeFileSync(
    at('registries.conf'),
    insecure.map(host => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`).join(''),
  );
  mkdirSync(at('networks'));
  const env = {
    ...process.env,
    CONTAINERS_CONF: at('containers.conf'),
    CONTAINERS_REGISTRIES_CONF: at('registries.conf'),
  };
  const storage = [
    '--root',
    at('root'),
    '--runroot',
    at('run'),
    '--network-config-dir',
    at('networks'),
  ];
  const socketPath = at('podman.sock');
  const child = spawn(
    'podman',
    [...storage, 'system', 'service', '--time=0', `unix://${socketPath}`],
    // conmon leaves a file `oom` in its working directory when the kernel kills a container.
    { env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const podman = (...args: string[]) =>
    execFileSync('podman', [...storage, ...args], { env, encoding: 'utf8', stdio: 'pipe' }).trim();
  const close = async () => {
    try {
      await removeAll(socketPath);
    } finally {
      await ended(child);
      await removeStorage(folder);
    }
  };
  try {
    await eventually('Podman answers', () => isAnswering(socketPath));
  } catch (error) {
    await ended(child);
    await removeStorage(folder);
    throw new Error(`Podman does not start: ${said}`, { cause: error });
  }
  return { socketPath, podman, close };
}

/** A sandbox goes only after what joined it. */
async function removeAll(socketPath: string): Promise<void> {
  const engine = new Docker({ socketPath });
  await eventually('all containers are removed', async () => {
    const listed = await engine.listContainers({ all: true });
    const removing = listed.map(({ Id }) => engine.getContainer(Id).remove({ force: true }));
    await Promise.allSettled(removing);
    return listed.length === 0;
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise(done => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once('exit', () => done());
    child.kill('SIGTERM');
  });
}

/**
 * Every podman process mounts `root/overlay` on itself when it opens the storage, and a conmon starts one (`podman container cleanup`)
 * `exit_command_delay` after its container ended, long after the service removed the container. So nothing is unmounted before the
 * last of them is gone: what mounts after that would hold the folder.
 */
async function removeStorage(folder: string): Promise<void> {
  await eventually('conmons and their clean-up end', () => processesOf(folder) === '');
  for (const at of mountsUnder(folder)) execFileSync('umount', [at], { stdio: 'pipe' });
  rmSync(folder, { recursive: true, force: true });
}

/** The command lines of the processes that name the folder: each conmon and each podman is told its storage so. */
function processesOf(folder: string): string {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // It ended meanwhile.
      }
    })
    .filter(line => line.includes(`${folder}/`))
    .join('\n');
}

/** Mount points in the folder, the last mounted first; one that is mounted twice is named twice. */
function mountsUnder(folder: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const points = lines.map(line => line.split(' ')[4] ?? '');
  return points.filter(point => point.startsWith(`${folder}/`)).toReversed();
}

function isAnswering(socketPath: string): Promise<boolean> {
  return new Promise(done => {
    const asked = request({ socketPath, path: '/_ping' }, answer => {
      answer.resume();
      done(answer.statusCode === 200);
    });
    asked.on('error', () => done(false));
    asked.end();
  });
}

/** The image of the tests, in Podman's storage. */
export function importTestImage({ podman }: PodmanService): string {
  const root = testImageRoot();
  try {
    const tar = join(root, 'image.tar');
    execFileSync('tar', ['-C', root, '--exclude=./image.tar', '-cf', tar, '.']);
    podman('import', '--change', 'ENV PATH=/bin', '--change', 'CMD ["sh"]', tar, TEST_IMAGE);
    return TEST_IMAGE;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export async function podmanSubject(insecure: readonly string[] = []): Promise<RealSubject> {
  const service = await startPodman(insecure);
  const owner = mkdtempSync(join(tmpdir(), 'flotilla-podman-owner-'));
  const runtimeOf = (of: string, socketPath = service.socketPath) =>
    new DockerRuntime({
      socketPath,
      owner: of,
      arch: process.arch,
      clock: realClock(),
      log: quiet,
      randomSuffix: () => randomHex(4),
    });
  return {
    runtime: runtimeOf(owner),
    again: () => runtimeOf(owner),
    stranger: () => runtimeOf(`${owner}/other`),
    down: () => runtimeOf(owner, '/nonexistent/podman.sock'),
    image: importTestImage(service),
    pidOf: id => Number(service.podman('inspect', '--format', '{{.State.Pid}}', id)),
    killSandbox: id => void service.podman('kill', id),
    freePort: () => freePort('0.0.0.0'),
    names: () => service.podman('ps', '-a', '--format', '{{.Names}}').split('\n'),
    close: async () => {
      await service.close();
      rmSync(owner, { recursive: true, force: true });
    },
  };
}
