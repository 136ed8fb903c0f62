/**
 * Mounts on the node: tmpfs, binds of what is open, and their end. Runs `mount` and `umount`; decides nothing.
 *
 * What is mounted outlives the agent. Every call ends: a program that does not return is given up after a time
 * (kubelet pain P24). Standard: mount(8) of util-linux, proc(5) mountinfo.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { engineNamespaces, namespaceOf } from './engine-namespaces.js';
import { MountError } from './mount-error.js';
import { diskFault } from '../disk-fault.js';
import { makeDirectory } from '../make-directory.js';

export interface MountPoint {
  readonly path: string;
  /** `tmpfs`, `ext4` … */
  readonly type: string;
  /** Other mount namespaces hear of what is mounted below it. */
  readonly isShared: boolean;
}

export interface HostMounts {
  /**
   * Null when the agent may mount and the engine would see it, and where nothing could be learnt of that now (a disk
   * that is full, a node short of memory): each mount is tried when a pod needs it. Else a sentence why not, which
   * holds for as long as the agent runs. Leaves nothing behind.
   */
  probe(directory: string): Promise<string | null>;
  /** `sizeBytes` 0: the kernel's default. The directory must be there. */
  mountTmpfs(path: string, sizeBytes: number): Promise<void>;
  /** Binds the file or directory behind an open descriptor of this process onto `target`. */
  bindOpened(fd: number, target: string): Promise<void>;
  /** Mount points at and below a directory, the innermost first. */
  below(directory: string): Promise<readonly MountPoint[]>;
  /** Not mounted = done. A tmpfs or bind that is in use goes when its last user does. */
  unmount(path: string, isOwn: boolean): Promise<void>;
}

/** A mount program that hangs on a lost server does not hold up the pod's end any longer. */
const PROGRAM_MS = 10_000;
const TMPFS_MODE = '0777';
const PROBE = '.probe-';

/** mount(8): `system error (out of memory, cannot fork, no more loop devices)`. */
const SYSTEM_ERROR = 2;
/** Nor could it be begun. */
const SHORT_OF = /^(EAGAIN|ENOMEM|EMFILE|ENFILE)$/;

/** Of a program's end: it may be another one the next time. */
function isPassingEnd(code: string | number | null | undefined, isLate: boolean): boolean {
  return isLate || code === SYSTEM_ERROR || SHORT_OF.test(String(code));
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = { timeout: PROGRAM_MS, killSignal: 'SIGKILL' } as const;
    const child = execFile(program, args, options, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      const isLate = child.killed;
      const detail = isLate
        ? `no answer in ${PROGRAM_MS / 1000} s`
        : stderr.trim() || error.message;
      const isPassing = isPassingEnd(error.code, isLate);
      reject(new MountError(`${program} failed: ${detail}`, isPassing));
    });
  });
}

/** Blanks and the like are written as octal numbers. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

/** The mount points of a `mountinfo` text, in its order. */
export function parseMountInfo(text: string): MountPoint[] {
  return text.split('\n').flatMap(line => {
    const [mount, source] = line.split(' - ');
    const fields = (mount ?? '').split(' ');
    const path = fields[4];
    if (path === undefined || source === undefined) return [];
    return [
      {
        path: unescaped(path),
        type: source.split(' ')[0] ?? '',
        isShared: fields.slice(6).some(field => field.startsWith('shared:')),
      },
    ];
  });
}

async function mountPoints(): Promise<MountPoint[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** True when the engine sees what is mounted here: it shares the namespace, or hears of the mounts. */
async function isSeen(path: string, engineSocket: string | null): Promise<boolean> {
  const own = await namespaceOf('self');
  if ((await engineNamespaces(engineSocket)).every(namespace => namespace === own)) return true;
  return (await mountPoints()).some(one => one.path === path && one.isShared);
}

/** It says nothing of what the agent may mount. */
function isPassing(error: unknown): boolean {
  if (error instanceof MountError) return error.isPassing;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return diskFault(error) !== null || SHORT_OF.test(code);
}

/** `engineSocket`: where the engine listens; null: anywhere. */
export function openHostMounts(engineSocket: string | null = null): HostMounts {
  /** Linux 6.3: what is meant for memory is never written to the disk. False once it was refused. */
  let hasNoSwap = true;
  /** Also of what an agent that was killed left behind. */
  const clear = async (place: string) => {
    for (const { path } of await mounts.below(place)) await mounts.unmount(path, true);
    await rm(place, { recursive: true, force: true });
  };
  const probeAt = async (directory: string): Promise<string | null> => {
    await makeDirectory(directory, 0o750);
    for (const name of await readdir(directory)) {
      if (name.startsWith(PROBE)) await clear(join(directory, name));
    }
    const place = await mkdtemp(join(directory, PROBE));
    try {
      await mounts.mountTmpfs(place, 64 * 1024);
      if (!(await isSeen(place, engineSocket))) {
        return 'the agent runs in a mount namespace of its own: the engine does not see its mounts';
      }
      const inside = join(place, 'bound');
      await mkdir(inside);
      const handle = await open(place, 'r');
      try {
        await mounts.bindOpened(handle.fd, inside);
      } finally {
        await handle.close();
      }
      return null;
    } catch (error) {
      if (isPassing(error)) return null;
      return `the agent may not mount: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      await clear(place);
    }
  };
  const mounts: HostMounts = {
    async probe(directory) {
      try {
        return await probeAt(directory);
      } catch (error) {
        if (!isPassing(error)) throw error;
        return null;
      }
    },
    async mountTmpfs(path, sizeBytes) {
      const size = sizeBytes > 0 ? `,size=${sizeBytes}` : '';
      const options = `mode=${TMPFS_MODE}${size}`;
      const mount = (more: string) =>
        run('mount', ['-t', 'tmpfs', '-o', `${options}${more}`, 'tmpfs', path]);
      if (hasNoSwap) {
        try {
          return await mount(',noswap');
        } catch (error) {
          if (isPassing(error)) throw error;
          hasNoSwap = false;
        }
      }
      await mount('');
    },
    async bindOpened(fd, target) {
      // Not made canonical: the path could lead elsewhere by now, the open file cannot.
      const source = `/proc/${process.pid}/fd/${fd}`;
      await run('mount', ['--no-canonicalize', '--bind', source, target]);
    },
    async below(directory) {
      const all = await mountPoints();
      const inside = all.filter(
        ({ path }) => path === directory || path.startsWith(`${directory}/`),
      );
      return inside.reverse();
    },
    async unmount(path, isOwn) {
      try {
        await run('umount', [path]);
      } catch (error) {
        if (!(await mountPoints()).some(one => one.path === path)) return;
        if (!isOwn) throw error;
        await run('umount', ['--lazy', path]);
      }
    },
  };
  return mounts;
}
