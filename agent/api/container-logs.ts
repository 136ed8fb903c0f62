/**
 * `/containerLogs/<namespace>/<pod>/<container>` as the kubelet has it (row 220): follow, previous, tailLines,
 * sinceSeconds, sinceTime, limitBytes, timestamps. Which container is meant is found in the reports.
 */
import type { ServerResponse } from 'node:http';
import { allContainers, type ContainerStatus } from '../../protocol/pod.js';
import type { PodReport } from '../ports.js';
import { RuntimeError, type ContainerRuntime, type LogOptions } from '../runtime/runtime.js';
import { HttpError } from './http-error.js';

export interface LogSources {
  readonly nodeName: string;
  readonly pods: () => readonly PodReport[];
  readonly logs: ContainerRuntime['logs'];
}

/** Throws `HttpError` before the first byte; what goes wrong later ends the answer. */
export async function streamLogs(
  url: URL,
  response: ServerResponse,
  from: { readonly sources: LogSources; readonly signal: AbortSignal },
): Promise<void> {
  const { sources, signal } = from;
  const [, , namespace, pod, container] = url.pathname.split('/').map(decodeURIComponent);
  if (!namespace || !pod)
    throw new HttpError(400, 'say /containerLogs/<namespace>/<pod>/<container>');
  const query = url.searchParams;
  const id = containerIdOf(sources, {
    namespace,
    pod,
    container: container ?? '',
    previous: query.get('previous') === 'true',
  });
  const chunks = sources.logs(id, logOptionsOf(query), signal);
  try {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    response.flushHeaders();
    for await (const chunk of chunks) {
      if (!response.write(chunk))
        await new Promise(done => response.once('drain', done).once('close', done));
      if (signal.aborted) break;
    }
    response.end();
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NotFound') {
      response.end(`the container is gone: ${error.message}\n`);
    } else throw error;
  }
}

interface LogTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
}

/** The engine's id; the node's suffix of the pod's name and the name of an only container may be left out. */
function containerIdOf(sources: LogSources, target: LogTarget): string {
  const { namespace, pod, container, previous } = target;
  const keys = [`${namespace}/${pod}`, `${namespace}/${pod}-${sources.nodeName}`];
  const reports = sources.pods().filter(r => keys.includes(r.key));
  // Beside a version that may not begin stands the one that runs.
  const report = reports.find(one => statusIn(one, container)?.containerID) ?? reports[0];
  if (!report) throw new HttpError(404, `no pod "${pod}" in namespace ${namespace}`);
  const names = allContainers(report.pod).map(c => c.name);
  if (names.length === 0) {
    throw new HttpError(
      404,
      `nothing of pod ${pod} runs: ${report.pod.status?.message ?? 'refused'}`,
    );
  }
  const name = container === '' && names.length === 1 ? names[0] : container;
  if (name === '') {
    throw new HttpError(
      400,
      `a container name must be specified for pod ${pod}, choose one of: [${names.join(' ')}]`,
    );
  }
  if (name === undefined || !names.includes(name)) {
    throw new HttpError(
      404,
      `no container "${container}" in pod ${pod}; it has: ${names.join(', ')}`,
    );
  }
  const status = statusIn(report, name);
  const id = previous ? status?.lastState?.terminated?.containerID : status?.containerID;
  if (id === undefined || id === '') {
    const what = previous ? 'previous terminated container' : 'container';
    throw new HttpError(
      400,
      `${what} "${name}" in pod "${pod}" not found: it has not run${previous ? ' before' : ' yet'}`,
    );
  }
  return id.replace(/^[a-z]+:\/\//, '');
}

/** An empty name means any container. */
function statusIn({ pod }: PodReport, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const all = [...initContainerStatuses, ...containerStatuses];
  return all.find(one => (name === '' ? one.containerID !== undefined : one.name === name));
}

function logOptionsOf(query: URLSearchParams): LogOptions {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new HttpError(400, `${name} must be a number of 0 or more`);
    return Number(text);
  };
  const tailLines = number('tailLines');
  const sinceSeconds = number('sinceSeconds');
  const limitBytes = number('limitBytes');
  const since = query.get('sinceTime');
  if (since !== null && Number.isNaN(Date.parse(since)))
    throw new HttpError(400, 'sinceTime must be RFC 3339');
  return {
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === null ? {} : { sinceTime: new Date(since) }),
  };
}
