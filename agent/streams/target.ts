/**
 * Which container or address of which pod a stream means, in the kubelet's words where it cannot be had. Pure.
 */
import { allContainers, type ContainerStatus } from '../../protocol/pod.js';
import type { OpeningDocument } from '../../protocol/documents/node.js';
import type {
  AttachAsk,
  ExecAsk,
  LogsAsk,
  PortForwardAsk,
  StreamTarget,
} from '../../protocol/documents/command.js';
import { HttpError } from '../api/http-error.js';
import { loggedContainer, logOptionsOf } from '../api/log-target.js';
import type { NewEvent, PodReport } from '../ports.js';
import type { EngineId, LogOptions } from '../runtime/runtime.js';

export type RefusalCode = NonNullable<OpeningDocument['refusal']>['code'];

/** Why a stream does not open. */
export class StreamRefusal extends Error {
  override readonly name = 'StreamRefusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface KnownPods {
  readonly nodeName: string;
  readonly reports: readonly PodReport[];
}

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

export interface FoundPod {
  readonly report: PodReport;
  readonly involved: NewEvent['involved'];
}

export interface FoundContainer extends FoundPod {
  readonly id: EngineId;
  readonly container: string;
}

function reportsOf({ nodeName, reports }: KnownPods, ask: Omit<StreamTarget, 'key' | 'user'>) {
  const { namespace, pod } = ask;
  const keys = [`${namespace}/${pod}`, `${namespace}/${pod}-${nodeName.toLowerCase()}`];
  const meant = reports.filter(({ key }) => keys.includes(key));
  if (meant.length > 0) return meant;
  throw new StreamRefusal('NotFound', `no pod "${pod}" in namespace ${namespace} on ${nodeName}`);
}

function involvedIn({ pod }: PodReport, container: string | null): NewEvent['involved'] {
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  const list = pod.spec?.initContainers?.some(one => one.name === container)
    ? 'initContainers'
    : 'containers';
  const fieldPath = container === null ? '' : `spec.${list}{${container}}`;
  return { kind: 'Pod', namespace, name, uid, fieldPath };
}

function statusesOf({ pod }: PodReport): readonly ContainerStatus[] {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}

function runningId(report: PodReport, container: string): EngineId | null {
  const status = statusesOf(report).find(({ name }) => name === container);
  if (status?.state?.running === undefined) return null;
  return status.containerID?.replace(/^[a-z]+:\/\//, '') ?? null;
}

/** The only one, or the pod's own choice. */
function nameOf(report: PodReport, ask: { pod: string; container: string | null }): string {
  const names = allContainers(report.pod).map(({ name }) => name);
  const chosen = report.pod.metadata?.annotations?.[DEFAULT_CONTAINER];
  const name = ask.container ?? (names.length === 1 ? names[0] : chosen);
  if (name === undefined) {
    const choice = `choose one of: [${names.join(' ')}]`;
    throw new StreamRefusal(
      'BadRequest',
      `a container name must be specified for pod ${ask.pod}, ${choice}`,
    );
  }
  if (names.includes(name)) return name;
  const there = names.join(', ') || 'none';
  throw new StreamRefusal(
    'NotFound',
    `container "${name}" not found in pod "${ask.pod}"; it has: ${there}`,
  );
}

/** Throws `StreamRefusal`. */
export function runningContainer(pods: KnownPods, ask: ExecAsk | AttachAsk): FoundContainer {
  const reports = reportsOf(pods, ask);
  // Beside a version that may not begin stands the one that runs.
  for (const report of reports) {
    const names = allContainers(report.pod).map(({ name }) => name);
    if (names.length === 0) continue;
    const container = nameOf(report, ask);
    const id = runningId(report, container);
    if (id !== null) return { report, id, container, involved: involvedIn(report, container) };
  }
  const what = ask.container === null ? '' : `container "${ask.container}" of `;
  throw new StreamRefusal('BadRequest', `${what}pod "${ask.pod}" does not run: nothing to enter`);
}

/** As the node's own socket gives them. Throws `StreamRefusal`. */
export function logsTarget(
  pods: KnownPods,
  ask: LogsAsk,
): FoundContainer & { readonly options: LogOptions } {
  const meant = reportsOf(pods, ask).filter(
    ({ pod }) => ask.uid === null || pod.metadata?.uid === ask.uid,
  );
  const [first] = meant;
  if (first === undefined) {
    throw new StreamRefusal(
      'NotFound',
      `pod "${ask.pod}" is another now: its uid is not ${ask.uid}`,
    );
  }
  const container =
    ask.container ?? (allContainers(first.pod).length > 1 ? nameOf(first, ask) : '');
  try {
    const { namespace, pod, previous } = ask;
    const id = loggedContainer(
      { nodeName: pods.nodeName, reports: meant },
      { namespace, pod, container, previous },
    );
    const name = container === '' ? nameOf(first, ask) : container;
    const options = logOptionsOf(queryOf(ask));
    return { report: first, id, container: name, options, involved: involvedIn(first, name) };
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    throw new StreamRefusal(error.code === 404 ? 'NotFound' : 'BadRequest', error.message);
  }
}

function queryOf(ask: LogsAsk): URLSearchParams {
  const { follow, timestamps, tailLines, sinceSeconds, sinceTime, limitBytes } = ask;
  const all = { follow, timestamps, tailLines, sinceSeconds, sinceTime, limitBytes };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(all)) {
    if (value !== null) query.set(name, String(value));
  }
  return query;
}

/** Throws `StreamRefusal`. */
export function portTarget(
  pods: KnownPods,
  ask: PortForwardAsk,
): FoundPod & { readonly host: string } {
  const reports = reportsOf(pods, ask);
  for (const report of reports) {
    const { spec, status } = report.pod;
    if (status?.phase !== 'Running') continue;
    const host = spec?.hostNetwork === true ? '127.0.0.1' : status.podIP;
    if (host !== undefined && host !== '') {
      return { report, host, involved: involvedIn(report, null) };
    }
  }
  throw new StreamRefusal('BadRequest', `pod "${ask.pod}" does not run: it has no address`);
}
