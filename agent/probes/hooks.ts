/**
 * Runs the hooks of containers: exec, httpGet, sleep (kubelet behaviour rows 110 to 114; `pkg/kubelet/lifecycle/handlers.go`).
 *
 * No time limit of its own: the caller's signal ends a hook that takes too long, and a program with it. An error says how it
 * failed, without what a program printed or a server sent.
 */
import type { Clock } from '../../protocol/ports.js';
import type { HTTPGetAction, LifecycleHandler } from '../../protocol/pod.js';
import { HookError, type HookRunner, type HookTarget } from '../pods/health.js';
import type { ContainerExec } from '../runtime/exec.js';
import { causeOf } from './address.js';
import { TIMER_MAX_MS } from './answer.js';
import { execFailure, OUTPUT_MAX_BYTES } from './exec.js';
import { httpGet, httpTarget, urlText, type HttpTarget } from './http-get.js';

/** OpenSSL's words for a server that answers a handshake in plain text: its first bytes are read as a record. */
const SPEAKS_PLAIN_HTTP =
  /wrong version number|packet length too long|http request|unknown protocol/i;

export interface HookRunnerOptions {
  readonly containers: ContainerExec;
  readonly clock: Clock;
}

interface Run {
  readonly target: HookTarget;
  readonly signal: AbortSignal;
}

export function openHookRunner({ containers, clock }: HookRunnerOptions): HookRunner {
  async function runExec(command: readonly string[], { target, signal }: Run): Promise<void> {
    const result = await containers.exec(target.id, command, {
      timeoutMs: TIMER_MAX_MS,
      maxOutputBytes: OUTPUT_MAX_BYTES,
      signal,
    });
    const message = execFailure(result, TIMER_MAX_MS);
    if (message !== null) throw new HookError(message);
  }

  async function runSleep(seconds: number, signal: AbortSignal): Promise<void> {
    for (let leftMs = seconds * 1000; leftMs > 0; leftMs -= TIMER_MAX_MS) {
      await clock.sleep(Math.min(leftMs, TIMER_MAX_MS), signal);
    }
  }

  async function runHandler(handler: LifecycleHandler, run: Run): Promise<void> {
    const { exec, httpGet: action, sleep } = handler;
    if (exec !== undefined) await runExec(exec.command ?? [], run);
    else if (action !== undefined) await runHttpGet(action, run);
    else if (sleep !== undefined) await runSleep(sleep.seconds, run.signal);
    else throw new HookError('there is nothing to run: a hook is exec, httpGet or sleep');
  }

  return {
    async run(handler, target, signal) {
      try {
        await runHandler(handler, { target, signal });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof HookError) throw error;
        throw new HookError(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

/** Any status is success (row 113). Where the network is the host's, `host` is that of the loopback. */
async function runHttpGet(action: HTTPGetAction, { target, signal }: Run): Promise<void> {
  const { container, host } = target;
  const http = httpTarget(action, { container, address: host, agent: 'kube-lifecycle' });
  try {
    await httpGet(http, signal);
  } catch (error) {
    const { message } = error as Error;
    const isPlain = http.url.protocol === 'https:' && SPEAKS_PLAIN_HTTP.test(message);
    if (!isPlain) throw new HookError(`Get "${urlText(http)}": ${causeOf(error)}`);
    const plain = inTheClear(http);
    await httpGet(plain, signal).catch((reason: unknown) => {
      throw new HookError(`Get "${urlText(plain)}": ${causeOf(reason)}`);
    });
  }
}

/** The same without TLS, and without what TLS was to protect. */
function inTheClear(target: HttpTarget): HttpTarget {
  const url = new URL(target.url);
  const port = url.port || '443';
  url.protocol = 'http:';
  url.port = port;
  const headers = new Map(target.headers);
  headers.delete('Authorization');
  return { ...target, url, headers };
}
