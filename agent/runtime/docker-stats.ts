/** What a container uses, from the engine's statistics, counted as the kubelet counts. */
import type Docker from 'dockerode';
import { isGone, runtimeErrorOf, statusOf } from './docker-errors.js';
import type { ContainerStats } from './exec.js';
import { memoryStatOf } from './host-cgroups.js';
import type { EngineId } from './runtime.js';

/** The part of the Engine API's answer that is read; Podman leaves `memory_stats.stats` out. */
export interface EngineStats {
  readonly read?: string;
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: {
    readonly usage?: number;
    readonly stats?: Readonly<Record<string, number>> | null;
  };
}

/** Null for a container that does not run: its memory is not counted any more. */
export function containerStats(stats: EngineStats): ContainerStats | null {
  const { usage, stats: details } = stats.memory_stats ?? {};
  const cpu = stats.cpu_stats?.cpu_usage?.total_usage;
  if (usage === undefined || cpu === undefined || (usage === 0 && cpu === 0)) return null;
  // cgroup v1 counts the children's too only in total_…; v2 has the one name (cAdvisor's rule).
  const inactive = details?.['total_inactive_file'] ?? details?.['inactive_file'] ?? 0;
  return { cpuNanoseconds: cpu, workingSetBytes: Math.max(0, usage - inactive) };
}

/** Throws `EngineUnavailable`. */
export async function readStats(docker: Docker, id: EngineId): Promise<ContainerStats | null> {
  try {
    const container = docker.getContainer(id);
    const stats: EngineStats = await container.stats({ stream: false, 'one-shot': true });
    if (containerStats(stats) === null || stats.memory_stats?.stats) return containerStats(stats);
    const { State } = await container.inspect();
    const details = await memoryStatOf(State.Pid, id);
    return containerStats({ ...stats, memory_stats: { ...stats.memory_stats, stats: details } });
  } catch (error) {
    if (isGone(error) || statusOf(error) === 409) return null;
    throw runtimeErrorOf(error, 'EngineError');
  }
}
