/**
 * Which run of which container `/containerLogs` means, and what of its output: the kubelet's choice, codes and sentences
 * (row 220; `GetKubeletContainerLogs` and `validateContainerLogStatus` of `pkg/kubelet/kubelet_pods.go`,
 * `getContainerLogs` of `pkg/kubelet/server/server.go`). Pure.
 */
import { allContainers, type ContainerStatus } from '../../protocol/pod.js';
import type { PodReport } from '../ports.js';
import type { LogOptions } from '../runtime/runtime.js';
import { HttpError } from './http-error.js';

export interface LogTarget {
  readonly namespace: string;
  /** The node's suffix may be left out. */
  readonly pod: string;
  /** Empty: the only one. */
  readonly container: string;
  readonly previous: boolean;
}

interface Pods {
  readonly nodeName: string;
  readonly reports: readonly PodReport[];
}

/** The engine's id. Throws `HttpError`: 404 where there is no such thing, 400 where there is nothing to show yet. */
export function loggedContainer({ nodeName, reports }: Pods, target: LogTarget): string {
  const { namespace, pod, container, previous } = target;
  const keys = [`${namespace}/${pod}`, `${namespace}/${pod}-${nodeName.toLowerCase()}`];
  const meant = reports.filter(({ key }) => keys.includes(key));
  // Beside a version that may not begin stands the one that runs.
  const report = meant.find(one => hasRun(one, container)) ?? meant[0];
  if (report === undefined) {
    throw new HttpError(404, `pod does not exist: no pod "${pod}" in namespace ${namespace}`);
  }
  const names = allContainers(report.pod).map(({ name }) => name);
  if (names.length === 0) {
    const why = report.pod.status?.message ?? 'refused';
    throw new HttpError(404, `nothing of pod ${pod} runs: ${why}`);
  }
  const name = container === '' && names.length === 1 ? (names[0] ?? '') : container;
  if (name === '') {
    const choice = `choose one of: [${names.join(' ')}]`;
    throw new HttpError(400, `a container name must be specified for pod ${pod}, ${choice}`);
  }
  if (!names.includes(name)) {
    const there = names.join(', ');
    throw new HttpError(404, `container "${name}" not found in pod "${pod}"; it has: ${there}`);
  }
  const status = statusesOf(report).find(one => one.name === name);
  const what = `container "${name}" in pod "${pod}"`;
  if (status === undefined) throw new HttpError(400, `${what} is not available`);
  return idOf(status, { what, previous }).replace(/^[a-z]+:\/\//, '');
}

function statusesOf({ pod }: PodReport): readonly ContainerStatus[] {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}

/** An empty name means any container. */
function hasRun(report: PodReport, container: string): boolean {
  return statusesOf(report).some(
    ({ name, containerID }) =>
      containerID !== undefined && (container === '' || name === container),
  );
}

function idOf(
  { state = {}, lastState = {}, containerID = '' }: ContainerStatus,
  { what, previous }: { readonly what: string; readonly previous: boolean },
): string {
  const { waiting, running, terminated } = state;
  const before = lastState.terminated?.containerID ?? '';
  if (previous) {
    if (before === '') throw new HttpError(400, `previous terminated ${what} not found`);
    return before;
  }
  // A run that goes on while its replacement waits is in `lastState`.
  if ((running ?? lastState.running) !== undefined) return containerID;
  const id = terminated?.containerID ?? before;
  if (id !== '') return id;
  if ((terminated ?? lastState.terminated) !== undefined) {
    throw new HttpError(400, `${what} is terminated`);
  }
  const reason = waiting?.reason ?? 'no logs yet';
  throw new HttpError(400, `${what} is waiting to start: ${WAITS[reason] ?? reason}`);
}

const WAITS: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

/** RFC 3339, as `metav1.Time` takes it. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Throws `HttpError`: 400 for what cannot be read, 422 for what makes no sense. */
export function logOptionsOf(query: URLSearchParams): LogOptions {
  const tailLines = tailOf(query);
  const sinceSeconds = numberOf(query, 'sinceSeconds', 1);
  const limitBytes = numberOf(query, 'limitBytes', 1);
  const since = query.get('sinceTime');
  if (since !== null && (!TIME.test(since) || Number.isNaN(Date.parse(since)))) {
    const example = '2006-01-02T15:04:05Z';
    throw new HttpError(400, `Unable to decode query: sinceTime is not RFC 3339, as ${example} is`);
  }
  if (since !== null && sinceSeconds !== undefined) {
    const rule = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    throw new HttpError(422, `Invalid request: ${rule}`);
  }
  return {
    follow: isSet(query, 'follow'),
    timestamps: isSet(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === null ? {} : { sinceTime: new Date(since) }),
  };
}

/** As apimachinery reads a boolean: everything but `false` and `0` is yes, nothing at all behind the name too. */
export function isSet(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text !== null && text.toLowerCase() !== 'false' && text !== '0';
}

function numberOf(query: URLSearchParams, name: string, min: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw new HttpError(400, `Unable to decode query: ${name} is not a number`);
  }
  const value = Number(text);
  const rule = min === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
  if (value < min) throw new HttpError(422, `Invalid request: ${name} ${rule}`);
  return value;
}

/** `tail` is the older name, and there `all` is all. */
function tailOf(query: URLSearchParams): number | undefined {
  const tail = query.get('tail') ?? '';
  if (tail === '') return numberOf(query, 'tailLines', 0);
  return tail === 'all' ? undefined : numberOf(query, 'tail', 0);
}
