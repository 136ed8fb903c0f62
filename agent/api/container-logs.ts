/**
 * `/containerLogs/<namespace>/<pod>/<container>` as the kubelet has it (row 220): follow, previous, tailLines,
 * sinceSeconds, sinceTime, limitBytes, timestamps. Which run is meant `log-target.ts` decides; a followed one ends with
 * its container. Order of calls only.
 */
import type { ServerResponse } from 'node:http';
import type { PodReport } from '../ports.js';
import { RuntimeError, type ContainerRuntime } from '../runtime/runtime.js';
import { HttpError } from './http-error.js';
import { isSet, loggedContainer, logOptionsOf } from './log-target.js';

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
  const { namespace, pod, container } = pathOf(url);
  const query = url.searchParams;
  const id = loggedContainer(
    { nodeName: sources.nodeName, reports: sources.pods() },
    { namespace, pod, container, previous: isSet(query, 'previous') },
  );
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

function pathOf(url: URL): Record<'namespace' | 'pod' | 'container', string> {
  let parts: string[];
  try {
    parts = url.pathname.split('/').slice(2).map(decodeURIComponent);
  } catch {
    throw new HttpError(400, `${url.pathname}: not a path`);
  }
  const [namespace = '', pod = '', container = '', ...more] = parts;
  if (namespace === '' || pod === '' || more.length > 0) {
    throw new HttpError(404, 'say /containerLogs/<namespace>/<pod>/<container>');
  }
  return { namespace, pod, container };
}
