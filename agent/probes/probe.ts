/**
 * Makes one probe of whatever kind: bounded in time, tried three times where it could not be made (kubelet behaviour row 97).
 */
import type { Clock } from '../../protocol/ports.js';
import type { Probe } from '../../protocol/pod.js';
import { PROBE_DEFAULTS } from '../../protocol/pod-defaults.js';
import type { ContainerExec } from '../runtime/exec.js';
import {
  probeError,
  TIMER_MAX_MS,
  type ProbeAnswer,
  type ProbeCall,
  type ProbeRun,
} from './answer.js';
import { probeOf } from './decide.js';
import { openExecProbe } from './exec.js';
import { grpcProbe } from './grpc.js';
import { httpProbe } from './http.js';
import { tcpProbe } from './tcp.js';

const TRIES = 3;
/** The engine bounds a program in a container by itself; this is for an engine that does not answer. */
const ENGINE_PATIENCE_MS = 10_000;

export interface ProbeRunOptions {
  readonly containers: ContainerExec;
  readonly clock: Clock;
}

export function openProbeRun({ containers, clock }: ProbeRunOptions): ProbeRun {
  const execProbe = openExecProbe(containers);

  async function once(probe: Probe, call: ProbeCall): Promise<ProbeAnswer> {
    if (probe.exec !== undefined) return execProbe(probe.exec, call);
    if (probe.httpGet !== undefined) return httpProbe(probe.httpGet, call);
    if (probe.tcpSocket !== undefined) return tcpProbe(probe.tcpSocket, call);
    if (probe.grpc !== undefined) return grpcProbe(probe.grpc, call);
    return probeError('the probe has no handler');
  }

  async function bounded(probe: Probe, call: ProbeCall): Promise<ProbeAnswer> {
    const over = new AbortController();
    const timeout = new AbortController();
    const patienceMs = probe.exec === undefined ? 0 : ENGINE_PATIENCE_MS;
    void clock
      .sleep(
        Math.min(call.timeoutMs + patienceMs, TIMER_MAX_MS),
        AbortSignal.any([call.signal, over.signal]),
      )
      .then(() => timeout.abort());
    try {
      return await once(probe, { ...call, signal: timeout.signal });
    } catch (error) {
      return probeError(error instanceof Error ? error.message : String(error));
    } finally {
      over.abort();
    }
  }

  return async (kind, target, signal) => {
    const probe = probeOf(target.container, kind);
    if (probe === undefined) return { is: 'nothing', message: 'there is no such probe' };
    const timeoutS = probe.timeoutSeconds || PROBE_DEFAULTS.timeoutSeconds;
    const timeoutMs = Math.min(timeoutS * 1000, TIMER_MAX_MS);
    for (let tries = 1; ; tries += 1) {
      const answer = await bounded(probe, { target, timeoutMs, signal });
      if (answer.is !== 'error' || tries === TRIES || signal.aborted) return answer;
    }
  };
}
