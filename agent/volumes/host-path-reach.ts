/**
 * Asks a path of the node by a program of its own, because a call of ours that a file server never answers would keep one of the
 * process's four threads for files: four such paths would stop all that the agent does, and even one its end. Runs `stat` of
 * coreutils or busybox, only where a file system is mounted that can hang. Decides nothing about what is there.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Resolves when the path has answered, whatever it said; never rejects. While a server hangs it is pending. */
export type ReachPath = (path: string) => Promise<void>;

/** File systems that a server or another program answers for, by their names in proc(5) mountinfo. */
const SERVED =
  /^(nfs4?|cifs|smb3|smbfs|9p|virtiofs|fuse(blk)?(\..+)?|ceph|afs|lustre|beegfs|gfs2|ocfs2|autofs|coda)$/;

/** What the kernel and systemd mount there on every machine. */
const OF_THE_KERNEL = /^\/(proc|sys|dev)(\/|$)/;

/** True when a mount of this table (proc(5) mountinfo) can hang; by which links a path gets there is not asked. */
export function canHang(mountInfo: string): boolean {
  return mountInfo.split('\n').some(line => {
    const [before = '', after = ''] = line.split(' - ');
    const place = before.split(' ')[4] ?? '';
    return SERVED.test(after.split(' ')[0] ?? '') && !OF_THE_KERNEL.test(place);
  });
}

function mountsCanHang(): boolean {
  try {
    // The kernel's own file, which waits for nobody.
    return canHang(readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return false;
  }
}

export const reachHostPath: ReachPath = path => {
  if (!mountsCanHang()) return Promise.resolve();
  return new Promise(resolve => {
    const stat = spawn('stat', ['-L', '--', path], { stdio: 'ignore' });
    // One that hangs must not keep the agent from ending.
    stat.unref();
    stat.on('error', () => resolve());
    stat.on('exit', () => resolve());
  });
};
