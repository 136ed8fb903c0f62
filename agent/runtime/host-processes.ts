/**
 * Processes of containers as the host sees them: to end one that an engine cannot end. Only where the agent sees the
 * engine's processes; never one that is not in the container it is taken for.
 */
import { readFile } from 'node:fs/promises';
import type { EngineId } from './runtime.js';

/** More than this is a fork bomb, which the container's own end has to clear away. */
const TREE_MAX = 4096;

export interface HostProcesses {
  /**
   * Kills a process and all that came from it. False when it could not: another PID namespace, no permission.
   * Gone already = done.
   */
  killTree(pid: number, container: EngineId): Promise<boolean>;
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}

/** A pid may be another's by now, or of another PID namespace: its cgroup names the container that it is in. */
async function isIn(pid: number, container: EngineId): Promise<boolean> {
  return (await textOf(`/proc/${pid}/cgroup`))?.includes(container) ?? false;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = (await textOf(`/proc/${pid}/task/${pid}/children`)) ?? '';
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(Number);
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

export const hostProcesses: HostProcesses = {
  async killTree(root, container) {
    if (root <= 1) return false;
    const tree = [root];
    for (let at = 0; at < tree.length && tree.length < TREE_MAX; at++) {
      const pid = tree[at];
      if (pid !== undefined) tree.push(...(await childrenOf(pid)));
    }
    let done = true;
    for (const pid of tree) {
      if (await isIn(pid, container)) done = kill(pid) && done;
      else if ((await textOf(`/proc/${pid}/cgroup`)) !== null) done = false;
    }
    return done;
  },
};
