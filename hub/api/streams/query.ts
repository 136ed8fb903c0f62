/**
 * The query parameters of `log`, `exec`, `attach` and `portforward` (v1 PodLogOptions, PodExecOptions …) as asks of a node.
 * Pure. What cannot be understood is refused with its name, never passed over.
 */
import { excerpt } from '../../../protocol/excerpt.js';
import { RequestError } from '../../ports.js';
import type { StreamAsk } from '../../streams/streams.js';
import { refuseCauses, type Cause } from '../body-fields.js';

type LogAsk = Extract<StreamAsk, { kind: 'logs' }>;
export type LogOptions = Omit<LogAsk, 'kind' | 'namespace' | 'pod' | 'uid' | 'container'>;

export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const PORTS_MAX = 16;

/** Go's ParseBool; absent is false. */
function flag(query: URLSearchParams, name: string, causes: Cause[]): boolean {
  const value = query.get(name) ?? '';
  if (['', '0', 'f', 'F', 'false', 'False', 'FALSE'].includes(value)) return false;
  if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(value)) return true;
  causes.push({ field: name, message: `"${excerpt(value)}" is neither true nor false` });
  return false;
}

function count(query: URLSearchParams, name: string, bound: { min: number; causes: Cause[] }) {
  const value = query.get(name) ?? '';
  if (value === '') return undefined;
  if (/^\d{1,15}$/.test(value) && Number(value) >= bound.min) return Number(value);
  const message = `"${excerpt(value)}" is not a whole number of at least ${bound.min}`;
  bound.causes.push({ field: name, message });
  return undefined;
}

/** Throws Invalid with every parameter that is at fault. */
export function logOptions(query: URLSearchParams, pod: string): LogOptions {
  const causes: Cause[] = [];
  const tailLines = count(query, 'tailLines', { min: 0, causes });
  const sinceSeconds = count(query, 'sinceSeconds', { min: 1, causes });
  const limitBytes = count(query, 'limitBytes', { min: 1, causes });
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '' && !(RFC_3339.test(sinceTime) && !Number.isNaN(Date.parse(sinceTime)))) {
    causes.push({
      field: 'sinceTime',
      message: `"${excerpt(sinceTime)}" is not a time as in RFC 3339`,
    });
  }
  if (sinceTime !== '' && query.get('sinceSeconds')) {
    const message = 'at most one of sinceTime and sinceSeconds may be given';
    causes.push({ field: 'sinceSeconds', message });
  }
  const stream = query.get('stream') ?? '';
  if (stream !== '' && stream !== 'All') {
    causes.push({ field: 'stream', message: `"${excerpt(stream)}" is not possible: only All` });
  }
  const flags = {
    follow: flag(query, 'follow', causes),
    previous: flag(query, 'previous', causes),
    timestamps: flag(query, 'timestamps', causes),
  };
  refuseCauses(`PodLogOptions "${pod}"`, causes);
  return {
    ...flags,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === '' ? {} : { sinceTime }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  };
}

/** Throws BadRequest, Invalid. A terminal has one output: with `tty` there is no stderr. */
export function commandStreams(query: URLSearchParams, pod: string): CommandStreams {
  const causes: Cause[] = [];
  const tty = flag(query, 'tty', causes);
  const streams = {
    stdin: flag(query, 'stdin', causes),
    stdout: flag(query, 'stdout', causes),
    stderr: flag(query, 'stderr', causes) && !tty,
    tty,
  };
  refuseCauses(`the options for pod "${pod}"`, causes);
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw new RequestError('BadRequest', 'you must specify at least 1 of stdin, stdout, stderr');
  }
  return streams;
}

/** Throws BadRequest. */
export function commandWords(query: URLSearchParams): readonly string[] {
  const words = query.getAll('command');
  if ((words[0] ?? '') !== '') return words;
  throw new RequestError('BadRequest', 'you must specify a command: ?command=PROGRAM&command=WORD');
}

/** Null for what is no port. */
export function portOf(text: string | undefined): number | null {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : null;
}

/** Of the older WebSocket form: `?ports=80&ports=443` or `?ports=80,443`. Throws BadRequest. */
export function forwardedPorts(query: URLSearchParams): readonly number[] {
  const texts = query.getAll('ports').flatMap(value => value.split(','));
  const ports = texts.map(text => {
    const port = portOf(text);
    if (port === null)
      throw new RequestError('BadRequest', `ports: "${excerpt(text)}" is not a port`);
    return port;
  });
  if (ports.length === 0 || ports.length > PORTS_MAX) {
    throw new RequestError('BadRequest', `query parameter "ports": 1 to ${PORTS_MAX} are needed`);
  }
  return ports;
}
