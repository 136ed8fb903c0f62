/**
 * The exec probe: it passes on exit 0, a program that takes too long fails and is killed (kubelet behaviour rows 102, 103).
 * The exit code is told, never the output.
 */
import { failure, probeError, SUCCESS, type ProbeAnswer, type ProbeCall } from './answer.js';
import { expand } from '../pods/pod-env.js';
import type { ContainerExec, ExecResult } from '../runtime/exec.js';
import { RuntimeError } from '../runtime/runtime.js';
import type { Container, Probe } from '../../protocol/pod.js';

type Exec = NonNullable<Probe['exec']>;

/** Nothing of it is shown; the kubelet's limit (row 102). */
export const OUTPUT_MAX_BYTES = 10 * 1024;

/** `$(NAME)` stands for values that are written in the manifest; others are known only inside the container. */
export function expandLiterals(command: readonly string[], container: Container): string[] {
  const values = new Map<string, string>();
  for (const { name, value = '', valueFrom } of container.env ?? []) {
    if (valueFrom === undefined) values.set(name, expand(value, values));
    else values.delete(name);
  }
  return command.map(word => expand(word, values));
}

/** A shell's codes for what it could not run; engines give either for a program that is not there. */
const NOT_RUN = [126, 127];

function exitMessage(exitCode: number | null): string {
  const message = `command exited with code ${exitCode ?? 'unknown'}`;
  if (exitCode === null || !NOT_RUN.includes(exitCode)) return message;
  return `${message}: it is not in the container or cannot be executed`;
}

export function execFailure({ exitCode, timedOut }: ExecResult, timeoutMs: number): string | null {
  if (timedOut) return `command timed out after ${timeoutMs / 1000}s`;
  return exitCode === 0 ? null : exitMessage(exitCode);
}

export function openExecProbe(
  containers: ContainerExec,
): (action: Exec, call: ProbeCall) => Promise<ProbeAnswer> {
  return async (action, { target, timeoutMs, signal }) => {
    const command = expandLiterals(action.command ?? [], target.container);
    try {
      const result = await containers.exec(target.id, command, {
        timeoutMs,
        maxOutputBytes: OUTPUT_MAX_BYTES,
        signal,
      });
      const message = execFailure(result, timeoutMs);
      return message === null ? SUCCESS : failure(message);
    } catch (error) {
      if (signal.aborted) return { is: 'nothing', message: 'given up' };
      if (!(error instanceof RuntimeError)) throw error;
      const isAway = error.code === 'EngineUnavailable' || error.code === 'NotFound';
      return isAway ? { is: 'nothing', message: error.message } : probeError(error.message);
    }
  };
}
