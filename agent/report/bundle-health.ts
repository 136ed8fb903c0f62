/**
 * Where each bundle stands, from what the journal promised and what the pods do: activating until
 * every pod of the revision is there, progressing until every container has been ready (or is
 * completed) for ten seconds, then healthy. Pure; looks at the pods as they are, so an agent's
 * restart changes nothing. Never repeats container output.
 */
import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import { isPodKey } from '../../protocol/bundle-manifest.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import {
  bindingsOf,
  bindingText,
  IMAGE_DIGESTS_ANNOTATION,
  NO_BINDINGS,
  type ImageBindings,
} from '../../protocol/image-binding.js';
import { UPDATE_REJECTED, UPDATE_WAITING } from '../pods/pod-status.js';
import { isSidecar } from '../pods/restart-rules.js';
import { bundleKey } from '../intake/decide.js';
import type { BundleRecord, Journal, OwnedFile, Transition } from '../journal/journal.js';
import type { PodReport } from '../ports.js';

/** How long a container must have been ready or be completed. */
export const SETTLED_MS = 10_000;

/** In a message. */
const PODS_NAMED = 5;
/** Of a container that is on its way: no complaint by themselves. */
const BEGINNING: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

export interface HealthInput {
  readonly records: readonly BundleRecord[];
  readonly files: readonly OwnedFile[];
  /** What the active revision of a bundle binds its images to; left out: nothing. */
  readonly bindings?: (record: BundleRecord) => ImageBindings;
  /** Null while the pods are not known yet: then everything stays as it is recorded. */
  readonly pods: readonly PodReport[] | null;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Health {
  readonly statuses: readonly BundleStatus[];
  /** What has to be recorded: changes of state; a reason that changes within one costs no write. */
  readonly transitions: readonly Transition[];
  /** When time alone may change something, milliseconds since 1970. */
  readonly againAt: number | null;
}

/** For `HealthInput`. */
export function activeBindings(
  journal: Pick<Journal, 'bundleDocument'>,
): (record: BundleRecord) => ImageBindings {
  return ({ active }) => {
    const document = active === null ? null : journal.bundleDocument(active);
    return bindingsOf(document?.images ?? []);
  };
}

interface Verdict {
  readonly state: Transition['state'];
  readonly reason: string;
  readonly message: string;
  readonly againAt?: number;
}

export function bundleHealth(input: HealthInput): Health {
  const { records, files, pods, now, bindings = () => NO_BINDINGS } = input;
  const statuses: BundleStatus[] = [];
  const transitions: Transition[] = [];
  let againAt: number | null = null;
  for (const record of records) {
    const verdict =
      pods === null ? record : verdictOn(record, { files, pods, now, bindings: bindings(record) });
    const { state, reason, message } = verdict;
    const { namespace, name, revision, digest, attempt } = record;
    const step = { namespace, name, revision, digest, attempt, state, reason, message };
    const changed = state !== record.state;
    if (changed) transitions.push(step);
    if ('againAt' in verdict && verdict.againAt !== undefined) {
      againAt = Math.min(againAt ?? Infinity, verdict.againAt);
    }
    if (state === 'removed') continue;
    const since = new Date(changed ? now : record.since).toISOString();
    statuses.push({
      ...step,
      active: record.active,
      state,
      reason: reason.slice(0, 128),
      message: message.slice(0, 1024).toWellFormed(),
      since,
    });
  }
  return { statuses, transitions, againAt };
}

function verdictOn(
  record: BundleRecord,
  world: {
    readonly files: readonly OwnedFile[];
    readonly pods: readonly PodReport[];
    readonly bindings: ImageBindings;
    readonly now: number;
  },
): Verdict {
  const key = bundleKey(record);
  const pods = world.pods.filter(pod => pod.bundle !== null && bundleKey(pod.bundle) === key);
  if (record.state === 'removing') {
    if (pods.length === 0) return { state: 'removed', reason: 'PodsGone', message: '' };
    return { state: 'removing', reason: record.reason, message: `${pods.length} pods to stop` };
  }
  // Staging decides about a revision that is not active; its word stands.
  if (record.active !== record.digest) return record;
  const wanted = world.files.filter(file => bundleKey(file) === key && isPodKey(file.pod));
  const isOf = (pod: PodReport, file: OwnedFile) =>
    pod.manifestDigest === file.manifest &&
    pod.outdated !== true &&
    hasNameOf(pod, file) &&
    isBoundTo(pod, world.bindings);
  const present = wanted.flatMap(file => pods.find(pod => isOf(pod, file)) ?? []);
  const isMeant = (pod: PodReport) => wanted.some(file => hasNameOf(pod, file));
  const failed = pods.find(
    pod =>
      isRefused(pod) ||
      (isFailed(pod) && present.includes(pod)) ||
      (conditionOf(pod, UPDATE_REJECTED) !== undefined && isMeant(pod)),
  );
  if (failed) return { state: 'failed', ...failureOf(failed) };
  const old = pods.filter(pod => !wanted.some(file => isOf(pod, file)));
  if (present.length < wanted.length || old.length > 0) {
    const held = old.flatMap(pod => {
      const why = conditionOf(pod, UPDATE_WAITING);
      return why === undefined ? [] : [`${pod.key}: ${why.reason}: ${why.message}`];
    });
    const count = `${present.length} of ${wanted.length} pods are of this revision`;
    const message = [count, ...held.slice(0, PODS_NAMED)].join('; ');
    return { state: 'activating', reason: 'PodsPending', message };
  }
  return settling(present, world.now);
}

function isFailed({ pod }: PodReport): boolean {
  return pod.status?.phase === 'Failed';
}

/** The pod runner took the file but not the pod: nothing of it runs, so it has no manifest. */
function isRefused(pod: PodReport): boolean {
  return isFailed(pod) && pod.manifestDigest === null;
}

/** Of what was there before, and runs on while an edit may not begin. */
function conditionOf({ pod }: PodReport, type: string) {
  return pod.status?.conditions?.find(one => one.type === type);
}

function failureOf(pod: PodReport) {
  const { reason, message } = conditionOf(pod, UPDATE_REJECTED) ?? pod.pod.status ?? {};
  const why = isRefused(pod) ? [message] : [reason, message];
  return {
    reason: isRefused(pod) ? 'PodRefused' : 'PodFailed',
    message: [`pod ${pod.key} failed`, ...why.filter(part => part)].join(': '),
  };
}

/** A manifest may stay as it is and its images not. */
function isBoundTo({ pod }: PodReport, bindings: ImageBindings): boolean {
  const said = pod.metadata?.annotations?.[IMAGE_DIGESTS_ANNOTATION] ?? null;
  return said === bindingText(pod, bindings);
}

/** With the node's suffix, or of a kubelet that was given the suffixed name. */
function hasNameOf(pod: PodReport, file: OwnedFile): boolean {
  const name = pod.key.slice(pod.key.indexOf('/') + 1);
  return name === file.pod || name.startsWith(`${file.pod}-`);
}

function settling(pods: readonly PodReport[], now: number): Verdict {
  const since = pods.map(({ pod }) => settledSince(pod, now));
  const waiting = pods.filter((_, i) => since[i] === null);
  if (waiting.length > 0) {
    const names = waiting.slice(0, PODS_NAMED).map(waitingFor).join(', ');
    return { state: 'progressing', reason: 'ContainersPending', message: `waiting for ${names}` };
  }
  const last = Math.max(0, ...since.map(at => at ?? 0));
  if (last + SETTLED_MS > now) {
    const message = 'every container is ready or completed; ten seconds have to pass';
    const againAt = last + SETTLED_MS;
    return { state: 'progressing', reason: 'Settling', message, againAt };
  }
  return { state: 'healthy', reason: 'ContainersSettled', message: `${pods.length} pods` };
}

/** The pod with the first of its containers that says why it is not there. */
function waitingFor({ key, pod }: PodReport): string {
  const { reason, message, initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const sidecars = sidecarsOf(pod);
  const running = initContainerStatuses.find(
    ({ name, state }) => state?.running !== undefined && !sidecars.has(name),
  );
  if (running !== undefined) return `${key} (${running.name}: still runs)`;
  const statuses = [...initContainerStatuses, ...containerStatuses];
  const word = statuses.map(complaintOf).find(complaint => complaint !== null);
  if (word !== undefined) return `${key} (${word})`;
  const why = [reason, message].filter(part => part).join(': ');
  return why === '' ? key : `${key} (${why})`;
}

function complaintOf(status: ContainerStatus): string | null {
  const { name, state, lastState, ready, started } = status;
  const { reason = '', message = '' } = state?.waiting ?? {};
  if (reason === 'CrashLoopBackOff') {
    const code = lastState?.terminated?.exitCode;
    return `${name}: ${reason}${code === undefined ? '' : `, last exit code ${code}`}`;
  }
  if (reason !== '' && (message !== '' || !BEGINNING.has(reason))) {
    return `${name}: ${[reason, message].filter(part => part !== '').join(': ')}`;
  }
  if (state?.running === undefined || ready) return null;
  return `${name}: ${started === false ? 'has not started' : 'is not ready'}`;
}

function sidecarsOf({ spec }: PodReport['pod']): ReadonlySet<string> {
  return new Set((spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
}

/** When the last container became ready or was completed; null while one is neither. */
function settledSince(pod: PodReport['pod'], now: number): number | null {
  const { spec, status } = pod;
  const wanted = spec?.containers ?? [];
  const statuses = status?.containerStatuses ?? [];
  if (statuses.length < wanted.length) return null;
  const sidecars = sidecarsOf(pod);
  const beside = (status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name));
  const isOver = status?.phase === 'Succeeded';
  const times = [...statuses, ...(isOver ? [] : beside)].map(one => containerSince(one));
  if (times.some(at => at === null)) return null;
  const ready = status?.conditions?.find(({ type }) => type === 'ContainersReady');
  const readyAt = ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') || 0 : 0;
  // A clock that was set back puts starts into the future; what runs then has run.
  return Math.max(0, ...[...times, readyAt].map(at => at ?? 0).filter(at => at <= now));
}

function containerSince({ state, ready }: ContainerStatus): number | null {
  if (state?.running) return ready ? Date.parse(state.running.startedAt ?? '') || 0 : null;
  if (state?.terminated?.exitCode === 0) return Date.parse(state.terminated.finishedAt ?? '') || 0;
  return null;
}
