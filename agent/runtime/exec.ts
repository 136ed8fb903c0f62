/** The second face of the container runtime port: programs run in a container, and what a container uses. Types only. */
import type { EngineId } from './runtime.js';

export interface ExecOptions {
  /** After this the process is killed and `timedOut` is true. */
  readonly timeoutMs: number;
  /** Bytes of stdout and stderr together that are kept (the kubelet keeps 10 KiB of a probe). */
  readonly maxOutputBytes: number;
  readonly signal?: AbortSignal;
}

export interface ExecResult {
  /** 126 or 127 when the program could not be started; null after a timeout. */
  readonly exitCode: number | null;
  readonly output: string;
  readonly timedOut: boolean;
}

/** What one container uses now. */
export interface ContainerStats {
  /** Since its start, in nanoseconds of all cores together. */
  readonly cpuNanoseconds: number;
  /** Without the page cache that the kernel would give back, as `kubectl top` counts. */
  readonly workingSetBytes: number;
}

export interface ContainerExec {
  /** Throws `NotFound` for a container that is gone or does not run, `EngineUnavailable`. */
  exec(id: EngineId, command: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** Null for a container that does not run. */
  stats(id: EngineId): Promise<ContainerStats | null>;
}
