/**
 * The cgroup of a container as the kernel shows it: what it counts, for an engine that leaves it out (Podman), and the one switch
 * that no engine has, `memory.oom.group`. Standard: cgroup-v2.rst of Linux. Touches no cgroup but the container's own.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineId } from './runtime.js';

const CGROUPS = '/sys/fs/cgroup';

interface MemoryCgroup {
  readonly version: 1 | 2;
  /** Below its hierarchy. */
  readonly path: string;
}

/** From /proc/<pid>/cgroup; v1 has a hierarchy of its own for memory. Null: not of this container. */
function memoryCgroup(cgroup: string, container: EngineId): MemoryCgroup | null {
  const lines = cgroup.split('\n').map(line => line.split(':'));
  const v1 = lines.find(([, controllers = '']) => controllers.split(',').includes('memory'));
  const v2 = lines.find(([hierarchy, controllers]) => hierarchy === '0' && controllers === '');
  const path = (v1 ?? v2)?.slice(2).join(':');
  // The pid may be another's by now, or of another PID namespace.
  if (path?.includes(container) !== true || path.split('/').includes('..')) return null;
  return { version: v1 === undefined ? 2 : 1, path };
}

/** Where `memory.stat` of a process lies, from its /proc/<pid>/cgroup. Pure. */
export function memoryStatPath(cgroup: string, container: EngineId): string | null {
  const found = memoryCgroup(cgroup, container);
  return found && join(CGROUPS, found.version === 1 ? 'memory' : '', found.path, 'memory.stat');
}

/**
 * Where it is said that the container's processes die together, from the /proc/<pid>/cgroup of its first one, which may have
 * moved into a group further down. Null on cgroup v1, which has no such thing. Pure.
 */
export function oomGroupPath(cgroup: string, container: EngineId): string | null {
  const found = memoryCgroup(cgroup, container);
  if (found?.version !== 2) return null;
  const steps = found.path.split('/');
  const own = steps.findIndex(step => step.includes(container));
  return join(CGROUPS, ...steps.slice(0, own + 1), 'memory.oom.group');
}

/**
 * Row 154: when the kernel kills one process of the container for memory, it kills all. Twice is the same as once; a process
 * that is gone = done. Throws the kernel's error where the cgroup may not be changed.
 */
export async function killTogether(pid: number, container: EngineId): Promise<void> {
  try {
    const path = oomGroupPath(await readFile(`/proc/${pid}/cgroup`, 'utf8'), container);
    // Only where there is one: without the memory controller there is nothing to be said.
    if (path !== null) await writeFile(path, '1', { flag: 'r+' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'ENODEV') throw error;
  }
}

/** `memory.stat` as numbers by name; null when it cannot be read from here. */
export async function memoryStatOf(
  pid: number,
  container: EngineId,
): Promise<Readonly<Record<string, number>> | null> {
  try {
    const path = memoryStatPath(await readFile(`/proc/${pid}/cgroup`, 'utf8'), container);
    if (path === null) return null;
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    return Object.fromEntries(
      lines.map(line => line.split(' ')).map(([name = '', value]) => [name, Number(value)]),
    );
  } catch {
    return null;
  }
}
