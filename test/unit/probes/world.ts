/** What the tests of the probes share: containers, targets, an engine that runs programs as the test says. */
import type { AddressInfo, Server } from 'node:net';
import type { ProbeTarget } from '../../../agent/pods/health.js';
import type { ContainerExec, ExecOptions, ExecResult } from '../../../agent/runtime/exec.js';
import type { Container, Probe } from '../../../protocol/pod.js';
import type { Log } from '../../../protocol/ports.js';

export const QUIET: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export function containerOf(fields: Partial<Container>): Container {
  return { name: 'web', image: 'web:1', ...fields };
}

export function targetOf(container: Container, fields: Partial<ProbeTarget> = {}): ProbeTarget {
  return {
    id: 'id-1',
    pod: { name: 'web-n1', namespace: 'default', uid: 'u1' },
    container,
    startedAt: 0,
    host: '127.0.0.1',
    ending: false,
    ...fields,
  };
}

export const readiness = (probe: Probe) => containerOf({ readinessProbe: probe });

/** Listens on a free port of the loopback. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens: one that was free a moment ago. */
export async function closedPort(server: Server): Promise<number> {
  const port = await listen(server);
  await new Promise(resolve => server.close(resolve));
  return port;
}

export interface ExecCall {
  readonly id: string;
  readonly command: readonly string[];
  readonly options: ExecOptions;
}

/** Programs of containers: what they do is the test's to say. */
export function programs(run: (call: ExecCall) => Promise<ExecResult> | ExecResult) {
  const calls: ExecCall[] = [];
  const containers: ContainerExec = {
    async exec(id, command, options) {
      const call = { id, command, options };
      calls.push(call);
      return run(call);
    },
    stats: () => Promise.resolve(null),
  };
  return { calls, containers };
}

export const exited = (exitCode: number, output = ''): ExecResult => ({
  exitCode,
  output,
  timedOut: false,
});
