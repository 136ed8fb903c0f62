/** What the kernel counts for a container, read from its cgroup: for an engine that leaves it out (Podman). Reads, changes nothing. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineId } from './runtime.js';

const CGROUPS = '/sys/fs/cgroup';

/** Where `memory.stat` of a process lies, from its /proc/<pid>/cgroup; v1 has a hierarchy of its own for memory. Pure. */
export function memoryStatPath(cgroup: string, container: EngineId): string | null {
  const lines = cgroup.split('\n').map(line => line.split(':'));
  const v1 = lines.find(([, controllers = '']) => controllers.split(',').includes('memory'));
  const v2 = lines.find(([hierarchy, controllers]) => hierarchy === '0' && controllers === '');
  const path = (v1 ?? v2)?.slice(2).join(':');
  // The pid may be another's by now, or of another PID namespace.
  if (path?.includes(container) !== true) return null;
  return join(CGROUPS, v1 === undefined ? '' : 'memory', path, 'memory.stat');
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
