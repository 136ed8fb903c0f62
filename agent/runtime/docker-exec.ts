/**
 * Programs run in a container over the Engine API: for probes and hooks. A program that is given up is killed (row 103: with
 * the kubelet's shim it would go on for ever); one that leaves a child behind on its output is over when it ends itself.
 */
import type Docker from 'dockerode';
import type { Exec } from 'dockerode';
import type { Clock } from '../../protocol/ports.js';
import { isGone, messageOf, runtimeErrorOf, statusOf } from './docker-errors.js';
import { frameReader } from './docker-logs.js';
import type { ExecOptions, ExecResult } from './exec.js';
import type { HostProcesses } from './host-processes.js';
import { RuntimeError, type EngineId } from './runtime.js';

/** As a shell says that a program was not found, or could not be run. */
const NOT_FOUND = 127;
const CANNOT_RUN = 126;
/** How often an engine is asked whether the program is over, while its output stays open. */
const LOOK_FIRST_MS = 10;
const LOOK_MAX_MS = 500;
/** How long the last words of a program that is over are waited for, while something of it holds its output. */
const LAST_WORDS_MS = 100;

export interface ExecTools {
  readonly docker: Docker;
  readonly clock: Clock;
  readonly processes: HostProcesses;
}

interface ExecState {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid?: number;
}

/** What the program said, as much as is kept; the rest is read and dropped, so that the program is not held up. */
class Output {
  readonly #chunks: Buffer[] = [];
  readonly #read = frameReader();
  #left: number;

  constructor(maxBytes: number) {
    this.#left = maxBytes;
  }

  take(chunk: Buffer): void {
    const kept = this.#read(chunk).subarray(0, this.#left);
    this.#left -= kept.length;
    if (kept.length > 0) this.#chunks.push(kept);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

/** Docker says so in the stream or as 400, Podman as 500; all with the words of the OCI runtime. */
function couldNotRun(error: unknown): ExecResult | null {
  const message = messageOf(error);
  if (![400, 404, 500].includes(statusOf(error))) return null;
  if (!/OCI runtime|exec failed|executable file not found/i.test(message)) return null;
  const isMissing = /not found|no such file/i.test(message);
  return { exitCode: isMissing ? NOT_FOUND : CANNOT_RUN, output: message, timedOut: false };
}

function execError(error: unknown, id: EngineId): RuntimeError {
  const isStopped = statusOf(error) === 409 || /not running|state improper/i.test(messageOf(error));
  if (isGone(error) || isStopped) {
    return new RuntimeError('NotFound', `container ${id} does not run`, { cause: error });
  }
  return runtimeErrorOf(error, 'EngineError');
}

/** Throws `NotFound`, `EngineUnavailable`; the reason of the signal when that aborts. */
export async function execInContainer(
  tools: ExecTools,
  id: EngineId,
  run: { readonly command: readonly string[]; readonly options: ExecOptions },
): Promise<ExecResult> {
  const { signal, timeoutMs, maxOutputBytes } = run.options;
  signal?.throwIfAborted();
  const over = new AbortController();
  const givenUp = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  let exec: Exec | null = null;
  try {
    exec = await tools.docker.getContainer(id).exec({
      Cmd: [...run.command],
      AttachStdout: true,
      AttachStderr: true,
    });
    const output = new Output(maxOutputBytes);
    const ended = follow(tools, exec, { output, signal: over.signal });
    const timer = tools.clock.sleep(timeoutMs, givenUp).then(() => null);
    const state = await Promise.race([ended, timer]);
    if (state === null) {
      ended.catch(() => undefined);
      await kill(tools, id, exec);
      signal?.throwIfAborted();
      return { exitCode: null, output: output.text(), timedOut: true };
    }
    return { exitCode: state.ExitCode, output: output.text(), timedOut: false };
  } catch (error) {
    signal?.throwIfAborted();
    const result = couldNotRun(error);
    if (result) return { ...result, output: result.output.slice(0, maxOutputBytes) };
    throw execError(error, id);
  } finally {
    over.abort();
  }
}

/** Resolves when the program is over, whoever still holds its output; null when the signal aborts first. */
async function follow(
  tools: ExecTools,
  exec: Exec,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<ExecState | null> {
  const stream = await exec.start({ Detach: false, Tty: false });
  const close = () => stream.destroy();
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) close();
  let isOpen = true;
  const closed = new AbortController();
  stream.on('data', (chunk: Buffer) => output.take(chunk));
  for (const event of ['end', 'close', 'error']) {
    stream.on(event, () => {
      isOpen = false;
      closed.abort();
    });
  }
  try {
    for (let wait = LOOK_FIRST_MS; !signal.aborted; wait = Math.min(wait * 2, LOOK_MAX_MS)) {
      if (isOpen) await tools.clock.sleep(wait, AbortSignal.any([signal, closed.signal]));
      const wasOpen = isOpen;
      const state = (await exec.inspect()) as unknown as ExecState;
      if (!state.Running && state.ExitCode !== null) {
        if (isOpen)
          await tools.clock.sleep(LAST_WORDS_MS, AbortSignal.any([signal, closed.signal]));
        return state;
      }
      // The engine notes the end a moment after it closed the stream.
      if (!wasOpen) await tools.clock.sleep(wait, signal);
    }
    return null;
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}

/**
 * Where the agent may not, the program goes on, as with the kubelet's shim; nobody waits for it. The engine answers a start
 * before the program runs: until then there is nothing to kill.
 */
async function kill(tools: ExecTools, id: EngineId, exec: Exec): Promise<void> {
  try {
    for (let wait = LOOK_FIRST_MS; wait <= LOOK_MAX_MS; wait *= 2) {
      const state = (await exec.inspect()) as unknown as ExecState;
      if (state.Running && state.Pid) {
        await tools.processes.killTree(state.Pid, id);
        return;
      }
      if (state.ExitCode !== null) return;
      await tools.clock.sleep(wait);
    }
  } catch {
    // The container is gone, and the program with it.
  }
}
